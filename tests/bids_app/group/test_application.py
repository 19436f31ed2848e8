"""What is said about the answers of a model."""

import pandas as pd

from bids_app.group.application import _known_patients


def test_other_visits_of_patients_that_were_trained_on_are_counted() -> None:
    samples = pd.DataFrame(
        {"patient": ["a", "a", "b", "b", "c"]}, index=["a1", "a2", "b1", "b2", "c1"]
    )
    assert _known_patients(samples, pd.Index(["a1", "b1", "b2"])) == [
        "1 sample(s) were not trained on, but others of the same patients were: the answers for "
        "them look better than they are."
    ]
    assert _known_patients(samples, pd.Index(["a1", "a2", "b1", "b2"])) == []
