"""Stored diagnosis models whose checksums are right and whose arrays no model can have."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bids_app.errors import ExitCode
from pipelines.diagnosis.model.folder import DESCRIPTION, read_folder, write_folder
from pipelines.diagnosis.model.store import load_model, save_model
from tests.hostile.attack import CANARY, Attack
from tests.pipelines.diagnosis.stored_models import trained_model

Arrays = dict[str, np.ndarray]


class _Command:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (Path(CANARY),)


def _filled(name: str, value: float) -> Callable[[Arrays], object]:
    return lambda arrays: arrays[name].fill(value)


def _first(name: str, value: float) -> Callable[[Arrays], object]:
    return lambda arrays: arrays[name].__setitem__((0,) * arrays[name].ndim, value)


def _rows(name: str, count: int) -> Callable[[Arrays], object]:
    def change(arrays: Arrays) -> None:
        arrays[name] = np.zeros((count, arrays[name].shape[1]), np.float32)

    return change


# What is done to the arrays of a sound model, and what is said.
ARRAYS: list[tuple[str, Callable[[Arrays], object], str]] = [
    ("no reference patient", _rows("reference", 0), "array reference does not fit"),
    ("no patient with muscles", _rows("muscle_reference", 0), "muscle_reference does not fit"),
    ("200,001 patients", _rows("reference", 200_001), "array reference does not fit"),
    ("200,001 with muscles", _rows("muscle_reference", 200_001), "muscle_reference does not fit"),
    ("nothing known", _filled("reference", np.nan), "array reference holds impossible"),
    ("no muscle known", _filled("muscle_reference", np.nan), "muscle_reference holds impossible"),
    ("infinite patient", _first("reference", np.inf), "array reference holds impossible"),
    ("patient of 3e38", _first("reference", 3e38), "array reference holds impossible"),
    ("patient of 1e4", _first("reference", -1e4), "array reference holds impossible"),
    ("muscle of 1e30 %", _first("muscle_reference", 1e30), "muscle_reference holds impossible"),
    ("muscle of -5 %", _first("muscle_reference", -5), "muscle_reference holds impossible"),
    ("mean NaN", _first("mean", np.nan), "array mean holds impossible"),
    ("mean infinite", _first("mean", -np.inf), "array mean holds impossible"),
    ("mean 1e300", _first("mean", 1e300), "array mean holds impossible"),
    ("spread 0", _first("sd", 0), "array sd holds impossible"),
    ("spread NaN", _first("sd", np.nan), "array sd holds impossible"),
    ("spread 1e-300", _first("sd", 1e-300), "array sd holds impossible"),
    ("spread 1e300", _first("sd", 1e300), "array sd holds impossible"),
    (
        "a pickle in the arrays",
        lambda arrays: arrays.update(mean=np.array([_Command()], object)),
        "mean is of type object",
    ),
    ("an array too many", lambda arrays: arrays.update(more=np.ones(1)), r"it holds .*more\.npy"),
    ("an array too few", lambda arrays: arrays.pop("sd"), "does not hold the arrays of a model"),
]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "small"
    save_model(trained_model()[0], folder)
    return folder


def _attack(sound: Path, name: str, change: Callable[[Arrays], object], text: str) -> Attack:
    def read(folder: Path) -> object:
        description, content = read_folder(sound)
        with np.load(io.BytesIO(content["arrays.npz"])) as stored:
            arrays = dict(stored)
        change(arrays)
        packed = io.BytesIO()
        np.savez(packed, **arrays)
        description.pop("files")
        write_folder(folder / "model", description, {**content, "arrays.npz": packed.getvalue()})
        return load_model(folder / "model")

    return Attack(name, read, ExitCode.UNAVAILABLE, text)


@pytest.mark.parametrize(("name", "change", "text"), ARRAYS, ids=[row[0] for row in ARRAYS])
def test_arrays_of_a_diagnosis_model(
    sound: Path, name: str, change: Callable[[Arrays], object], text: str, tmp_path: Path
) -> None:
    _attack(sound, name, change, text).check(tmp_path)


def _changed(name: str, data: bytes) -> Callable[[Path, Path], object]:
    return lambda sound, copy: (copy / name).write_bytes(data)


def _description(**changes: object) -> Callable[[Path, Path], object]:
    def change(sound: Path, copy: Path) -> None:
        content = json.loads((sound / DESCRIPTION).read_text())
        (copy / DESCRIPTION).write_text(json.dumps({**content, **changes}))

    return change


FOLDERS: list[tuple[str, Callable[[Path, Path], object], str]] = [
    ("a changed booster", _changed("members/member-000.ubj", b"x"), "has changed since"),
    ("a file too many", _changed("run.py", b"x"), r"run\.py is no part of the model"),
    ("a card of others", _changed("MODEL_CARD.md", b"<script>"), "has changed since"),
    ("a name that leads out", _description(name="../../x"), "does not match"),
    ("a name in HTML", _description(name="<script>"), "does not match"),
    ("files that lead out", _description(files={"../x": {}}), "does not match"),
    ("a temperature of 1e308", _description(temperature=1e308), "is greater than"),
    ("a temperature of NaN", _description(temperature=float("nan")), "is not valid JSON"),
    ("members in text", _description(members="all"), "is not of type 'array'"),
    ("no class", _description(classes=[]), "classes"),
    ("JSON that is cut off", _changed(DESCRIPTION, b'{"name": '), "is not valid JSON"),
    ("JSON nested deep", _changed(DESCRIPTION, b"[" * 100_000), "is not valid JSON"),
    (
        "a link to a file elsewhere",
        lambda sound, copy: (copy / "link").symlink_to("/etc/passwd"),
        "is a symbolic link",
    ),
]


@pytest.mark.parametrize(("name", "change", "text"), FOLDERS, ids=[row[0] for row in FOLDERS])
def test_folder_of_a_diagnosis_model(
    sound: Path, name: str, change: Callable[[Path, Path], object], text: str, tmp_path: Path
) -> None:
    def read(folder: Path) -> object:
        copy = folder / "model"
        shutil.copytree(sound, copy)
        change(sound, copy)
        return load_model(copy)

    Attack(name, read, ExitCode.UNAVAILABLE, text).check(tmp_path)
