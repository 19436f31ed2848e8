"""The file that a fold leaves: read back as it was, and refused if it is anything else."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis.cohort import training_cohort
from pipelines.diagnosis.explanation.out_of_fold import FoldExplanation
from pipelines.diagnosis.training import checkpoint
from pipelines.diagnosis.training.checkpoint import (
    FoldResult,
    load_fold,
    search_folder,
    store_fold,
)
from pipelines.errors import DataError
from pipelines.harmonization.harmonize import HarmonizationOptions
from tests.pipelines.diagnosis.small_cohorts import small_cohort, tiny_protocol

ROWS, CLASSES, FEATURES = np.array([1, 4, 5]), 2, ("soleus", "age")


def fold_result(*, explained=True):
    random = np.random.default_rng(0)
    trials = pd.DataFrame(
        {
            "fold": [3, 3], "trial": [0, 1], "state": ["complete", "failed"],
            "score": [0.75, float("nan")], "member": [True, False], "eta": [0.1, 0.2],
        }
    )  # fmt: skip
    explanation = FoldExplanation(
        ROWS,
        FEATURES,
        random.random((3, CLASSES, 2)).astype(np.float32),
        random.random(CLASSES),
    )
    return FoldResult(
        3,
        ROWS,
        random.random((1, 3, CLASSES)).astype(np.float32),
        {"random_forest": random.random((3, CLASSES)).astype(np.float32)},
        trials,
        2.5,
        explanation if explained else None,
    )


@pytest.mark.parametrize("explained", [True, False])
def test_comes_back_as_it_was(tmp_path, explained):
    stored = fold_result(explained=explained)
    store_fold(stored, tmp_path / "fold.npz")
    loaded = load_fold(tmp_path / "fold.npz", 3, ROWS, CLASSES)
    assert (loaded.fold, loaded.seconds) == (3, 2.5)
    np.testing.assert_array_equal(loaded.rows, ROWS)
    np.testing.assert_array_equal(loaded.member_margins, stored.member_margins)
    np.testing.assert_array_equal(
        loaded.comparators["random_forest"], stored.comparators["random_forest"]
    )
    pd.testing.assert_frame_equal(loaded.trials, stored.trials)
    assert loaded.members == stored.members
    assert (loaded.explanation is not None) == explained
    if explained:
        assert loaded.explanation.features == FEATURES
        np.testing.assert_array_equal(loaded.explanation.values, stored.explanation.values)
        np.testing.assert_array_equal(loaded.explanation.base, stored.explanation.base)
    assert [path.name for path in tmp_path.iterdir()] == ["fold.npz"]


def rewrite(path, change):
    """Change the arrays of a file, with its description under `about`."""
    with np.load(path) as content:
        arrays = dict(content)
    arrays["about"] = json.loads(arrays["about"].tobytes())
    change(arrays)
    arrays["about"] = np.frombuffer(json.dumps(arrays["about"]).encode(), np.uint8)
    np.savez_compressed(path, **arrays)


CHANGES = {
    "old": (
        lambda a: a.update(about={"trials": {}, "seconds": 1.0}),
        "another version of this software wrote it",
    ),
    "key": (lambda a: a["about"].update(code="x"), "its description holds code, features,"),
    "list": (lambda a: a.update(about=[1]), "its description is no JSON object"),
    "fold": (lambda a: a["about"].update(fold=4), "it is of fold 4"),
    "samples": (lambda a: a.update(rows=np.array([1, 4, 6])), "it predicts other samples"),
    "array": (lambda a: a.update(more=np.zeros(2)), "it holds comparator_random_forest,"),
    "no margins": (lambda a: a.pop("member_margins"), "KeyError('member_margins')"),
    "members": (
        lambda a: a["about"]["trials"].update(member=[True, True]),
        "its array member_margins is float32 (1, 3, 2), not (2, 3, 2)",
    ),
    "type": (
        lambda a: a.update(member_margins=a["member_margins"].astype(float)),
        "its array member_margins is float64",
    ),
    "features": (
        lambda a: a["about"].update(features=["soleus"]),
        "its array explanation_values is float32 (3, 2, 2), not (3, 2, 1)",
    ),
    "trials": (lambda a: a["about"].update(trials={"fold": [3]}), "KeyError('member')"),
    "objects": (
        lambda a: a.update(rows=np.array([None, {}, "x"], dtype=object)),
        "Object arrays cannot be loaded when allow_pickle=False",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_other_content_is_refused(tmp_path, case):
    change, reason = CHANGES[case]
    path = tmp_path / "fold-03.npz"
    store_fold(fold_result(), path)
    rewrite(path, change)
    with pytest.raises(DataError) as caught:
        load_fold(path, 3, ROWS, CLASSES)
    assert caught.value.message.startswith(f"{path} is no result of fold 3 of this training: ")
    assert reason in caught.value.message
    assert "Remove the file and run the same command again" in caught.value.hint


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: b"", lambda d: b"[1, 2]"])
def test_damaged_files_are_refused(tmp_path, damage):
    path = tmp_path / "fold-03.npz"
    store_fold(fold_result(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match="is no result of fold 3 of this training"):
        load_fold(path, 3, ROWS, CLASSES)


def test_a_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "fold-03.npz"
    store_fold(fold_result(), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="is no result of fold 3 of this training"):
        load_fold(path, 3, ROWS, CLASSES)


def test_a_file_of_another_training_is_refused(tmp_path):
    path = tmp_path / "fold-03.npz"
    store_fold(replace(fold_result(), rows=np.array([0, 1, 2])), path)
    with pytest.raises(DataError, match="it predicts other samples"):
        load_fold(path, 3, ROWS, CLASSES)


def test_a_search_of_another_format_has_a_folder_of_its_own(tmp_path, monkeypatch):
    native, labels = small_cohort()
    search = (training_cohort(native, labels, 5), HarmonizationOptions(), tiny_protocol())
    folder = search_folder(tmp_path, *search)
    assert search_folder(tmp_path, *search) == folder
    monkeypatch.setattr(checkpoint, "_FORMAT", "myomids-fold-2")
    assert search_folder(tmp_path, *search) != folder
