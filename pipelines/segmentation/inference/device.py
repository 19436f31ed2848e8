"""Choose where a network runs, and say plainly why a device cannot be had."""

import logging
import os
from pathlib import Path

from pipelines.errors import DeviceError
from pipelines.segmentation.inference.nnunet_extra import nnunet_installed, require_nnunet

logger = logging.getLogger(__name__)

# GPUs that PyTorch may use beside those of NVIDIA's own driver: in Windows' Linux, and AMD's.
_OTHER_GPU_FILES = ("/dev/dxg", "/dev/kfd")


def resolve_device(requested: str) -> str:
    """Turn a requested device into the one to use.

    Parameters
    ----------
    requested : str
        ``auto`` (the first GPU if there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    Returns
    -------
    str
        ``cpu`` or ``cuda:N``.

    Raises
    ------
    DeviceError, MissingPackageError
        If a GPU was asked for and cannot be had. It is never replaced by the CPU.
    """
    if requested == "cpu" or (requested == "auto" and not _gpu_may_exist()):
        return "cpu"
    if requested == "auto" and not nnunet_installed():
        logger.info("There may be a GPU; without the extra nnunet the CPU is used.")
        return "cpu"
    require_nnunet(f"Device {requested}")
    import torch

    if requested == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    name, _, number = requested.partition(":")
    if name != "cuda" or (number and not number.isdigit()):
        raise DeviceError(
            f"Unknown device {requested!r}.", "Devices are: auto, cpu, cuda, cuda:0, cuda:1, ..."
        )
    index = int(number or 0)
    if not torch.cuda.is_available():
        raise DeviceError(f"Device {requested} cannot be had: {_reason(torch)}.", _hint(torch))
    count = torch.cuda.device_count()
    if index >= count:
        raise DeviceError(
            f"Device {requested} cannot be had: there {'is' if count == 1 else 'are'} {count} GPU"
            f"{'s' * (count > 1)} (cuda:0{f' to cuda:{count - 1}' * (count > 1)}).",
            "Look at CUDA_VISIBLE_DEVICES, or choose another number.",
        )
    return f"cuda:{index}"


def _gpu_may_exist() -> bool:
    """Tell without torch, whose import takes seconds, whether it is worth asking."""
    return _driver_present() or any(Path(file).exists() for file in _OTHER_GPU_FILES)


def _built_without_cuda(torch_module: object) -> bool:
    version = getattr(torch_module, "version", None)
    return getattr(version, "cuda", None) is None


def _reason(torch_module: object) -> str:
    if _built_without_cuda(torch_module):
        return "the installed PyTorch is built for CPUs only"
    if not _driver_present():
        return "no NVIDIA driver is visible to this process"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "unset") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    return "PyTorch finds no usable GPU (the driver may be older than its CUDA version)"


def _hint(torch_module: object) -> str:
    if _built_without_cuda(torch_module):
        return "Install a CUDA build of PyTorch, use the GPU image, or choose --device cpu."
    if os.environ.get("APPTAINER_CONTAINER") or os.environ.get("SINGULARITY_CONTAINER"):
        flag = "Start the container with --nv"
    elif _in_docker():
        flag = "Start the container with --gpus all"
    else:
        flag = "In a container, start it with --gpus all (Docker) or --nv (Apptainer)"
    return f"{flag}; on a cluster, ask for a GPU (--gres=gpu:1). Or choose --device cpu."


def _driver_present() -> bool:
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def _in_docker() -> bool:
    return Path("/.dockerenv").exists()
