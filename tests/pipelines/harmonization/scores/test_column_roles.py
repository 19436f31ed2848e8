"""Which columns describe people, and which of two with one meaning is read."""

import pandas as pd
import pytest

from pipelines.errors import DataError
from pipelines.harmonization.scores.column_roles import column_role, columns_by_role, set_aside


def table(*columns):
    return pd.DataFrame(columns=list(columns), dtype=str)


def test_roles_of_columns_do_not_depend_on_their_spelling() -> None:
    assert column_role(" Age at Scan ") == "age"
    assert column_role("Acq-Time") == "ignore"
    assert column_role("soleus") is None


@pytest.mark.parametrize("order", [("sex", "gender"), ("gender", "sex")])
def test_of_two_columns_that_mean_the_same_the_one_of_bids_is_read(order) -> None:
    both = table("participant_id", *order, "subject")
    roles = columns_by_role(both, "p.tsv")
    assert roles == {"participant": "participant_id", "sex": "sex"}
    assert set_aside(both, roles) == {"gender": "sex", "subject": "participant_id"}


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        (("diagnosis", "disease"), "'diagnosis' and 'disease' both give the diagnosis."),
        (("sex", "Sex", "gender"), "'sex' and 'Sex' both give the sex."),
        (("site", "centre", "center"), "'site' and 'centre' both give the site."),
    ],
)
def test_where_bids_does_not_decide_two_columns_are_refused(columns, named) -> None:
    with pytest.raises(DataError) as error:
        columns_by_role(table("participant_id", *columns), "p.tsv")
    assert error.value.message == f"p.tsv: columns {named}"
