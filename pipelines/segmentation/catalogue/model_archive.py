"""Unpack a model exported with ``nnUNetv2_export_model_to_zip``, taking only what is needed."""

import re
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from pipelines.errors import ModelError
from pipelines.files import folder_beside
from pipelines.segmentation.catalogue.registry import ModelEntry, Registry
from pipelines.segmentation.plans.description import V1_HINT

CHECKPOINT = "checkpoint_final.pth"

# How an nnU-Net results folder nests: results / dataset / trainer__plans__configuration.
_SEARCH_DEPTH = 3
_FOLD_NAME = re.compile(r"fold_(\d+|all)")


# The files prediction needs; progress plots and validation results stay in the archive.
_WANTED = re.compile(r"(dataset|plans)\.json|fold_(\d+|all)/checkpoint_final\.pth")
# Five folds of the largest stock network are 2.5 GB.
MAX_UNPACKED_BYTES = 4 * 1024**3
_CHUNK = 1 << 20


def unpack_model(archive: Path, checksum: str, cache_dir: Path) -> Path:
    """Unpack an exported model once, below a cache folder."""
    target = cache_dir / f"model-{checksum[:16]}"
    try:
        with zipfile.ZipFile(archive) as content:
            wanted = _wanted_members(content, archive)
            if target.is_dir() and _intact(target, wanted):
                return target
            with folder_beside(target) as temporary:
                unpacked = temporary / target.name
                unpacked.mkdir()
                _extract(content, wanted, unpacked, archive)
                _replace(unpacked, target)
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


def _replace(unpacked: Path, target: Path) -> None:
    """Move the unpacked model into place; another process may have been faster."""
    if target.exists():
        shutil.rmtree(target, ignore_errors=True)
    try:
        unpacked.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def locate_model(model: str, registry: Registry) -> tuple[ModelEntry | None, Path]:
    """Return the registered facts, if the model was named, and where its files are."""
    name, _, given = model.partition("=")
    if given and name in registry.models and not Path(model).exists():
        entry = registry.models[name]
        _check_runnable(entry)
        return entry, _existing(Path(given))
    if model in registry.models:
        entry = registry.models[model]
        _check_runnable(entry)
        if entry.path is None:
            raise ModelError(
                f"The weights of model {model} are not part of this software.",
                f"{entry.obtain} Published at: {entry.url or 'n/a'}. Licence: {entry.licence}.",
            )
        if not entry.path.exists():
            raise ModelError(
                f"The folder of model {model} is missing: {entry.path}.",
                "Install this software again, or correct the registry file.",
            )
        return entry, entry.path
    path = Path(model)
    if not path.exists():
        raise ModelError(
            f"There is no model named {model!r}, and no such file or folder.",
            f"Registered models: {', '.join(registry.models)}.",
        )
    return None, path


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ModelError(f"There is no file or folder {path}.")
    return path


def _check_runnable(entry: ModelEntry) -> None:
    if entry.format == "label_map":
        raise ModelError(
            f"Model {entry.name} is not an nnU-Net v2 model and cannot be run here.", entry.obtain
        )


def find_results_folder(source: Path) -> Path:
    """Find the one folder with ``plans.json`` and ``dataset.json`` at or below a path.

    Raises
    ------
    ModelError
        If there is none, or more than one.
    """
    candidates = [source]
    level = [source]
    try:
        for _ in range(_SEARCH_DEPTH):
            level = sorted(
                child for parent in level for child in parent.iterdir() if child.is_dir()
            )
            candidates += level
        found = [f for f in candidates if (f / "plans.json").is_file() and _folds(f)]
    except OSError as error:
        raise ModelError(f"{source} cannot be searched for a model: {error}.") from error
    if len(found) > 1:
        names = ", ".join(str(folder.relative_to(source)) for folder in found)
        raise ModelError(
            f"{source} holds several models: {names}.", "Give the folder of one of them."
        )
    # With none found, read_plans says what is missing in the folder that was given.
    return found[0] if found else source


def _folds(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and _FOLD_NAME.fullmatch(f.name))


def find_checkpoints(folder: Path) -> list[Path]:
    """Return the final checkpoint of every fold; of all-data training if it is the only one."""
    folds = _folds(folder)
    found = [fold / CHECKPOINT for fold in folds if (fold / CHECKPOINT).is_file()]
    numbered = [path for path in found if path.parent.name != "fold_all"]
    if numbered or found:
        return numbered or found
    if any((fold / "checkpoint_best.pth").is_file() for fold in folds):
        raise ModelError(
            f"{folder} has checkpoint_best.pth but no {CHECKPOINT}: its training is not finished.",
            "Finish it with nnUNetv2_train --c.",
        )
    if list(folder.rglob("model_final_checkpoint.model*")):
        raise ModelError(
            f"{folder} holds a checkpoint of nnU-Net v1 (model_final_checkpoint.model).",
            "Only models of nnU-Net v2 can be run.",
        )
    raise ModelError(
        f"{folder} has no fold_*/{CHECKPOINT}.",
        "If the model is in Git LFS or git-annex, fetch the file contents first.",
    )
