from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_app.errors import AppError, ExitCode
from bids_app.files.sidecars import (
    Metadata,
    echo_times_ms,
    merge_echoes,
    read_json_file,
    read_metadata,
)
from tests.bids_app.mids_tree import make_tree


def refusal(tmp_path, content, read=read_json_file) -> AppError:
    path = make_tree(tmp_path, {"a.json": content}) / "a.json"
    with pytest.raises(AppError) as caught:
        read(path)
    assert str(path) in caught.value.message
    assert caught.value.exit_code == ExitCode.BAD_DATA
    assert caught.value.hint
    return caught.value


class TestReadJson:
    def test_syntax_error_names_line_and_column(self, tmp_path):
        error = refusal(tmp_path, '{\n  "Name": "x"\n  "MIDSVersion": "1.0"\n}\n')
        assert "line 3, column 3: Expecting ',' delimiter" in error.message
        assert "text editor" in error.hint

    def test_empty_file(self, tmp_path):
        assert "line 1, column 1: Expecting value" in refusal(tmp_path, "").message

    def test_not_utf8(self, tmp_path):
        assert "is not UTF-8 text" in refusal(tmp_path, b'{"a": "\xfc"}').message

    def test_nested_too_deep(self, tmp_path):
        assert "is nested too deep" in refusal(tmp_path, "[" * 100_000).message

    def test_byte_order_mark(self, tmp_path):
        path = make_tree(tmp_path, {"a.json": b'\xef\xbb\xbf{"a": 1}'}) / "a.json"
        assert read_json_file(path) == {"a": 1}

    def test_nan_and_infinity_are_unknown(self, tmp_path):
        path = (
            make_tree(tmp_path, {"a.json": '{"a": NaN, "b": [1, -Infinity, Infinity]}'}) / "a.json"
        )
        assert read_json_file(path) == {"a": None, "b": [1, None, None]}


class TestReadMetadata:
    def test_nearest_file_wins(self, tmp_path):
        root = make_tree(tmp_path, {"far.json": {"a": 1, "b": 1}, "sub-1/near.json": {"b": 2}})
        files = (root / "far.json", root / "sub-1/near.json")
        metadata = read_metadata(files, Path("x.nii.gz"))
        assert metadata.fields == {"a": 1, "b": 2}
        assert metadata.sources == files
        assert metadata.flags == ()

    def test_several_files_of_one_folder_are_flagged(self, tmp_path):
        root = make_tree(tmp_path, {"a.json": {"a": 1, "b": 1}, "b.json": {"b": 2}})
        metadata = read_metadata([root / "a.json", root / "b.json"], Path("x.nii.gz"))
        assert metadata.fields == {"a": 1, "b": 2}
        (flag,) = metadata.flags
        assert "a.json, b.json" in flag

    def test_missing_sidecar_is_flagged(self):
        metadata = read_metadata([], Path("sub-1/x.nii.gz"))
        assert metadata.fields == {}
        assert metadata.flags == ("x.nii.gz has no sidecar JSON.",)

    def test_list_of_dicom_tags_is_flagged_and_not_read(self, tmp_path):
        tags = [{"00100010": {"vr": "PN", "Value": ["Doe^John"]}}]
        root = make_tree(tmp_path, {"a.json": tags})
        metadata = read_metadata([root / "a.json"], Path("a.nii.gz"))
        assert metadata.fields == {}
        assert metadata.flags == (
            "a.json lists DICOM tags instead of named fields; it is not used.",
        )

    def test_not_finite_values_are_flagged_and_inherited_values_stay(self, tmp_path):
        files = {"far.json": {"a": 1}, "sub-1/near.json": '{"a": NaN, "b": NaN}'}
        root = make_tree(tmp_path, files)
        metadata = read_metadata([root / name for name in files], Path("x.nii.gz"))
        assert metadata.fields == {"a": 1}
        assert metadata.flags == ("near.json holds 2 NaN or Infinity, read as unknown.",)

    @pytest.mark.parametrize("content", ['"text"', "3", "true"])
    def test_neither_object_nor_list(self, tmp_path, content):
        error = refusal(tmp_path, content, lambda path: read_metadata([path], Path("a.nii.gz")))
        assert f"holds no JSON object but {content}." in error.message

    def test_echo_files_are_joined(self):
        echoes = [
            Metadata({"EchoTime": 1.2, "Manufacturer": "GE"}, (Path("m"), Path("a")), ("f",)),
            Metadata({"EchoTime": 2.4, "Manufacturer": "GE"}, (Path("m"), Path("b")), ("f", "g")),
            Metadata({}, (), ()),
        ]
        merged = merge_echoes(echoes)
        assert merged.fields == {"EchoTime": [1.2, 2.4, None], "Manufacturer": "GE"}
        assert merged.sources == (Path("m"), Path("a"), Path("b"))
        assert merged.flags == ("f", "g")

    def test_one_file_is_left_as_it_is(self):
        only = Metadata({"EchoTime": [1.2, 2.4]})
        assert merge_echoes([only]) is only


class TestEchoTimes:
    @pytest.mark.parametrize(
        ("stored", "expected", "unit"),
        [
            ([3.45, 4.6, 5.75], (3.45, 4.6, 5.75), "ms"),
            ([0.00345, 0.0046, 0.00575], (3.45, 4.6, 5.75), "s"),
            (11, (11.0,), "ms"),
            (0.011, (11.0,), "s"),
            ([0.187, 0.011], (187.0, 11.0), "s"),
            ([0.05, 2.3], (0.05, 2.3), "ms"),
            ([11.0 * n for n in range(1, 18)], tuple(11.0 * n for n in range(1, 18)), "ms"),
        ],
    )
    def test_unit_is_recognized(self, stored, expected, unit):
        times = echo_times_ms({"EchoTime": stored}, "scan")
        assert times.milliseconds == pytest.approx(expected, rel=1e-12)
        assert times.stored_unit == unit

    @given(st.lists(st.integers(600, 400_000), min_size=1, max_size=20, unique=True))
    @settings(max_examples=50, deadline=None)
    def test_milliseconds_and_seconds_mean_the_same(self, microseconds):
        times = [t / 1000 for t in microseconds]
        in_ms = echo_times_ms({"EchoTime": times}, "scan")
        in_s = echo_times_ms({"EchoTime": [t / 1000 for t in times]}, "scan")
        assert (in_ms.stored_unit, in_s.stored_unit) == ("ms", "s")
        assert in_s.milliseconds == pytest.approx(in_ms.milliseconds)

    @pytest.mark.parametrize(
        ("fields", "problem"),
        [
            ({}, "is missing"),
            ({"EchoTime": None}, "is missing"),
            ({"EchoTime": []}, "is not a list of numbers: []"),
            ({"EchoTime": "3.45"}, "is not a list of numbers: '3.45'"),
            ({"EchoTime": [1.2, None]}, "is not a list of numbers: [1.2, None]"),
            ({"EchoTime": [True, 2.0]}, "is not a list of numbers: [True, 2.0]"),
            ({"EchoTime": [float("inf")]}, "is not a list of numbers: [inf]"),
            ({"EchoTime": [3450, 4600]}, "is plausible neither in milliseconds nor in seconds"),
            ({"EchoTime": [0.00345, 4.6]}, "is plausible neither in milliseconds nor in seconds"),
            ({"EchoTime": [-1.0, 4.6]}, "is plausible neither in milliseconds nor in seconds"),
            ({"EchoTime": 0}, "is plausible neither in milliseconds nor in seconds"),
            ({"EchoTime": [2.3, 2.3]}, "repeats a value: [2.3, 2.3]"),
        ],
    )
    def test_implausible(self, fields, problem):
        with pytest.raises(AppError) as caught:
            echo_times_ms(fields, "sub-1_MEGRE.nii.gz")
        assert f"EchoTime of sub-1_MEGRE.nii.gz {problem}" in caught.value.message
        assert caught.value.exit_code == ExitCode.BAD_DATA
        assert "one value per echo, in milliseconds (MIDS) or seconds (BIDS)" in caught.value.hint


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400, "NaN"])
def test_numbers_that_no_computer_holds_are_unknown(tmp_path, number):
    path = tmp_path / "sub-01_WATER.json"
    path.write_text(f'{{"EchoTime": {number}, "FlipAngle": 3}}')
    metadata = read_metadata([path], tmp_path / "sub-01_WATER.nii.gz")
    assert metadata.fields == {"FlipAngle": 3}
    assert metadata.flags == (f"{path.name} holds 1 NaN or Infinity, read as unknown.",)


def test_a_number_of_5000_digits_is_an_error(tmp_path):
    path = tmp_path / "sub-01_WATER.json"
    path.write_text(f'{{"EchoTime": {"9" * 5000}}}')
    with pytest.raises(AppError, match="cannot be used: Exceeds the limit") as caught:
        read_json_file(path)
    assert caught.value.exit_code is ExitCode.BAD_DATA


@pytest.mark.parametrize("content", ['{"a": "\\ud800"}', '{"\\udfff": 1}'])
def test_half_of_a_character_is_refused(tmp_path, content):
    assert "holds half of a character" in refusal(tmp_path, content).message
