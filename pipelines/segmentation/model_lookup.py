"""Find the files of a model by its name or path. Without torch."""

import re
from pathlib import Path

from pipelines.errors import ModelError
from pipelines.segmentation.registry import ModelEntry, Registry

CHECKPOINT = "checkpoint_final.pth"

# How an nnU-Net results folder nests: results / dataset / trainer__plans__configuration.
_SEARCH_DEPTH = 3
_FOLD_NAME = re.compile(r"fold_(\d+|all)")


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
    # With none found, read_description says what is missing in the folder that was given.
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
