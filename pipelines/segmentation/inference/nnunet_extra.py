"""Ask for the extra `nnunet` where a network needs PyTorch and nnU-Net."""

from importlib.util import find_spec

from pipelines.errors import MissingPackageError

_PACKAGES = ("torch", "nnunetv2")


def nnunet_installed() -> bool:
    """Tell whether PyTorch and nnU-Net can be imported, without importing them."""
    return all(find_spec(package) is not None for package in _PACKAGES)


def require_nnunet(need: str) -> None:
    """Refuse what PyTorch and nnU-Net are needed for if they are not installed."""
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise MissingPackageError(
            f"{need} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
            "not installed.",
            "Install the extra nnunet: pip install 'myomids[nnunet]'; from a checkout, make test "
            "installs it. The container image has it.",
        )
