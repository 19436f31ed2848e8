import pytest

from bids_app.dataset.filters import Filters, read_filter_file
from bids_app.dataset.naming import FileName
from bids_app.errors import AppError, ExitCode
from tests.bids_app.mids_tree import make_tree


def name(suffix="WATER", datatype="mr-quant", **entities) -> FileName:
    return FileName(entities, suffix, datatype, ".nii.gz")


def filters(tmp_path, content) -> Filters:
    return read_filter_file(make_tree(tmp_path, {"filter.json": content}) / "filter.json")


def refusal(tmp_path, content) -> AppError:
    with pytest.raises(AppError) as caught:
        filters(tmp_path, content)
    assert str(tmp_path / "filter.json") in caught.value.message
    return caught.value


class TestMeaning:
    def test_value_absent_and_any(self, tmp_path):
        wanted = filters(
            tmp_path, {"water": {"acquisition": "dixon", "run": None, "suffix": "*", "chunk": "*"}}
        )
        assert wanted.accepts("water", name(acquisition="dixon"))
        assert wanted.accepts("water", name(acquisition="dixon", chunk="3"))
        assert not wanted.accepts("water", name(acquisition="dixon", run="1"))
        assert not wanted.accepts("water", name(acquisition="Dixon"))
        assert not wanted.accepts("water", name())

    def test_kinds_without_filter_are_all_wanted(self, tmp_path):
        wanted = filters(tmp_path, {"water": {"acquisition": "dixon"}})
        assert wanted.accepts("fat", name("FAT", acquisition="other"))

    def test_list_takes_any_of_its_values(self, tmp_path):
        wanted = filters(tmp_path, {"water": {"run": [1, "3"]}})
        assert [run for run in "1234" if wanted.accepts("water", name(run=run))] == ["1", "3"]

    def test_numbers_compare_by_value(self, tmp_path):
        wanted = filters(tmp_path, {"water": {"run": 1}})
        assert wanted.accepts("water", name(run="01"))
        assert not wanted.accepts("water", name(run="10"))

    def test_short_entity_names_and_other_parts_of_the_name(self, tmp_path):
        wanted = filters(
            tmp_path,
            {"ff": {"acq": "a", "ses": "1", "datatype": "mr-quant", "extension": ".nii.gz"}},
        )
        assert wanted.accepts("ff", name("FF", acquisition="a", session="1"))
        assert not wanted.accepts("ff", name("FF", "anat", acquisition="a", session="1"))

    def test_suffix_in_any_case(self, tmp_path):
        wanted = filters(tmp_path, {"water": {"suffix": "water"}})
        assert wanted.accepts("water", name("WATER"))
        assert not wanted.accepts("water", name("W"))

    def test_suffix_of_another_kind_renames(self, tmp_path):
        wanted = filters(
            tmp_path,
            {
                "water": {"suffix": "T1w", "acquisition": "water"},
                "fat": {"suffix": ["T1w", "T2w"], "acquisition": "fat"},
            },
        )
        assert wanted.renamed_kind(name("T1w", acquisition="water")) == "water"
        assert wanted.renamed_kind(name("T2w", acquisition="fat")) == "fat"
        assert wanted.renamed_kind(name("T1w", acquisition="other")) is None
        assert wanted.fixed_entities("water") == {"suffix", "acquisition"}

    def test_own_suffix_or_any_suffix_renames_nothing(self, tmp_path):
        wanted = filters(tmp_path, {"water": {"suffix": "WATER"}, "fat": {"suffix": "*"}})
        assert wanted.renamed_kind(name("WATER")) is None
        assert wanted.renamed_kind(name("T1w")) is None


class TestMistakes:
    @pytest.mark.parametrize(
        ("content", "problem", "hint"),
        [
            ([], "must hold an object", '{"water": {"acquisition": "dixon"}}'),
            ({"water": "dixon"}, "'water' must hold an object", '{"acquisition": "dixon"}'),
            ({"watter": {}}, "unknown kind of scan 'watter'", "Did you mean 'water'?"),
            ({"bold": {}}, "unknown kind of scan 'bold'", "Known: mese, megre, water, fat"),
            ({"fat": {"aquisition": "x"}}, "unknown entity 'aquisition'", "'acquisition'?"),
            ({"fat": {"subject": "01"}}, "cannot choose participants", "--participant-label"),
            ({"fat": {"run": True}}, "fat: run must be text, a number, a list", "docs/input.md"),
            ({"fat": {"run": 1.5}}, "fat: run must be text, a number, a list", "docs/input.md"),
            ({"fat": {"run": []}}, "fat: run must be text, a number, a list", "docs/input.md"),
            ({"fat": {"run": {"a": 1}}}, "fat: run must be text", "docs/input.md"),
        ],
    )
    def test_content(self, tmp_path, content, problem, hint):
        error = refusal(tmp_path, content)
        assert error.exit_code == ExitCode.USAGE
        assert problem in error.message
        assert hint in error.hint

    def test_syntax(self, tmp_path):
        error = refusal(tmp_path, "{'water': {}}")
        assert error.exit_code == ExitCode.BAD_DATA
        assert "line 1, column 2" in error.message

    def test_absent(self, tmp_path):
        with pytest.raises(AppError, match=r"filter\.json does not exist") as caught:
            read_filter_file(tmp_path / "filter.json")
        assert caught.value.exit_code == ExitCode.INPUT_MISSING
