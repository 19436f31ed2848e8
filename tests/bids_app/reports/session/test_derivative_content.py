from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.files.derivatives import StackNames, sidecar
from bids_app.files.result_writer import session_writer
from bids_app.reports.session.content import Failure
from bids_app.reports.session.derivative_content import read_session_content
from bids_app.reports.session.page import render_session
from bids_app.session_id import SessionId
from pipelines.geometry import to_canonical
from tests.bids_app.reports import page_content

SESSION = SessionId("01")
NAMES = StackNames(SESSION)


def write(folder: Path, names: StackNames = NAMES, *, flipped: bool = False) -> None:
    """Write the derivatives of the invented session as the app does."""
    fat_fraction, labels, affine = (
        page_content.fat_fraction(),
        page_content.labels(),
        page_content.AFFINE,
    )
    if flipped:
        # Stored with axes towards posterior, left and superior.
        fat_fraction = fat_fraction.transpose(1, 0, 2)[::-1, ::-1]
        labels = labels.transpose(1, 0, 2)[::-1, ::-1]
        x, y, _ = page_content.SHAPE
        back = np.array([[0, -1, 0, x - 1], [-1, 0, 0, y - 1], [0, 0, 1, 0], [0, 0, 0, 1]])
        affine = affine @ back
    lookup = pd.DataFrame([vars(entry) for entry in page_content.lookup().values()])
    with session_writer(folder, names.session) as writer:
        writer.image(names.fat_fraction, fat_fraction, affine)
        writer.image(names.labels, labels, affine)
        writer.table(names.lookup, lookup)
        writer.table(names.stats, page_content.stats())
        writer.table(names.profile, page_content.profile())
        files = {
            "fat_fraction": names.fat_fraction,
            "labels": names.labels,
            "stats": names.stats,
        }
        for kind, content in page_content.sidecars().items():
            writer.json(sidecar(files[kind]), content)
        writer.commit({})


@pytest.mark.parametrize("flipped", [False, True])
def test_reads_back_what_was_written(tmp_path: Path, flipped: bool) -> None:
    write(tmp_path, flipped=flipped)
    content = read_session_content(tmp_path, SESSION, page_content.run())
    assert (content.participant, content.session) == ("01", None)
    (stack,) = content.stacks
    assert stack.fat_fraction is not None
    assert stack.labels is not None
    np.testing.assert_array_equal(stack.fat_fraction, page_content.fat_fraction())
    np.testing.assert_array_equal(stack.labels, page_content.labels())
    np.testing.assert_allclose(stack.affine, page_content.AFFINE)
    assert stack.lookup == page_content.lookup()
    assert stack.sidecars == page_content.sidecars()
    assert [(file.kind, file.path) for file in stack.files] == [
        ("fat_fraction", "sub-01/mr-quant/sub-01_FF.nii.gz"),
        ("labels", "sub-01/mr-quant/sub-01_desc-muscles_dseg.nii.gz"),
        ("lookup", "sub-01/mr-quant/sub-01_desc-muscles_dseg.tsv"),
        ("stats", "sub-01/mr-quant/sub-01_desc-muscles_stats.tsv"),
        ("profile", "sub-01/mr-quant/sub-01_desc-muscles_profile.tsv"),
    ]


def test_page_from_files_equals_page_from_memory(tmp_path: Path) -> None:
    write(tmp_path, flipped=True)
    content = read_session_content(tmp_path, SESSION, page_content.run())
    in_memory = page_content.stack(files=content.stacks[0].files)
    assert render_session(content) == render_session(page_content.session(stacks=[in_memory]))


def test_stacks_are_found_by_their_map_in_natural_order(tmp_path: Path) -> None:
    session = SessionId("01", "2")
    for entities in ("chunk-10", "chunk-2", "acq-a_chunk-1"):
        write(tmp_path / entities, StackNames(session, entities))
    merged = tmp_path / "merged" / session.folder / "mr-quant"
    merged.mkdir(parents=True)
    for path in tmp_path.glob("*/sub-01/ses-2/mr-quant/*"):
        path.rename(merged / path.name)
    content = read_session_content(tmp_path / "merged", session, page_content.run())
    assert content.session == "2"
    assert [stack.name for stack in content.stacks] == ["acq-a_chunk-1", "chunk-2", "chunk-10"]
    assert all(stack.stats is not None for stack in content.stacks)


def test_other_sessions_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, StackNames(SessionId("01", "1")))
    write(tmp_path, StackNames(SessionId("012")))
    with pytest.raises(AppError, match="holds no fat fraction map of sub-01") as caught:
        read_session_content(tmp_path, SESSION, page_content.run())
    assert caught.value.exit_code == ExitCode.INPUT_MISSING
    assert "without --reports-only" in caught.value.hint


def test_map_alone_is_enough(tmp_path: Path) -> None:
    write(tmp_path)
    for path in (tmp_path / "sub-01" / "mr-quant").iterdir():
        if path.name != "sub-01_FF.nii.gz":
            path.unlink()
    (stack,) = read_session_content(tmp_path, SESSION, page_content.run()).stacks
    assert stack.labels is None
    assert stack.stats is None
    assert stack.profile is None
    assert (stack.lookup, stack.sidecars) == ({}, {})
    assert [file.kind for file in stack.files] == ["fat_fraction"]


def test_failed_session_has_no_stack(tmp_path: Path) -> None:
    failures = [Failure("The scan is truncated.")]
    content = read_session_content(tmp_path, SESSION, page_content.run(), failures)
    assert (content.stacks, content.failures) == ([], failures)


def test_session_without_any_muscle(tmp_path: Path) -> None:
    """Its label image is blank and its table has a heading only."""
    write(tmp_path)
    page_content.stats().iloc[:0].to_csv(tmp_path / NAMES.stats, sep="\t", index=False)
    (stack,) = read_session_content(tmp_path, SESSION, page_content.run()).stacks
    assert stack.labels is None
    assert stack.stats is not None
    assert stack.stats.empty


def test_missing_values_and_flags_keep_their_meaning(tmp_path: Path) -> None:
    write(tmp_path)
    (stack,) = read_session_content(tmp_path, SESSION, page_content.run()).stacks
    assert stack.stats is not None
    assert stack.stats["ff_sd"].isna().tolist() == [False] * 4 + [True]
    assert stack.stats["truncated_proximal"].tolist() == [True, True, False, False, False]
    assert stack.stats["below_noise_floor"].isna().tolist() == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (NAMES.lookup, "index\tname\n1\ty\n", "is not a look-up table of muscles: KeyError"),
        (
            NAMES.lookup,
            "index\tname\tabbreviation\tcolor\tmuscle\tside\nx\ty\tz\tc\tm\tleft\n",
            "is not a look-up table of muscles: ValueError",
        ),
        (NAMES.stats, "", "is not a table: No columns to parse from file"),
        (sidecar(NAMES.stats), "[1, 2]", "holds no JSON object"),
        (NAMES.profile, "a\tb\n1\t2\n1\t2\t3\t4\n", "is not a table: .*Expected 2 fields"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: Path, text: str, message: str) -> None:
    write(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(AppError, match=f"{name.name} {message}") as caught:
        read_session_content(tmp_path, SESSION, page_content.run())
    assert caught.value.exit_code == ExitCode.BAD_DATA
    assert caught.value.hint == "Compute the session again with --overwrite."


def test_labels_on_another_grid_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with session_writer(tmp_path / "other", SESSION) as writer:
        writer.image(NAMES.labels, page_content.labels()[:-1], page_content.AFFINE)
        writer.commit({})
    (tmp_path / "other" / NAMES.labels).replace(tmp_path / NAMES.labels)
    with pytest.raises(AppError, match=r"has another shape .*\(39, 30, 6\) and \(40, 30, 6\)"):
        read_session_content(tmp_path, SESSION, page_content.run())


def test_written_labels_are_stored_flipped_as_the_test_says(tmp_path: Path) -> None:
    """The flipped case above is only a test if the stored axes really differ."""
    import nibabel as nib

    write(tmp_path, flipped=True)
    image = nib.load(tmp_path / NAMES.labels)
    assert nib.aff2axcodes(image.affine) == ("P", "L", "S")
    assert image.shape == (30, 40, 6)
    canonical, _, _ = to_canonical(np.asarray(image.dataobj), image.affine)
    np.testing.assert_array_equal(canonical, page_content.labels())
