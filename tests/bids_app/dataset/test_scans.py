from pathlib import Path

import pytest

from bids_app.dataset.inputs import (
    EchoSeries,
    FatFractionMap,
    Unusable,
    WaterFatPair,
    select_inputs,
    session_inputs,
)
from bids_app.dataset.scans import ScanFile, Session, Stack, group_stacks
from bids_app.errors import AppError
from tests.bids_app.mids_tree import make_tree


def file(kind, path=None, *, part="mag", echo="", sidecars=(), **entities) -> ScanFile:
    image = Path(path or f"{kind}-{part}.nii.gz")
    return ScanFile(image, kind, part, echo, entities, tuple(sidecars))


def one_stack(*files) -> Stack:
    (stack,) = group_stacks(files)
    return stack


def unusable(*files) -> Unusable:
    outcome = select_inputs(one_stack(*files))
    assert isinstance(outcome, Unusable)
    return outcome


class TestGrouping:
    def test_entities_tell_stacks_apart_in_natural_order(self):
        files = [
            file(kind, acquisition="thigh", run=run)
            for run in ("10", "2", "1")
            for kind in ("water", "fat")
        ]
        stacks = group_stacks([*files, file("ff")])
        assert [stack.name for stack in stacks] == [
            "",
            "acq-thigh_run-1",
            "acq-thigh_run-2",
            "acq-thigh_run-10",
        ]
        assert [list(stack.scans) for stack in stacks] == [["ff"], *[["water", "fat"]] * 3]

    def test_name_follows_the_order_of_the_entity_file(self):
        entities = {"run": "2", "stack": "001", "chunk": "1", "acquisition": "a"}
        assert one_stack(file("ff", **entities)).name == "acq-a_chunk-1_stk-001_run-2"

    def test_parts_of_one_scan_are_kept_apart(self):
        stack = one_stack(file("megre"), file("megre", part="phase"), file("megre", part="real"))
        assert list(stack.scans) == ["megre", "megre_phase", "megre_real"]
        assert stack.scans["megre_phase"].part == "phase"
        assert stack.scans["megre_phase"].kind == "megre"

    def test_phase_of_water_is_not_water(self):
        stack = one_stack(file("water"), file("water", part="phase"), file("fat"))
        assert select_inputs(stack) == WaterFatPair(stack.scans["water"], stack.scans["fat"])
        assert stack.scans["water"].part == "mag"

    def test_echo_files_are_one_scan_in_natural_order(self):
        stack = one_stack(*[file("megre", f"e{n}.nii", echo=n) for n in ("10", "1", "2")])
        assert [str(path) for path in stack.scans["megre"].paths] == ["e1.nii", "e2.nii", "e10.nii"]
        assert stack.scans["megre"].path == Path("e1.nii")

    @pytest.mark.parametrize(("kind", "echoes"), [("megre", ("1", "1")), ("megre", ("1", ""))])
    def test_files_of_one_echo_are_duplicates(self, kind, echoes):
        stack = one_stack(*[file(kind, f"{i}.nii", echo=e) for i, e in enumerate(echoes)])
        assert stack.scans == {}
        assert stack.duplicates == {kind: (Path("0.nii"), Path("1.nii"))}

    def test_water_of_several_echoes_is_never_reduced_to_the_first(self):
        stack = one_stack(file("fat"), file("water", "1", echo="1"), file("water", "2", echo="2"))
        assert list(stack.scans) == ["fat"]
        assert stack.duplicates == {"water": (Path("1"), Path("2"))}


class TestSelection:
    def test_pair_before_map(self):
        stack = one_stack(file("ff"), file("fat"), file("water"), file("megre"))
        inputs = select_inputs(stack)
        assert inputs == WaterFatPair(stack.scans["water"], stack.scans["fat"])
        assert inputs.scans == (stack.scans["water"], stack.scans["fat"])

    @pytest.mark.parametrize("other", ["t1w", "megre"])
    def test_map_alone(self, other):
        stack = one_stack(file("ff"), file(other))
        inputs = select_inputs(stack)
        assert inputs == FatFractionMap(stack.scans["ff"], None)
        assert inputs.scans == (stack.scans["ff"],)

    @pytest.mark.parametrize("other", ["water", "fat", "in_phase"])
    def test_map_with_a_magnitude_image(self, other):
        stack = one_stack(file("ff"), file(other))
        inputs = select_inputs(stack)
        assert inputs == FatFractionMap(stack.scans["ff"], stack.scans[other])
        assert inputs.scans == (stack.scans["ff"], stack.scans[other])

    @pytest.mark.parametrize(("there", "lacking"), [("water", "fat"), ("fat", "water")])
    def test_half_a_pair(self, there, lacking):
        outcome = unusable(file(there, "x.nii.gz"))
        assert outcome.reason == f"It has a {there} image (x.nii.gz) but no {lacking} image."
        assert f"Names read as {lacking}, in any case:" in outcome.hint
        assert lacking[0] in outcome.hint

    def test_echoes_with_and_without_phase(self):
        stack = one_stack(file("megre"), file("megre", part="phase"))
        inputs = select_inputs(stack)
        assert inputs == EchoSeries(stack.scans["megre"], stack.scans["megre_phase"])
        assert inputs.scans == (stack.scans["megre"], stack.scans["megre_phase"])
        alone = one_stack(file("megre"))
        assert select_inputs(alone) == EchoSeries(alone.scans["megre"], None)

    def test_real_and_imaginary_echoes(self):
        stack = one_stack(file("megre", part="real"), file("megre", part="imag"))
        inputs = select_inputs(stack)
        assert inputs == EchoSeries(stack.scans["megre_real"], stack.scans["megre_imag"])

    @pytest.mark.parametrize("part", ["phase", "real", "imag"])
    def test_half_of_the_echoes(self, part):
        outcome = unusable(file("megre", "x.nii.gz", part=part))
        assert outcome.reason.startswith("It has x.nii.gz but neither the magnitude")

    def test_in_and_opposed_phase_only(self):
        outcome = unusable(file("in_phase"), file("opposed_phase"))
        assert "do not say which of water and fat is which" in outcome.reason

    def test_no_dixon(self):
        outcome = unusable(file("t1w"), file("mese"))
        assert outcome.reason == "It holds no Dixon images, only: mese, t1w."
        assert "docs/input.md" in outcome.hint

    @pytest.mark.parametrize("kind", ["water", "fat", "ff"])
    def test_duplicates_are_never_chosen_from(self, kind):
        others = {"water", "fat", "ff"} - {kind} if kind != "ff" else set()
        outcome = unusable(file(kind, "a.nii"), file(kind, "b.nii"), *map(file, sorted(others)))
        assert outcome.reason == f"Several files claim to be its {kind} image: a.nii and b.nii."
        assert "acq- or run-" in outcome.hint


class TestUnusableReason:
    def session(self, *files, left_out=None) -> Session:
        return Session("01", "1", group_stacks(files), left_out or {})

    def test_one_usable_stack_is_enough(self):
        assert (
            session_inputs(self.session(file("ff", run="1"), file("water", run="2"))).reason is None
        )

    def test_reasons_of_all_stacks(self):
        files = [file("fat", "f", run="1"), file("mese", run="2")]
        reason = session_inputs(self.session(*files)).reason
        assert reason is not None
        assert "run-1: It has a fat image (f) but no water image." in reason
        assert "run-2: It holds no Dixon images, only: mese." in reason

    def test_single_stack_needs_no_name(self):
        reason = session_inputs(self.session(file("mese"))).reason
        assert reason == "It holds no Dixon images, only: mese."

    def test_empty_folder(self):
        reason = session_inputs(self.session()).reason
        assert reason == (
            "There are no images in its folder; if this is a DataLad dataset, fetch them: "
            "datalad get sub-01/ses-1."
        )

    def test_images_left_out_are_named_with_an_end(self):
        left_out = {Path(f"sub-01/{n}.nii"): "why" for n in range(7)}
        reason = session_inputs(self.session(left_out=left_out)).reason
        assert reason == (
            "None of its images is used: 0.nii (why), 1.nii (why), 2.nii (why), 3.nii (why), "
            "4.nii (why) and 2 more."
        )


class TestMetadata:
    def test_is_read_on_first_use_only(self, tmp_path):
        scan = one_stack(file("ff", sidecars=[tmp_path / "a.json"])).scans["ff"]
        make_tree(tmp_path, {"a.json": {"Units": "%"}})
        assert scan.metadata.fields == {"Units": "%"}
        (tmp_path / "a.json").unlink()
        assert scan.metadata.fields == {"Units": "%"}

    def test_damaged_sidecar_stops_only_who_reads_it(self, tmp_path):
        make_tree(tmp_path, {"a.json": "{"})
        stack = one_stack(file("water", sidecars=[tmp_path / "a.json"]), file("fat"))
        assert isinstance(select_inputs(stack), WaterFatPair)
        with pytest.raises(AppError, match="line 1, column 2"):
            _ = stack.scans["water"].metadata

    def test_echo_times_of_echo_files(self, tmp_path):
        make_tree(tmp_path, {"1.json": {"EchoTime": 0.001}, "2.json": {"EchoTime": 0.002}})
        files = [file("megre", n, echo=n, sidecars=[tmp_path / f"{n}.json"]) for n in ("2", "1")]
        assert one_stack(*files).scans["megre"].metadata.fields == {"EchoTime": [0.001, 0.002]}
