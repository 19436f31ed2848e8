import os
import pickle
import subprocess
import sys
from itertools import islice
from pathlib import Path, PurePosixPath

import pytest

from bids_app.dataset.file_names import parse_name
from bids_app.dataset.filters import Filters
from bids_app.dataset.inputs import FatFractionMap, WaterFatPair, select_inputs, session_inputs
from bids_app.dataset.sessions import Dataset, inherited
from bids_app.errors import AppError, ExitCode
from bids_app.session_id import SessionId
from tests.bids_app.mids_tree import make_tree, water_and_fat


def open_tree(root: Path, content) -> Dataset:
    return Dataset(make_tree(root, content))


def images(*paths: str) -> dict[str, None]:
    return {f"{path}.nii.gz": None for path in paths}


def contents(dataset: Dataset, **kwargs) -> dict[str, dict[str, list[str]]]:
    """Return the scans of each stack of each session by name."""
    return {
        session.id.name: {stack.name: sorted(stack.scans) for stack in session.stacks}
        for session in dataset.sessions(**kwargs)
    }


class TestParseName:
    @pytest.mark.parametrize(
        ("path", "entities", "suffix", "datatype"),
        [
            ("sub-01/mr-quant/sub-01_WATER.nii.gz", {"subject": "01"}, "WATER", "mr-quant"),
            (
                "sub-x/ses-01/mr-anat/sub-x_MESE.nii.gz",
                {"subject": "x", "session": "01"},
                "MESE",
                "mr-anat",
            ),
            (
                "sub-1/ses-2/dix/sub-1_ses-2_stk-001_rep-3_megre_dix_fatfr.nii",
                {"subject": "1", "session": "2", "stack": "001", "repetition": "3"},
                "megre_dix_fatfr",
                "dix",
            ),
            (
                "sub-1/ses-1/mr/anat/sub-1_ses-1_bp-thigh_lat-L_acq-1_run-3_vp-ax_F.nii.gz",
                {
                    "subject": "1",
                    "session": "1",
                    "bodypart": "thigh",
                    "laterality": "L",
                    "acquisition": "1",
                    "run": "3",
                    "view": "ax",
                },
                "F",
                "anat",
            ),
            ("sub-1/mr-anat/003_sub-1_MEGRE.nii.gz", {"subject": "1"}, "MEGRE", "mr-anat"),
            ("sub-1/mr-anat/sub-1_t1w-fs.nii.gz", {"subject": "1"}, "t1w-fs", "mr-anat"),
            (
                "sub-1/mr-anat/sub-1_part-phase_MEGRE.nii.gz",
                {"subject": "1", "part": "phase"},
                "MEGRE",
                "mr-anat",
            ),
            ("MEGRE.json", {}, "MEGRE", None),
            (
                "sub-1/mr-anat/sub-1_MEGRE_patient.json",
                {"subject": "1"},
                "MEGRE_patient",
                "mr-anat",
            ),
        ],
    )
    def test_parts(self, path, entities, suffix, datatype):
        name = parse_name(PurePosixPath(path))
        assert name.entities == entities
        assert name.suffix == suffix
        assert name.datatype == datatype
        assert path.endswith(name.extension)
        assert name.extension.count(".") == (2 if path.endswith(".gz") else 1)


class TestNamings:
    """One tree per naming that converters and reconstruction software write."""

    @pytest.mark.parametrize(
        ("water", "fat"),
        [
            ("WATER", "FAT"),
            ("water", "fat"),
            ("W", "F"),
            ("wat", "fat"),
            ("megre_dix_wat", "dix_fat"),
        ],
    )
    @pytest.mark.parametrize("folder", ["mr-quant", "mr-anat", "anat", "dix", "mr/anat", "quant"])
    def test_water_and_fat(self, tmp_path, water, fat, folder):
        prefix = f"sub-01/{folder}/sub-01"
        dataset = open_tree(tmp_path, images(f"{prefix}_{water}", f"{prefix}_{fat}"))
        (session,) = dataset.sessions()
        (stack,) = session.stacks
        inputs = select_inputs(stack)
        assert isinstance(inputs, WaterFatPair)
        assert inputs.water.path == tmp_path / f"{prefix}_{water}.nii.gz"
        assert inputs.fat.path == tmp_path / f"{prefix}_{fat}.nii.gz"

    def test_ormir_mids_converter(self, tmp_path):
        prefix = "sub-01/mr-anat/sub-01"
        dataset = open_tree(
            tmp_path,
            {
                **images(f"{prefix}_MEGRE", f"{prefix}_part-phase_MEGRE"),
                **images("sub-01/mr-quant/sub-01_MEGRE_RECO", "sub-01/mr-quant/sub-01_FF"),
                f"{prefix}_MEGRE.json": {"EchoTime": [3.45, 4.6]},
                f"{prefix}_part-phase_MEGRE.json": {"EchoTime": [3.45, 4.6], "Unit": "rad"},
            },
        )
        (session,) = dataset.sessions()
        (stack,) = session.stacks
        assert sorted(stack.scans) == ["ff", "megre", "megre_phase"]
        assert isinstance(select_inputs(stack), FatFractionMap)
        assert stack.scans["megre"].metadata.fields == {"EchoTime": [3.45, 4.6]}
        assert stack.scans["megre_phase"].metadata.fields["Unit"] == "rad"
        (reason,) = session.left_out.values()
        assert reason.startswith("vendor maps joined along the slices")

    def test_muscle_bids_lower_case(self, tmp_path):
        prefix = "sub-01/mr-anat/sub-01_megre"
        dataset = open_tree(
            tmp_path, images(prefix, f"{prefix}_ph", f"{prefix}_real", f"{prefix}_imag")
        )
        scans = ["megre", "megre_imag", "megre_phase", "megre_real"]
        assert contents(dataset) == {"sub-01": {"": scans}}

    def test_qmritools(self, tmp_path):
        names = [
            f"sub-1/ses-1/dix/sub-1_ses-1_stk-00{n}_megre_dix_{map_}"
            for n in (1, 2)
            for map_ in ("wat", "fat", "inph", "outph", "fatfr", "watfr", "b0")
        ]
        fit = [f"sub-1/ses-1/quant/sub-1_ses-1_stk-001_mese_t2_{m}" for m in ("wat", "fat", "t2")]
        segmentation = ["sub-1/ses-1/seg/sub-1_ses-1_stk-001_seg_auto_megre_dix_outph"]
        dataset = open_tree(tmp_path, images(*names, *fit, *segmentation))
        scans = ["fat", "ff", "in_phase", "opposed_phase", "water", "water_fraction"]
        assert contents(dataset) == {"sub-1_ses-1": {"stk-001": scans, "stk-002": scans}}

    def test_bimcv(self, tmp_path):
        prefix = "sub-S1/ses-E1/mr/anat/sub-S1_ses-E1_bp-thigh"
        dataset = open_tree(
            tmp_path,
            images(*[f"{prefix}_lat-{side}_chunk-1_vp-ax_{s}" for side in "LR" for s in "WF"]),
        )
        assert contents(dataset) == {
            "sub-S1_ses-E1": {
                f"bp-thigh_lat-{side}_vp-ax_chunk-1": ["fat", "water"] for side in "LR"
            }
        }

    def test_bids_with_one_file_per_echo(self, tmp_path):
        prefix = "sub-01/anat/sub-01_acq-dixon"
        content = {"MEGRE.json": {"MagneticFieldStrength": 3}}
        for n in range(1, 4):
            content |= {
                f"{prefix}_echo-{n}_MEGRE.nii.gz": None,
                f"{prefix}_echo-{n}_part-phase_MEGRE.nii.gz": None,
                f"{prefix}_echo-{n}_MEGRE.json": {"EchoTime": n / 1000},
            }
        (session,) = open_tree(tmp_path, content).sessions()
        (stack,) = session.stacks
        assert stack.name == "acq-dixon"
        for key in ("megre", "megre_phase"):
            scan = stack.scans[key]
            assert [path.name.split("_")[2] for path in scan.paths] == [
                "echo-1",
                "echo-2",
                "echo-3",
            ]
            assert scan.metadata.fields == {
                "EchoTime": [0.001, 0.002, 0.003],
                "MagneticFieldStrength": 3,
            }

    def test_session_in_the_folder_only(self, tmp_path):
        dataset = open_tree(tmp_path, images("sub-x/ses-01/mr-quant/sub-x_FF"))
        assert contents(dataset) == {"sub-x_ses-01": {"": ["ff"]}}

    def test_series_number_before_the_name(self, tmp_path):
        dataset = open_tree(
            tmp_path, images("sub-x/mr-anat/003_sub-x_WATER", "sub-x/mr-anat/004_sub-x_FAT")
        )
        assert contents(dataset) == {"sub-x": {"": ["fat", "water"]}}

    def test_several_acquisitions_chunks_and_runs(self, tmp_path):
        prefix = "sub-1/mr-quant/sub-1"
        dataset = open_tree(
            tmp_path,
            {
                **water_and_fat(f"{prefix}_acq-thigh_chunk-1"),
                **water_and_fat(f"{prefix}_acq-thigh_chunk-2"),
                **water_and_fat(f"{prefix}_acq-leg_run-1"),
                **images(f"{prefix}_acq-leg_run-2_FF"),
            },
        )
        pair = ["fat", "water"]
        assert contents(dataset) == {
            "sub-1": {
                "acq-leg_run-1": pair,
                "acq-leg_run-2": ["ff"],
                "acq-thigh_chunk-1": pair,
                "acq-thigh_chunk-2": pair,
            }
        }

    def test_folders_above_the_dataset_say_nothing(self, tmp_path):
        root = tmp_path / "sub-study" / "ses-2019" / "acq-x" / "mr-quant"
        dataset = open_tree(root, images("sub-01/mr-quant/sub-01_FF"))
        (session,) = dataset.sessions()
        assert (session.participant, session.session) == ("01", None)
        assert session.stacks[0].entities == {}

    def test_real_datasets(self, shared_data):
        dataset = Dataset(shared_data / "ideal-thigh")
        pair = {"": ["fat", "water"]}
        assert contents(dataset) == {"sub-001": pair, "sub-003": pair}
        dataset = Dataset(shared_data / "three-echo")
        found = contents(dataset)
        assert found["sub-siemensthigh"] == {"": ["megre", "megre_phase"]}
        assert found["sub-gethigh"] == {"": ["megre"]}
        (session,) = dataset.sessions(["gethigh"])
        assert session.stacks[0].scans["megre"].metadata.fields["EchoTime"] == [3.45, 4.6, 5.75]


class TestSelection:
    @pytest.fixture
    def dataset(self, tmp_path):
        return open_tree(
            tmp_path,
            {
                **images("sub-10/mr-quant/sub-10_FF"),
                **images("sub-9/ses-2/mr-quant/sub-9_ses-2_FF"),
                **images("sub-9/ses-10/mr-quant/sub-9_ses-10_FF"),
                **images("sub-a/mr-quant/sub-a_FF", "sub-a/ses-2/mr-quant/sub-a_ses-2_FF"),
                "sub-10.html": "",
                "derivatives/sub-99/mr-quant/sub-99_FF.nii.gz": None,
                "sourcedata/sub-98/mr-quant/sub-98_FF.nii.gz": None,
            },
        )

    def names(self, dataset, *args) -> list[str]:
        return [session.name for session in dataset.select(*args)]

    def test_participants(self, dataset):
        assert dataset.participants() == ["9", "10", "a"]

    def test_all(self, dataset):
        assert self.names(dataset) == [
            "sub-9_ses-2",
            "sub-9_ses-10",
            "sub-10",
            "sub-a",
            "sub-a_ses-2",
        ]

    def test_labels(self, dataset):
        assert self.names(dataset, ["a"]) == ["sub-a", "sub-a_ses-2"]
        assert self.names(dataset, [], ["2"]) == ["sub-9_ses-2", "sub-a_ses-2"]
        assert self.names(dataset, ["9"], ["10"]) == ["sub-9_ses-10"]

    def test_scans_outside_sessions_are_not_mixed_with_those_inside(self, dataset):
        sessions = list(dataset.sessions(["a"]))
        paths = [session.stacks[0].scans["ff"].path.name for session in sessions]
        assert paths == ["sub-a_FF.nii.gz", "sub-a_ses-2_FF.nii.gz"]

    def test_unknown_participants(self, dataset):
        with pytest.raises(AppError) as caught:
            dataset.select(["9", "7", "b"])
        assert caught.value.exit_code == ExitCode.NOTHING_SELECTED
        assert caught.value.message == f"{dataset.root} has no participant(s) 7, b."
        assert caught.value.hint == "Participants there are: 9, 10, a."

    def test_unknown_participants_are_refused_before_the_first_session(self, dataset):
        with pytest.raises(AppError, match="no participant"):
            dataset.sessions(["7"])

    def test_unknown_sessions(self, dataset):
        with pytest.raises(AppError) as caught:
            dataset.select(["9"], ["2", "3"])
        assert caught.value.exit_code == ExitCode.NOTHING_SELECTED
        assert caught.value.message == "No selected participant has the session(s) 3."
        assert caught.value.hint == "Sessions there are: 2, 10."

    def test_session_asked_for_where_there_are_none(self, dataset):
        with pytest.raises(AppError, match="No selected participant") as caught:
            dataset.select(["10"], ["1"])
        assert "have no ses-* folders; leave out --session-label" in caught.value.hint

    def test_long_lists_end(self, tmp_path):
        dataset = open_tree(tmp_path, {f"sub-{n:03d}/": None for n in range(50)})
        with pytest.raises(AppError) as caught:
            dataset.select(["x"])
        assert caught.value.hint.endswith("018, 019 and 30 more.")

    def test_misnamed_folders_are_no_participants(self, tmp_path):
        dataset = open_tree(tmp_path, {"sub-1/": None, "sub-Doe_John/": None})
        assert dataset.participants() == ["1"]
        assert dataset.misnamed == ("sub-Doe_John",)

    def test_only_misnamed_folders(self, tmp_path):
        with pytest.raises(AppError, match="has a usable name: sub-Doe_John") as caught:
            open_tree(tmp_path, {"sub-Doe_John/": None})
        assert caught.value.exit_code == ExitCode.INVALID_DATASET
        assert "rename folders" in caught.value.hint

    def test_misnamed_session_is_left_out_aloud(self, tmp_path, caplog):
        dataset = open_tree(tmp_path, images("sub-1/ses-pre_op/mr-quant/sub-1_FF"))
        assert dataset.select() == [SessionId("1")]
        assert contents(dataset) == {"sub-1": {}}
        assert "ses-pre_op is left out: a session label holds letters" in caplog.text

    def test_single_participant_without_the_rest(self, tmp_path):
        dataset = open_tree(tmp_path, images("sub-01/mr-quant/sub-01_FF"))
        assert contents(dataset) == {"sub-01": {"": ["ff"]}}


class TestCost:
    @pytest.fixture
    def opened(self, monkeypatch):
        """Paths of all folders listed and files read."""
        seen: list[str] = []
        scandir, open_file = os.scandir, os.open

        def record_folder(path):
            seen.append(str(path))
            return scandir(path)

        def record_file(path, *options):
            seen.append(str(path))
            return open_file(path, *options)

        monkeypatch.setattr("os.scandir", record_folder)
        monkeypatch.setattr("os.open", record_file)
        return seen

    def test_one_of_many_does_not_touch_the_others(self, tmp_path, opened):
        make_tree(tmp_path, {f"sub-{n:04d}/": None for n in range(2000) if n != 1234})
        make_tree(tmp_path, images("sub-1234/mr-quant/sub-1234_W", "sub-1234/mr-quant/sub-1234_F"))
        (session,) = Dataset(tmp_path).sessions(["1234"])
        assert isinstance(select_inputs(session.stacks[0]), WaterFatPair)
        below = {path.removeprefix(str(tmp_path)) for path in opened}
        assert below == {"", "/sub-1234", "/sub-1234/mr-quant"}

    def test_sessions_stream(self, tmp_path, opened):
        dataset = open_tree(
            tmp_path,
            {k: v for n in range(9) for k, v in images(f"sub-{n}/anat/sub-{n}_FF").items()},
        )
        list(islice(dataset.sessions(), 2))
        assert str(tmp_path / "sub-1/anat") in opened
        assert str(tmp_path / "sub-3/anat") not in opened

    def test_unreadable_folder_spoils_only_its_session(self, tmp_path, monkeypatch):
        dataset = open_tree(tmp_path, images(*[f"sub-{n}/anat/sub-{n}_FF" for n in range(3)]))
        scandir = os.scandir

        def refuse_one(path):
            if str(path).endswith("sub-1/anat"):
                raise PermissionError(13, "Permission denied")
            return scandir(path)

        monkeypatch.setattr("os.scandir", refuse_one)
        sessions = list(dataset.sessions())
        assert [len(session.stacks) for session in sessions] == [1, 0, 1]
        reason = session_inputs(sessions[1]).reason
        assert reason is not None
        assert f"{tmp_path / 'sub-1/anat'} cannot be read: Permission denied" in reason

    def test_sessions_can_be_sent_to_workers(self, tmp_path):
        dataset = open_tree(tmp_path, water_and_fat("sub-1/mr-quant/sub-1_acq-a"))
        (session,) = dataset.sessions()
        assert session.stacks[0].scans["water"].metadata.flags != ()
        assert pickle.loads(pickle.dumps(session)) == session

    def test_files_that_name_the_patient_are_never_opened(self, tmp_path, opened):
        prefix = "sub-1/mr-quant/sub-1"
        secrets = {
            f"{where}_{end}.json": {"PatientName": "Doe"}
            for where in (f"{prefix}_WATER", f"{prefix}_FAT", "WATER")
            for end in ("patient", "extra")
        }
        dataset = open_tree(
            tmp_path, {**water_and_fat(prefix), **secrets, f"{prefix}_WATER.json": {"a": 1}}
        )
        (session,) = dataset.sessions()
        scans = session.stacks[0].scans
        assert scans["water"].metadata.fields == {"a": 1}
        assert scans["fat"].metadata.fields == {}
        assert scans["water"].metadata.sources == (tmp_path / f"{prefix}_WATER.json",)
        assert not [path for path in opened if "patient" in path or "extra" in path]

    def test_pybids_is_loaded_only_when_names_are_read(self, repository):
        code = (
            "import sys; from bids_app.dataset import label_maps, sessions, structure;"
            "sys.exit('bids' in sys.modules or 'pandas' in sys.modules)"
        )
        assert (
            subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode
            == 0
        )


class TestLeftOut:
    def left_out(self, tmp_path, *paths) -> dict[str, str]:
        (session,) = open_tree(tmp_path, images(*paths)).sessions()
        assert session.stacks == ()
        return {path.name: why for path, why in session.left_out.items()}

    def test_unknown_name(self, tmp_path):
        assert self.left_out(tmp_path, "sub-1/mr-quant/sub-1_mystery") == {
            "sub-1_mystery.nii.gz": "its name is not one we know"
        }

    def test_outside_the_folders_for_scans(self, tmp_path):
        found = self.left_out(tmp_path, "sub-1/sub-1_FF", "sub-1/ct/sub-1_WATER")
        why = "it is in no folder for MR scans such as mr-anat or mr-quant"
        assert found == {"sub-1_FF.nii.gz": why, "sub-1_WATER.nii.gz": why}

    def test_hidden_files_and_folders_do_not_exist(self, tmp_path):
        assert self.left_out(tmp_path, "sub-1/mr-quant/._sub-1_FF", "sub-1/.old/sub-1_FF") == {}

    def test_same_scan_compressed_and_not(self, tmp_path):
        dataset = open_tree(
            tmp_path,
            {**water_and_fat("sub-1/mr-quant/sub-1"), "sub-1/mr-quant/sub-1_FAT.nii": None},
        )
        (session,) = dataset.sessions()
        assert session_inputs(session).reason == (
            "Several files claim to be its fat image: sub-1_FAT.nii and sub-1_FAT.nii.gz."
        )


class TestInheritance:
    FILES = {  # noqa: RUF012  (a table for one test)
        PurePosixPath("."): ("MEGRE.json", "acq-a_MEGRE.json", "part-phase_MEGRE.json", "T1w.json"),
        PurePosixPath("sub-1"): ("sub-1_MEGRE.json", "sub-1_acq-b_MEGRE.json"),
        PurePosixPath("sub-1/mr-anat"): (
            "sub-1_acq-a_MEGRE.json",
            "sub-1_acq-a_run-1_MEGRE.json",
            "sub-1_acq-a_run-1_MEGRE_patient.json",
            "sub-1_acq-a_run-2_MEGRE.json",
            "sub-1_acq-a_run-1_MEGRE.tsv",
        ),
    }

    def test_all_of_each_folder_from_the_root_inwards_the_nearest_last(self):
        image = PurePosixPath("sub-1/mr-anat/sub-1_acq-a_run-1_MEGRE.nii.gz")
        assert [str(path) for path in inherited(image, ".json", self.FILES)] == [
            "MEGRE.json",
            "acq-a_MEGRE.json",
            "sub-1/sub-1_MEGRE.json",
            "sub-1/mr-anat/sub-1_acq-a_MEGRE.json",
            "sub-1/mr-anat/sub-1_acq-a_run-1_MEGRE.json",
        ]

    def test_the_sidecar_of_another_image_does_not_describe_this_one(self):
        folder = PurePosixPath("sub-1/mr-anat")
        files = {folder: (*self.FILES[folder], "sub-1_acq-a_MEGRE.nii.gz")}
        image = folder / "sub-1_acq-a_run-1_MEGRE.nii.gz"
        assert [path.name for path in inherited(image, ".json", files)] == [
            "sub-1_acq-a_run-1_MEGRE.json"
        ]

    def test_other_extension(self):
        image = PurePosixPath("sub-1/mr-anat/sub-1_acq-a_run-1_MEGRE.nii.gz")
        assert [p.name for p in inherited(image, ".tsv", self.FILES)] == [
            "sub-1_acq-a_run-1_MEGRE.tsv"
        ]

    def test_case_of_the_suffix_does_not_matter(self):
        image = PurePosixPath("sub-1/mr-anat/sub-1_part-phase_megre.nii.gz")
        assert [str(path) for path in inherited(image, ".json", self.FILES)] == [
            "MEGRE.json",
            "part-phase_MEGRE.json",
            "sub-1/sub-1_MEGRE.json",
        ]

    def test_root_sidecar_reaches_the_scan(self, tmp_path):
        dataset = open_tree(
            tmp_path,
            {
                **water_and_fat("sub-1/ses-1/mr-quant/sub-1_ses-1"),
                "WATER.json": {"a": "root", "b": "root"},
                "sub-1/ses-1/mr-quant/sub-1_ses-1_WATER.json": {"b": "near"},
            },
        )
        (session,) = dataset.sessions()
        scans = session.stacks[0].scans
        assert scans["water"].metadata.fields == {"a": "root", "b": "near"}
        assert scans["fat"].metadata.flags == ("sub-1_ses-1_FAT.nii.gz has no sidecar JSON.",)


class TestLinks:
    def test_linked_images_and_folders(self, tmp_path):
        store = make_tree(tmp_path / "store", images("sub-1/mr-quant/sub-1_FF", "x"))
        root = make_tree(
            tmp_path / "data",
            {"sub-1": store / "sub-1", "sub-2/mr-quant/sub-2_FF.nii.gz": store / "x.nii.gz"},
        )
        assert contents(Dataset(root)) == {"sub-1": {"": ["ff"]}, "sub-2": {"": ["ff"]}}

    def test_annex_links_without_content_are_found(self, tmp_path):
        target = Path("../../.git/annex/objects/0/1/MD5E-s9--1.nii.gz")
        dataset = open_tree(tmp_path, {"sub-1/mr-quant/sub-1_FF.nii.gz": target})
        assert contents(dataset) == {"sub-1": {"": ["ff"]}}


class TestFilters:
    def dataset(self, tmp_path) -> Dataset:
        prefix = "sub-1/mr-quant/sub-1"
        return open_tree(
            tmp_path, {**water_and_fat(f"{prefix}_acq-a"), **water_and_fat(f"{prefix}_acq-b")}
        )

    def test_narrowing(self, tmp_path):
        wanted = {"acquisition": ("a",)}
        filters = Filters({"water": wanted, "fat": wanted})
        (session,) = self.dataset(tmp_path).sessions(filters=filters)
        assert [stack.name for stack in session.stacks] == ["acq-a"]
        assert set(session.left_out.values()) == {"the filter file excludes it"}

    def test_nothing_left_is_an_error_at_the_end(self, tmp_path):
        filters = Filters({"water": {"acquisition": None}, "fat": {"acquisition": ("c",)}})
        stream = self.dataset(tmp_path).sessions(filters=filters)
        session = next(stream)
        assert session.id == SessionId("1")
        assert session.stacks == ()
        with pytest.raises(AppError, match="leaves no scan in any selected session") as caught:
            next(stream)
        assert caught.value.exit_code == ExitCode.NOTHING_SELECTED

    def test_filter_that_excludes_nothing_is_not_blamed(self, tmp_path):
        dataset = open_tree(tmp_path, {"sub-1/mr-quant/": None})
        assert len(list(dataset.sessions(filters=Filters({"water": {}})))) == 1

    def test_dixon_images_told_apart_by_part(self, tmp_path):
        dataset = open_tree(
            tmp_path, images(*[f"sub-1/anat/sub-1_part-{p}_VIBE" for p in ("water", "fat")])
        )
        filters = Filters(
            {kind: {"suffix": ("VIBE",), "part": (kind,)} for kind in ("water", "fat")}
        )
        assert contents(dataset, filters=filters) == {"sub-1": {"": ["fat", "water"]}}

    def test_dixon_images_under_another_suffix(self, tmp_path):
        prefix = "sub-1/anat/sub-1"
        dataset = open_tree(
            tmp_path,
            images(*[f"{prefix}_acq-{a}_run-{r}_T1w" for a in ("w", "f", "tse") for r in (1, 2)]),
        )
        filters = Filters(
            {
                "water": {"suffix": ("T1w",), "acquisition": ("w",)},
                "fat": {"suffix": ("T1w",), "acquisition": ("f",)},
            }
        )
        assert contents(dataset, filters=filters) == {
            "sub-1": {
                "acq-tse_run-1": ["t1w"],
                "acq-tse_run-2": ["t1w"],
                "run-1": ["fat", "water"],
                "run-2": ["fat", "water"],
            }
        }
