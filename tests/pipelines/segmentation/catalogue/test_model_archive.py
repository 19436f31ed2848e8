"""Exported zips are unpacked safely, completely and once."""

import stat
import zipfile

import pytest

from pipelines.errors import ModelError
from pipelines.segmentation.catalogue import model_archive
from pipelines.segmentation.catalogue.model_archive import unpack_model

TRAINER = "Dataset001_X/nnUNetTrainer__nnUNetPlans__2d"
CONTENT = {
    f"{TRAINER}/plans.json": b"{}",
    f"{TRAINER}/dataset.json": b"{}",
    f"{TRAINER}/fold_0/checkpoint_final.pth": b"weights" * 100,
    f"{TRAINER}/fold_0/progress.png": b"picture",
    f"{TRAINER}/fold_0/debug.json": b"{}",
}


def make_zip(path, content=CONTENT):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def test_needed_files_are_unpacked_and_no_others(tmp_path):
    folder = unpack_model(make_zip(tmp_path / "m.zip"), "0123456789abcdef00", tmp_path / "cache")
    assert folder == tmp_path / "cache" / "model-0123456789abcdef"
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert found == sorted(name for name in CONTENT if not name.endswith(("png", "debug.json")))
    assert (folder / TRAINER / "fold_0/checkpoint_final.pth").read_bytes() == b"weights" * 100
    assert list((tmp_path / "cache").iterdir()) == [folder], "temporary folders stay behind"


def test_second_use_does_not_unpack_again(tmp_path):
    archive = make_zip(tmp_path / "m.zip")
    folder = unpack_model(archive, "a" * 64, tmp_path)
    checkpoint = folder / TRAINER / "fold_0/checkpoint_final.pth"
    before = checkpoint.stat().st_mtime_ns
    assert unpack_model(archive, "a" * 64, tmp_path) == folder
    assert checkpoint.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [b"w", b"WEIGHTS" * 100])
def test_changed_cache_is_replaced(tmp_path, damage):
    archive = make_zip(tmp_path / "m.zip")
    checkpoint = unpack_model(archive, "a" * 64, tmp_path) / TRAINER / "fold_0/checkpoint_final.pth"
    checkpoint.write_bytes(damage)
    unpack_model(archive, "a" * 64, tmp_path)
    assert checkpoint.read_bytes() == b"weights" * 100


@pytest.mark.parametrize("name", ["../plans.json", "/etc/plans.json", "a/../../plans.json"])
def test_paths_out_of_the_folder_are_refused(tmp_path, name):
    archive = make_zip(tmp_path / "m.zip", {**CONTENT, name: b"{}"})
    with pytest.raises(ModelError, match="leads out of its folder"):
        unpack_model(archive, "a" * 64, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_symbolic_links_become_plain_files(tmp_path):
    link = zipfile.ZipInfo(f"{TRAINER}/fold_0/checkpoint_final.pth")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    content = {k: v for k, v in CONTENT.items() if not k.endswith("pth")}
    archive = make_zip(tmp_path / "m.zip", content)
    with zipfile.ZipFile(archive, "a") as stream:
        stream.writestr(link, "/etc/passwd")
    folder = unpack_model(archive, "a" * 64, tmp_path)
    checkpoint = folder / TRAINER / "fold_0/checkpoint_final.pth"
    assert not checkpoint.is_symlink()
    assert checkpoint.read_bytes() == b"/etc/passwd"


def test_too_large_archives_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(model_archive, "MAX_UNPACKED_BYTES", 100)
    with pytest.raises(ModelError, match="unpacks to more than"):
        unpack_model(make_zip(tmp_path / "m.zip"), "a" * 64, tmp_path)


def test_other_files_are_no_zip(tmp_path):
    path = tmp_path / "m.zip"
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(ModelError, match=r"m\.zip is not an intact zip file") as caught:
        unpack_model(path, "a" * 64, tmp_path)
    assert "Download or export the model again" in caught.value.hint


def test_damaged_archives_are_refused(tmp_path):
    path = make_zip(tmp_path / "m.zip", {f"{TRAINER}/plans.json": bytes(range(256)) * 40})
    data = bytearray(path.read_bytes())
    data[80:90] = b"\0" * 10
    path.write_bytes(data)
    with pytest.raises(ModelError, match="is not an intact zip file"):
        unpack_model(path, "a" * 64, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_zip_without_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"holds no plans\.json"):
        unpack_model(make_zip(tmp_path / "m.zip", {"readme.txt": b""}), "a" * 64, tmp_path)


def test_zip_of_version_1(tmp_path):
    archive = make_zip(tmp_path / "m.zip", {"nnUNet/2d/Task1/t__p/plans.pkl": b""})
    with pytest.raises(ModelError, match=r"holds a model of nnU-Net v1 \(plans\.pkl\)"):
        unpack_model(archive, "a" * 64, tmp_path)
