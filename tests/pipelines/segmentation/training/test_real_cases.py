"""Labelled real scans from files."""

import nibabel as nib
import numpy as np
import pytest
import torch

from pipelines.errors import DataError
from pipelines.segmentation.synthesis.canvas import CANVAS_SHAPE, PIXEL_MM
from pipelines.segmentation.training.real_cases import predict_surroundings, read_real_cases

SHAPE, SPACING = (120, 60, 2), (2.5, 2.5, 10.0)
HEADER = "person\twater\tfat\tlabels\tlabel_map\n"


class Always(torch.nn.Module):
    """Sees one class everywhere, and rectus femoris even more surely."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def forward(self, images):
        assert images.shape[2] % 32 == images.shape[3] % 32 == 0
        logits = torch.zeros(1, 15, *images.shape[2:])
        logits[:, self.seen], logits[:, 2] = 1.0, 2.0
        return logits


def save(path, data, affine):
    nib.Nifti1Image(data, affine).to_filename(path)


@pytest.fixture
def folder(tmp_path):
    """Two square legs of 30 x 30 pixels in a stack whose stored axes run left and back.

    Vastus lateralis (value 3) fills the right leg of the first slice.
    """
    data = np.zeros(SHAPE, np.int16)
    data[20:50, 15:45], data[70:100, 15:45] = 80, 80
    labels = np.zeros(SHAPE, np.uint8)
    # Voxels of low index are on the right: the first axis runs left.
    labels[25:45, 20:40, 0] = 3
    labels[75:95, 20:40, 0] = 5
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    save(tmp_path / "water.nii.gz", data, affine)
    save(tmp_path / "fat.nii.gz", data // 4, affine)
    save(tmp_path / "labels.nii.gz", labels, affine)
    write_table(tmp_path)
    return tmp_path


def write_table(folder, label_map="thigh11", **changes):
    row = {"person": "a", "water": "water.nii.gz", "fat": "fat.nii.gz", "labels": "labels.nii.gz"}
    values = {**row, "label_map": label_map, **changes}
    (folder / "cases.tsv").write_text(HEADER + "\t".join(values.values()) + "\n")


def read(folder, seen=14):
    return read_real_cases(folder / "cases.tsv", Always(seen))


def test_slices_are_put_on_the_canvas_right_side_right(folder):
    cases = read(folder)
    assert list(cases) == ["a"]
    first, second = cases["a"]
    assert first.image.shape == (2, *CANVAS_SHAPE)
    assert set(np.unique(first.classes)) == {3, 5, 14}
    area = 400 * SPACING[0] * SPACING[1] / PIXEL_MM**2
    assert (first.classes == 3).sum() == pytest.approx(area, rel=0.1)
    right = np.argwhere(first.classes == 3)[:, 0].mean()
    left = np.argwhere(first.classes == 5)[:, 0].mean()
    assert left < first.midline < right
    assert (left + right) / 2 == pytest.approx(first.midline, abs=2)
    water, fat = first.image
    muscle = first.classes == 3
    fraction = fat[muscle] / (water + fat)[muscle]
    assert fraction.mean() == pytest.approx(0.2, abs=0.01)
    assert set(np.unique(second.classes)) == {14}


def test_two_scans_of_a_person_belong_together(folder):
    table = folder / "cases.tsv"
    table.write_text(table.read_text() + "a\twater.nii.gz\tfat.nii.gz\tlabels.nii.gz\tthigh11\n")
    assert [len(slices) for slices in read(folder).values()] == [4]


def test_label_map_beside_the_table_and_muscles_that_are_not_learned(folder):
    (folder / "map.tsv").write_text(
        "index\tname\n3\tVastus lateralis\n5\tadductor_longus\n9\tfemur\n"
    )
    write_table(folder, "map.tsv")
    assert set(np.unique(read(folder)["a"][0].classes)) == {3, 13, 14}


def test_network_tells_the_surroundings_but_names_no_muscle():
    image = np.zeros((2, 50, 70), np.float32)
    classes = predict_surroundings(Always(12), image)
    assert classes.shape == (50, 70)
    assert (classes == 12).all()


def test_nothing_is_known_as_surroundings_but_four_classes():
    assert (predict_surroundings(Always(7), np.zeros((2, 32, 32), np.float32)) == 0).all()


def test_table_that_is_missing_or_empty(folder):
    with pytest.raises(DataError, match=r"none\.tsv cannot be read"):
        read_real_cases(folder / "none.tsv", Always(14))
    (folder / "cases.tsv").write_text(HEADER)
    with pytest.raises(DataError, match=r"cases\.tsv names no case"):
        read(folder)


def test_row_without_a_file(folder):
    write_table(folder, fat="", water="")
    with pytest.raises(DataError, match=r"cases\.tsv, line 2: no water and no fat"):
        read(folder)


def test_image_that_cannot_be_read(folder):
    (folder / "fat.nii.gz").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"fat\.nii\.gz cannot be read"):
        read(folder)
    write_table(folder, fat="gone.nii.gz")
    with pytest.raises(DataError, match=r"gone\.nii\.gz cannot be read"):
        read(folder)


def test_image_with_four_axes(folder):
    save(folder / "water.nii.gz", np.ones((4, 4, 2, 2), np.float32), np.eye(4))
    with pytest.raises(DataError, match=r"water\.nii\.gz has 4 axes"):
        read(folder)


@pytest.mark.parametrize("shift", [0, 5])
def test_labels_on_another_grid(folder, shift):
    affine = np.diag([-SPACING[0], -SPACING[1], SPACING[2], 1.0])
    affine[2, 3] = shift
    shape = SHAPE if shift else (*SHAPE[:2], 3)
    save(folder / "labels.nii.gz", np.ones(shape, np.uint8), affine)
    with pytest.raises(DataError, match=r"labels\.nii\.gz is not on the grid of .*water"):
        read(folder)


def test_labels_without_a_muscle_that_is_learned(folder):
    (folder / "map.tsv").write_text("index\tname\n3\tadductor_longus\n")
    write_table(folder, "map.tsv")
    with pytest.raises(DataError, match="holds none of the muscles"):
        read(folder)
