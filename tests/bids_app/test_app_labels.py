import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.dataset.labels import enumerate_labels, parse_labels
from bids_app.errors import AppError, ExitCode
from tests.bids_app.mids_tree import make_tree


def test_prefix_order_and_repetition():
    assert parse_labels(["sub-10", "9", "sub-9", "010"], "sub-") == ["9", "010", "10"]


def test_list_file(tmp_path):
    text = "\ufeff# pilot\r\nsub-02\r\n\r\n  01  \r\n#sub-99\r\nsub-02\r\n"
    root = make_tree(tmp_path, {"list.txt": text})
    assert parse_labels([f"@{root / 'list.txt'}", "sub-7"], "sub-") == ["01", "02", "7"]


def test_session_prefix():
    assert parse_labels(["ses-pre", "post"], "ses-") == ["post", "pre"]


@pytest.mark.parametrize("label", ["", "sub-", "0_1", "a b", "sub-sub-1", "*", "../x", "ses-1"])
def test_not_a_label(label):
    with pytest.raises(AppError, match="is not a label") as caught:
        parse_labels([label], "sub-")
    assert caught.value.exit_code == ExitCode.USAGE
    assert repr(label) in caught.value.message
    assert "with or without sub-" in caught.value.hint


def test_wrong_line_is_named(tmp_path):
    path = make_tree(tmp_path, {"list.txt": "01\n\n02,03\n"}) / "list.txt"
    with pytest.raises(AppError, match=rf"'02,03' \({path}, line 3\) is not a label"):
        parse_labels([f"@{path}"], "sub-")


def test_absent_list(tmp_path):
    with pytest.raises(AppError, match="does not exist") as caught:
        parse_labels([f"@{tmp_path / 'list.txt'}"], "sub-")
    assert caught.value.exit_code == ExitCode.INPUT_MISSING


def test_empty_list_does_not_mean_everybody(tmp_path):
    path = make_tree(tmp_path, {"list.txt": "# nobody\n"}) / "list.txt"
    with pytest.raises(AppError, match="holds no label") as caught:
        parse_labels([f"@{path}"], "sub-")
    assert caught.value.exit_code == ExitCode.NOTHING_SELECTED


@given(st.lists(st.from_regex(r"(sub-)?[a-zA-Z0-9+]+", fullmatch=True)))
@settings(max_examples=50, deadline=None)
def test_parsing_twice_changes_nothing(values):
    labels = parse_labels(values, "sub-")
    assert parse_labels(labels, "sub-") == labels
    assert len(set(labels)) == len(labels)
    assert set(labels) == {value.removeprefix("sub-") for value in values}


def test_long_enumerations_end():
    assert enumerate_labels(["1", "2"]) == "1, 2"
    text = enumerate_labels([str(n) for n in range(2000)])
    assert text.startswith("0, 1, 2,")
    assert text.endswith("19 and 1980 more")
