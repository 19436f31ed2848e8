"""Tables as text, against pandas' own."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.files import tables
from bids_app.files.tables import table_parts, table_text
from pipelines.text_table import read_own_table

TEXTS = st.one_of(st.none(), st.sampled_from(["", 'say "x"', "n/a", "ü", "a-b", "-1.5"]))
FLOATS = st.one_of(
    st.floats(width=64), st.sampled_from([0.0, -0.0, 1e-7, 1234567.0, 100 / 3, np.nan])
)


def by_pandas(frame: pd.DataFrame) -> str:
    text: str = frame.to_csv(
        sep="\t", index=False, na_rep="n/a", float_format="%.6g", lineterminator="\n"
    )
    return text


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXTS, FLOATS, st.integers(), st.booleans(), TEXTS), max_size=12),
    at_once=st.integers(1, 5),
)
def test_the_text_is_that_of_pandas(rows: list[tuple[object, ...]], at_once: int) -> None:
    frame = pd.DataFrame(rows, columns=["text", "number", "count", "flag", 'odd "name"'])
    frame["number"] = frame["number"].astype(np.float64)
    frame["kind"] = frame["text"].astype("category")
    frame["single"] = frame["number"].to_numpy(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_ROWS", at_once)
        assert table_text(frame) == by_pandas(frame)


def test_mixed_columns_are_those_of_pandas() -> None:
    frame = pd.DataFrame({"a": [True, None, 1, 1.5, "x"], "b": [1, 2, 3, 4, 5]})
    assert table_text(frame) == by_pandas(frame)


def test_a_table_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_ROWS", 2)
    parts = list(table_parts(pd.DataFrame({"a": [1, 2, 3]})))
    assert parts == ["a\n", "1\n2\n", "3\n"]


def test_text_is_neutral_for_spreadsheets_and_numbers_stay_numbers() -> None:
    frame = pd.DataFrame(
        {"=name": ["=1+1", "a\tb", '@"x"'], "kind": ["-x", "-x", "y"], "number": [-1.5, 2.0, -3.0]}
    )
    frame["kind"] = frame["kind"].astype("category")
    frame["count"] = [-1, 2, 3]
    text = table_text(frame)
    assert text.splitlines() == [
        "'=name\tkind\tnumber\tcount",
        "'=1+1\t'-x\t-1.5\t-1",
        "a b\t'-x\t2\t2",
        '"\'@""x"""\ty\t-3\t3',
    ]
    back = read_own_table(io.StringIO(text))
    assert back["=name"].tolist() == ["=1+1", "a b", '@"x"']
    assert back["kind"].tolist() == ["-x", "-x", "y"]
    assert back["number"].tolist() == [-1.5, 2.0, -3.0]
