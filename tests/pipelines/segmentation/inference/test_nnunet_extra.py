"""Without PyTorch or nnU-Net, what needs them is refused with what to install."""

import sys

import pytest

from pipelines.errors import MissingPackageError
from pipelines.segmentation.catalogue.model_files import open_model
from pipelines.segmentation.catalogue.registry import read_registry
from pipelines.segmentation.inference import device
from pipelines.segmentation.inference.device import resolve_device
from pipelines.segmentation.inference.nnunet_extra import nnunet_installed, require_nnunet
from pipelines.segmentation.inference.predict import load_segmenter


@pytest.fixture
def without(monkeypatch):
    """Take packages away."""

    def take(*packages):
        for package in packages:
            monkeypatch.setitem(sys.modules, package, None)

    return take


def test_installed_packages_are_not_asked_for():
    assert nnunet_installed()
    require_nnunet("This")


@pytest.mark.parametrize(
    ("packages", "text"),
    [
        (["torch"], "This needs torch, which is not installed."),
        (["nnunetv2"], "This needs nnunetv2, which is not installed."),
        (["torch", "nnunetv2"], "This needs torch and nnunetv2, which are not installed."),
    ],
)
def test_the_missing_ones_are_named(packages, text, without):
    without(*packages)
    assert not nnunet_installed()
    with pytest.raises(MissingPackageError) as caught:
        require_nnunet("This")
    assert caught.value.message == text
    assert "pip install 'myomids[nnunet]'" in caught.value.hint


def test_auto_takes_the_cpu_where_torch_is_missing(without, monkeypatch, caplog):
    monkeypatch.setattr(device, "_gpu_may_exist", lambda: True)
    without("torch")
    with caplog.at_level("INFO"):
        assert resolve_device("auto") == "cpu"
    assert "without the extra nnunet the CPU is used" in caplog.text


def test_a_gpu_that_is_asked_for_is_refused(without):
    without("torch")
    with pytest.raises(MissingPackageError, match=r"Device cuda:1 needs torch"):
        resolve_device("cuda:1")


@pytest.mark.parametrize(
    ("backend", "text"),
    [("torch", "The torch backend needs"), ("openvino", "Converting model .* for OpenVINO needs")],
)
def test_backends_name_what_they_need(backend, text, trained_folder, tmp_path, without):
    files = open_model(str(trained_folder), read_registry(), cache_dir=tmp_path, trust_model=True)
    without("torch", "nnunetv2")
    with pytest.raises(MissingPackageError, match=text):
        load_segmenter(files, device="cpu", backend=backend)
