"""Unpack a model exported with ``nnUNetv2_export_model_to_zip``, taking only what is needed."""

import re
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from pipelines.errors import ModelError
from pipelines.segmentation.plans import V1_HINT

# The files prediction needs; progress plots and validation results stay in the archive.
_WANTED = re.compile(r"(dataset|plans)\.json|fold_(\d+|all)/checkpoint_final\.pth")
# Five folds of the largest stock network are 2.5 GB.
MAX_UNPACKED_BYTES = 4 * 1024**3
_CHUNK = 1 << 20


def unpack_model(archive: Path, checksum: str, cache_dir: Path) -> Path:
    """Unpack an exported model once, below a cache folder.

    Parameters
    ----------
    archive : pathlib.Path
        Zip file with one or more ``<dataset>/<trainer>__<plans>__<configuration>`` folders.
    checksum : str
        Its SHA-256; names the unpacked folder.
    cache_dir : pathlib.Path
        Folder to unpack below; made if it does not exist.

    Returns
    -------
    pathlib.Path
        The unpacked folder.

    Raises
    ------
    ModelError
        If the file is no zip, is damaged, too large, or holds paths that lead out of its folder.
    """
    target = cache_dir / f"model-{checksum[:16]}"
    try:
        with zipfile.ZipFile(archive) as content:
            wanted = _wanted_members(content, archive)
            if target.is_dir() and _intact(target, wanted):
                return target
            cache_dir.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix="model-", dir=cache_dir))
            try:
                _extract(content, wanted, temporary, archive)
                _replace(temporary, target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ModelError(
            f"{archive} is not an intact zip file: {error}.", "Download or export the model again."
        ) from error
    return target


def _wanted_members(content: zipfile.ZipFile, archive: Path) -> list[zipfile.ZipInfo]:
    wanted = []
    for member in content.infolist():
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in member.filename:
            raise ModelError(
                f"{archive} holds the path {member.filename!r}, which leads out of its folder.",
                "The file is not what nnU-Net exports; do not use it.",
            )
        if _WANTED.fullmatch("/".join(path.parts[-2:])) or _WANTED.fullmatch(path.name):
            wanted.append(member)
    if not any(PurePosixPath(member.filename).name == "plans.json" for member in wanted):
        if any(name.endswith("plans.pkl") for name in content.namelist()):
            raise ModelError(f"{archive} holds a model of nnU-Net v1 (plans.pkl).", V1_HINT)
        raise ModelError(
            f"{archive} holds no plans.json.", "Export it with nnUNetv2_export_model_to_zip."
        )
    if sum(member.file_size for member in wanted) > MAX_UNPACKED_BYTES:
        raise ModelError(f"{archive} unpacks to more than {MAX_UNPACKED_BYTES // 1024**3} GiB.")
    return wanted


def _extract(
    content: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, archive: Path
) -> None:
    for member in members:
        path = folder / PurePosixPath(member.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        left = member.file_size
        with content.open(member) as source, path.open("wb") as copy:
            while block := source.read(_CHUNK):
                left -= len(block)
                if left < 0:
                    raise ModelError(f"{archive}: {member.filename} is larger than stated.")
                copy.write(block)


def _intact(folder: Path, members: list[zipfile.ZipInfo]) -> bool:
    """Tell whether an earlier run unpacked everything and nothing has changed since."""
    for member in members:
        path = folder / PurePosixPath(member.filename)
        if not path.is_file() or path.stat().st_size != member.file_size:
            return False
        checksum = 0
        with path.open("rb") as stream:
            while block := stream.read(_CHUNK):
                checksum = zlib.crc32(block, checksum)
        if checksum != member.CRC:
            return False
    return True


def _replace(temporary: Path, target: Path) -> None:
    """Move the unpacked model into place; another process may have been faster."""
    if target.exists():
        shutil.rmtree(target, ignore_errors=True)
    try:
        temporary.rename(target)
    except OSError:
        if not target.is_dir():
            raise
