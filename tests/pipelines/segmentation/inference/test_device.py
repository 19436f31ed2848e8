"""Devices: what is asked for is had, or refused with the reason."""

import sys

import pytest
import torch

from pipelines.errors import DeviceError
from pipelines.segmentation.inference import device
from pipelines.segmentation.inference.device import resolve_device


@pytest.fixture
def cuda_build(monkeypatch):
    """A PyTorch built for CUDA on a machine without a GPU."""
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "_driver_present", lambda: False)
    monkeypatch.setattr(device, "_in_docker", lambda: False)
    for name in ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(device, "_driver_present", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_torch(monkeypatch):
    """Any import of torch fails."""
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.parametrize("requested", ["auto", "cpu"])
def test_cpu_is_taken_without_torch_where_no_gpu_is_visible(requested, monkeypatch, no_torch):
    monkeypatch.setattr(device, "_driver_present", lambda: False)
    monkeypatch.setattr(device, "_OTHER_GPU_FILES", ())
    assert resolve_device(requested) == "cpu"


def test_auto_asks_torch_where_another_gpu_may_be(monkeypatch, tmp_path, cuda_build):
    (tmp_path / "dxg").touch()
    monkeypatch.setattr(device, "_OTHER_GPU_FILES", (str(tmp_path / "dxg"),))
    assert resolve_device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda:0"


def test_auto_takes_the_cpu_if_torch_finds_no_gpu(cuda_build, monkeypatch):
    monkeypatch.setattr(device, "_driver_present", lambda: True)
    assert resolve_device("auto") == "cpu"


@pytest.mark.parametrize(
    ("requested", "expected"),
    [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")],
)
def test_gpu_is_had(two_gpus, requested, expected):
    assert resolve_device(requested) == expected


def test_gpu_number_beyond_the_last(two_gpus):
    with pytest.raises(DeviceError, match=r"there are 2 GPUs \(cuda:0 to cuda:1\)") as caught:
        resolve_device("cuda:2")
    assert "CUDA_VISIBLE_DEVICES" in caught.value.hint


def test_only_gpu_is_named(two_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(DeviceError, match=r"there is 1 GPU \(cuda:0\)"):
        resolve_device("cuda:1")


def test_cpu_build_is_the_reason(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="the installed PyTorch is built for CPUs only") as caught:
        resolve_device("cuda")
    assert "--device cpu" in caught.value.hint


def test_missing_driver_is_the_reason(cuda_build):
    with pytest.raises(DeviceError, match="no NVIDIA driver is visible") as caught:
        resolve_device("cuda:0")
    assert "--gpus all" in caught.value.hint
    assert "--nv" in caught.value.hint
    assert "--gres=gpu:1" in caught.value.hint


def test_docker_is_told_its_own_flag(cuda_build, monkeypatch):
    monkeypatch.setattr(device, "_in_docker", lambda: True)
    with pytest.raises(DeviceError) as caught:
        resolve_device("cuda")
    assert caught.value.hint.startswith("Start the container with --gpus all")


def test_apptainer_is_told_its_own_flag(cuda_build, monkeypatch):
    monkeypatch.setenv("APPTAINER_CONTAINER", "/image.sif")
    with pytest.raises(DeviceError) as caught:
        resolve_device("cuda")
    assert caught.value.hint.startswith("Start the container with --nv")
    assert "--gpus all" not in caught.value.hint


def test_hidden_gpus_are_the_reason(cuda_build, monkeypatch):
    monkeypatch.setattr(device, "_driver_present", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(DeviceError, match="CUDA_VISIBLE_DEVICES hides every GPU"):
        resolve_device("cuda")


def test_old_driver_is_the_reason(cuda_build, monkeypatch):
    monkeypatch.setattr(device, "_driver_present", lambda: True)
    with pytest.raises(DeviceError, match="finds no usable GPU"):
        resolve_device("cuda")


@pytest.mark.parametrize("requested", ["gpu", "cuda:x", "mps", ""])
def test_unknown_devices_are_refused(requested):
    with pytest.raises(DeviceError, match=rf"Unknown device '{requested}'"):
        resolve_device(requested)
