import pytest

from bids_app.dataset.label_maps import (
    LabelMap,
    find_label_map,
    read_lookup,
    unused_label_maps,
)
from bids_app.dataset.scans import ScanFile, Session, Stack, group_stacks
from bids_app.errors import AppError, ExitCode
from pipelines.anatomy.label_maps import read_label_map
from pipelines.anatomy.vocabulary import Label
from tests.bids_app.mids_tree import make_tree

TABLE = "index\tname\n1\tsartorius\n"


def session(session_label=None) -> Session:
    return Session("01", session_label, (), {})


def stack(tmp_path, **entities) -> Stack:
    (made,) = group_stacks([ScanFile(tmp_path / "x.nii", "ff", "mag", "", entities, ())])
    return made


def found(tmp_path, *paths, name="manual", in_session=None, **entities) -> str | None:
    """Return which of some label maps is taken for a stack, relative to the derivative."""
    root = make_tree(tmp_path / "deriv", {"dseg.tsv": TABLE, **dict.fromkeys(paths, "")})
    result = find_label_map({name: root}, session(in_session), stack(tmp_path, **entities))
    return None if result is None else str(result.image.relative_to(root))


class TestFind:
    def test_same_participant(self, tmp_path):
        name = "sub-01/mr-quant/sub-01_dseg.nii.gz"
        assert found(tmp_path, name, "sub-02/mr-quant/sub-02_dseg.nii.gz") == name

    @pytest.mark.parametrize("folder", ["mr-quant", "anat", "seg", "mr/anat"])
    @pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
    def test_any_folder(self, tmp_path, folder, ending):
        name = f"sub-01/{folder}/sub-01_seg-manual_dseg{ending}"
        assert found(tmp_path, name) == name

    def test_none(self, tmp_path):
        assert found(tmp_path, "sub-02/anat/sub-02_dseg.nii.gz") is None

    @pytest.mark.parametrize("name", ["sub-01_FF", "sub-01_probseg", "sub-01_label-SOL_dseg"])
    def test_other_images_are_no_label_maps(self, tmp_path, name):
        assert found(tmp_path, f"sub-01/anat/{name}.nii.gz") is None

    def test_name_that_musclemap_gives(self, tmp_path):
        scan = ScanFile(tmp_path / "sub-01_WATER.nii.gz", "water", "mag", "", {}, ())
        (water,) = group_stacks([scan])
        made = "sub-01/mr-quant/sub-01_WATER_dseg.nii.gz"
        other = "sub-01/mr-quant/sub-01_T1w_dseg.nii.gz"
        root = make_tree(tmp_path / "deriv", {"dseg.tsv": TABLE, made: "", other: ""})
        assert find_label_map({"x": root}, session(), water).image == root / made

    def test_images_that_are_not_used_are_named(self, tmp_path):
        odd = "sub-01/mr-quant/sub-01_muscles-by-hand.nii.gz"
        root = make_tree(tmp_path / "deriv", {"dseg.tsv": TABLE, odd: ""})
        of_run = stack(tmp_path, run="2")
        assert find_label_map({"x": root}, session(), of_run) is None
        said = unused_label_maps({"x": root}, session(), of_run)
        assert str(root / odd) in said
        assert "sub-01_run-2_desc-muscles_dseg.nii.gz" in said

    def test_no_images_to_name(self, tmp_path):
        root = make_tree(tmp_path / "deriv", {"sub-02/mr-quant/sub-02_dseg.nii.gz": ""})
        assert unused_label_maps({"x": root}, session(), stack(tmp_path)) == ""

    def test_of_its_own_session_only(self, tmp_path):
        names = [
            "sub-01/ses-1/anat/sub-01_ses-1_dseg.nii.gz",
            "sub-01/ses-2/anat/sub-01_ses-2_dseg.nii.gz",
            "sub-01/anat/sub-01_dseg.nii.gz",
        ]
        assert found(tmp_path, *names, in_session="2") == names[1]
        assert found(tmp_path, in_session="3") is None
        assert found(tmp_path) == names[2]

    def test_session_is_never_lent_to_another(self, tmp_path):
        assert found(tmp_path, "sub-01/anat/sub-01_dseg.nii.gz", in_session="1") is None

    def test_fewer_entities_than_the_scan(self, tmp_path):
        name = "sub-01/anat/sub-01_desc-x_dseg.nii.gz"
        assert found(tmp_path, name, acquisition="thigh") == name

    def test_no_entity_that_differs(self, tmp_path):
        names = ["sub-01/anat/sub-01_acq-leg_dseg.nii.gz", "sub-01/anat/sub-01_space-T_dseg.nii.gz"]
        assert found(tmp_path, *names, acquisition="thigh") is None

    def test_most_entities_in_common(self, tmp_path):
        names = [
            "sub-01/anat/sub-01_desc-muscles_dseg.nii.gz",
            "sub-01/anat/sub-01_acq-thigh_dseg.nii.gz",
            "sub-01/anat/sub-01_acq-thigh_run-2_dseg.nii.gz",
        ]
        assert found(tmp_path, *names, acquisition="thigh", run="1") == names[1]

    def test_ours_if_several_fit(self, tmp_path):
        names = [f"sub-01/anat/sub-01_desc-{d}_dseg.nii.gz" for d in ("bones", "muscles", "zz")]
        assert found(tmp_path, *names) == names[1]

    def test_several_fit(self, tmp_path):
        names = [f"sub-01/anat/sub-01_desc-{d}_dseg.nii.gz" for d in ("a", "b")]
        with pytest.raises(AppError) as caught:
            found(tmp_path, *names)
        assert caught.value.exit_code == ExitCode.BAD_DATA
        assert "sub-01_desc-a_dseg.nii.gz, sub-01_desc-b_dseg.nii.gz" in caught.value.message
        assert "desc-muscles" in caught.value.hint

    def test_first_folder_wins(self, tmp_path):
        name = "sub-01/anat/sub-01_dseg.nii.gz"
        roots = {
            "none": make_tree(tmp_path / "a", {"sub-02/": None}),
            "second": make_tree(tmp_path / "b", {name: "", "dseg.tsv": TABLE}),
            "third": make_tree(tmp_path / "c", {name: "", "dseg.tsv": TABLE}),
        }
        assert find_label_map(roots, session(), stack(tmp_path)) == LabelMap(
            tmp_path / "b" / name, tmp_path / "b" / "dseg.tsv", "second"
        )

    def test_absent_folder(self, tmp_path):
        with pytest.raises(AppError, match=r"manual=.*nowhere does not exist") as caught:
            find_label_map({"manual": tmp_path / "nowhere"}, session(), stack(tmp_path))
        assert caught.value.exit_code == ExitCode.INPUT_MISSING


class TestLookup:
    IMAGE = "sub-01/anat/sub-01_desc-muscles_dseg.nii.gz"

    def lookup(self, tmp_path, name="manual", **tables):
        content = {self.IMAGE: "", **{path.replace("|", "/"): t for path, t in tables.items()}}
        root = make_tree(tmp_path, content)
        result = find_label_map({name: root}, session(), stack(tmp_path))
        assert result is not None
        return result.lookup

    def test_beside_the_image_before_inherited(self, tmp_path):
        beside = self.IMAGE.replace(".nii.gz", ".tsv")
        tables = {beside: TABLE, "dseg.tsv": TABLE, "sub-01/sub-01_dseg.tsv": TABLE}
        assert self.lookup(tmp_path, **tables) == tmp_path / beside

    def test_one_for_all(self, tmp_path):
        tables = {"desc-muscles_dseg.tsv": TABLE, "desc-bones_dseg.tsv": TABLE}
        assert self.lookup(tmp_path, **tables) == tmp_path / "desc-muscles_dseg.tsv"

    def test_named_label_map(self, tmp_path):
        assert self.lookup(tmp_path, "thigh11") == "thigh11"

    def test_table_before_named_label_map(self, tmp_path):
        assert self.lookup(tmp_path, "thigh11", **{"dseg.tsv": TABLE}) == tmp_path / "dseg.tsv"

    def test_nothing(self, tmp_path):
        with pytest.raises(AppError) as caught:
            self.lookup(tmp_path)
        assert caught.value.exit_code == ExitCode.BAD_DATA
        assert str(tmp_path / self.IMAGE) in caught.value.message
        assert "sub-01_desc-muscles_dseg.tsv" in caught.value.hint
        assert f"={tmp_path}" in caught.value.hint


class TestReadLookup:
    def read(self, tmp_path, text) -> list[Label]:
        return read_lookup(make_tree(tmp_path, {"dseg.tsv": text}) / "dseg.tsv")

    def refusal(self, tmp_path, text) -> AppError:
        with pytest.raises(AppError) as caught:
            self.read(tmp_path, text)
        assert str(tmp_path / "dseg.tsv") in caught.value.message
        assert caught.value.exit_code == ExitCode.BAD_DATA
        return caught.value

    def test_names(self, tmp_path, caplog):
        text = (
            "index\tname\n1\tvastus_lateralis_left\n2\tRight Vastus Lateralis\n"
            "3\tgracilis\n4\tunobtainium\n"
        )
        assert self.read(tmp_path, text) == [
            Label(1, "vastus_lateralis_left", "vastus_lateralis", "left"),
            Label(2, "Right Vastus Lateralis", "vastus_lateralis", "right"),
            Label(3, "gracilis", "gracilis", "both"),
            Label(4, "unobtainium", None, "both"),
        ]
        assert "line 5: 'unobtainium' is not a muscle that is known here" in caplog.text

    def test_our_own_columns(self, tmp_path):
        text = (
            "index\tname\tabbreviation\tcolor\tmuscle\tside\tregion\n"
            "11\tSartorius, left\tSAR\t#ff0000\tsartorius\tleft\tthigh\n"
            "9\tfemur\tFE\t#ffffff\tn/a\tn/a\tthigh\n"
            "12\tx\tSAR\t#ff0000\tsartorius\tn/a\tthigh\n"
        )
        assert self.read(tmp_path, text) == [
            Label(11, "Sartorius, left", "sartorius", "left"),
            Label(9, "femur", None, "both"),
            Label(12, "x", "sartorius", "both"),
        ]

    def test_columns_of_a_label_map(self, tmp_path):
        text = "value\tlabel\tmuscle\tside\n7\tGR\tgracilis\tboth\n"
        assert self.read(tmp_path, text) == [Label(7, "GR", "gracilis", "both")]

    def test_named_label_map(self):
        assert read_lookup("thigh11") == read_label_map("thigh11")

    def test_index_is_no_number(self, tmp_path):
        error = self.refusal(tmp_path, "index\tname\n1\tgracilis\n1.5\tsartorius\n")
        assert "line 3: index '1.5' is no whole number" in error.message

    def test_value_named_twice(self, tmp_path):
        error = self.refusal(tmp_path, "index\tname\n1\tgracilis\n1\tsartorius\n")
        assert "names a value twice: [1]" in error.message

    def test_unknown_muscle_or_side(self, tmp_path):
        head = "index\tname\tmuscle\tside\n"
        error = self.refusal(tmp_path, f"{head}1\tx\tgracillis\tleft\n")
        assert "line 2: unknown muscle 'gracillis' or side 'left'" in error.message
        error = self.refusal(tmp_path, f"{head}1\tx\tgracilis\tup\n")
        assert "side 'up'" in error.message

    @pytest.mark.parametrize("text", ["index\tname\n1\tfemur bone thing\n", "index\tname\n"])
    def test_no_muscle(self, tmp_path, text):
        error = self.refusal(tmp_path, text)
        assert "names no muscle that is known here" in error.message
        assert "--list muscles" in error.hint

    def test_malformed_label_map(self, tmp_path):
        error = self.refusal(tmp_path, "a\tb\n1\t2\n")
        assert "line 2: there is no column index and name" in error.message
        assert "is empty" in self.refusal(tmp_path, "").message
