"""Store diagnosis models as plain data, and load them again.

A model is a folder: ``model.json`` (all settings, and the SHA-256 of every other file),
``members/*.ubj`` (boosters), ``arrays.npz`` (imputation, reference patients), ``tables/*.tsv`` and
``MODEL_CARD.md``. Nothing in it is pickled and nothing in it is ever executed.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.arrays import Array
from pipelines.diagnosis.ensemble.average import Ensemble, Member, MemberParameters
from pipelines.diagnosis.ensemble.preparation import Preparation
from pipelines.diagnosis.model.arrays import array_file, read_arrays
from pipelines.diagnosis.model.card import model_card
from pipelines.diagnosis.model.checks import check_model
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel, Origin
from pipelines.diagnosis.model.folder import (
    DESCRIPTION,
    FORMAT_VERSION,
    read_folder,
    read_model_json,
    write_folder,
)
from pipelines.diagnosis.trust.conformal import ConformalSets
from pipelines.diagnosis.trust.near_normal import NearNormal
from pipelines.diagnosis.trust.novelty import Novelty
from pipelines.errors import DataError, ModelError
from pipelines.harmonization.harmonize import Harmonization
from pipelines.text_table import MISSING, cell_text, read_own_table

_ARRAYS, _CARD, _TRAINING = "arrays.npz", "MODEL_CARD.md", "training"


@dataclass(frozen=True)
class ModelSummary:
    """What a list of models shows.

    Attributes
    ----------
    name, created, licence : str
        As in ``DiagnosisModel``.
    origin : {'simulated', 'real'}
        What the training patients are.
    classes : tuple of str
        Diagnoses.
    members : int
        Number of boosters.
    muscles : int
        Number of muscles the model uses.
    balanced_accuracy : float or None
        Of the evaluation, 0-1.
    """

    name: str
    created: str
    licence: str
    origin: Origin
    classes: tuple[str, ...]
    members: int
    muscles: int
    balanced_accuracy: float | None


def save_model(model: DiagnosisModel, folder: Path) -> None:
    """Store a model in a new folder, completely or not at all.

    Parameters
    ----------
    model : DiagnosisModel
        The model.
    folder : Path
        Must not exist.

    Raises
    ------
    ModelError
        If the folder exists or the model holds something that cannot be stored.
    """
    tables = {**model.tables, _TRAINING: model.training}
    content = {
        _ARRAYS: array_file(model),
        _CARD: model_card(model).encode("utf-8"),
        **{f"tables/{name}.tsv": _table_file(table) for name, table in tables.items()},
        **{
            _member_file(number): member.data
            for number, member in enumerate(model.ensemble.members)
        },
    }
    write_folder(folder, _description(model, sorted(tables)), content)


def load_model(folder: Path) -> DiagnosisModel:
    """Load a model; it predicts bit for bit what the stored one did.

    Parameters
    ----------
    folder : Path
        As made by :func:`save_model`.

    Raises
    ------
    ModelError
        If a file is missing, additional or changed, or anything is not as it should be; the message
        names the file.
    """
    description, content = read_folder(folder)
    if _ARRAYS not in content:
        raise ModelError(f"{folder / DESCRIPTION} does not list {_ARRAYS}.", "Train again.")
    arrays = read_arrays(content[_ARRAYS], folder / _ARRAYS)
    try:
        return _model(description, content, arrays, folder)
    except (DataError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = error.message if isinstance(error, DataError) else repr(error)
        raise ModelError(
            f"{folder / DESCRIPTION} describes an impossible model: {reason}.",
            "Train the model again.",
        ) from error


def summarize_model(folder: Path) -> ModelSummary:
    """Read what a list of models shows, without checking the other files.

    Raises
    ------
    ModelError
        If model.json cannot be read.
    """
    description = read_model_json(folder)
    accuracy = description["headline"].get("balanced_accuracy")
    return ModelSummary(
        description["name"],
        description["created"],
        description["licence"],
        description["origin"],
        tuple(entry["name"] for entry in description["classes"]),
        len(description["members"]),
        len(description["harmonization"]["muscles"]),
        accuracy.get("value") if isinstance(accuracy, dict) else None,
    )


def _description(model: DiagnosisModel, tables: list[str]) -> dict[str, Any]:
    ensemble = model.ensemble
    description = {
        "format": "myomids-diagnosis-model",
        "format_version": FORMAT_VERSION,
        "name": model.name,
        "origin": model.origin,
        "created": model.created,
        "licence": model.licence,
        "classes": [{"name": c, "long_name": model.long_names.get(c, "")} for c in model.classes],
        "feature_names": list(ensemble.feature_names),
        "harmonization": ensemble.harmonization.as_dict(),
        "categorical": [int(column) for column in ensemble.preparation.categorical],
        "combine": ensemble.combine,
        "temperature": ensemble.temperature,
        "members": [
            {
                "file": _member_file(number),
                "fold": member.parameters.fold,
                "trial": member.parameters.trial,
                "score": member.parameters.score,
                "values": dict(member.parameters.values),
            }
            for number, member in enumerate(ensemble.members)
        ],
        "near_normal": model.near_normal.as_dict(),
        "conformal": model.conformal.as_dict() if model.conformal else None,
        "novelty": model.novelty.as_dict() if model.novelty else None,
        "headline": dict(model.headline),
        "protocol": dict(model.protocol),
        "versions": dict(model.versions),
        "tables": tables,
    }
    plain: dict[str, Any] = _plain(description)
    return plain


def _plain(value: Any) -> Any:
    """Return numpy scalars and tuples as JSON types; numbers that JSON does not know as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _member_file(number: int) -> str:
    return f"members/member-{number:03d}.ubj"


def _table_file(table: pd.DataFrame) -> bytes:
    safe = table.rename(columns=cell_text)
    for column in safe.select_dtypes(["object", "string", "category"]):
        safe[column] = safe[column].map(lambda v: cell_text(v) if isinstance(v, str) else v)
    text = safe.to_csv(sep="\t", index=False, na_rep=MISSING, lineterminator="\n")
    return text.encode("utf-8")


def _model(
    description: Mapping[str, Any],
    content: Mapping[str, bytes],
    arrays: Mapping[str, Array],
    folder: Path,
) -> DiagnosisModel:
    tables = {
        name: _read_table(content[f"tables/{name}.tsv"], folder / f"tables/{name}.tsv")
        for name in description["tables"]
    }
    conformal, novelty = description["conformal"], description["novelty"]
    model = DiagnosisModel(
        name=description["name"],
        ensemble=_ensemble(description, content, arrays),
        origin=description["origin"],
        near_normal=NearNormal.from_dict(description["near_normal"]),
        conformal=ConformalSets.from_dict(conformal) if conformal else None,
        novelty=Novelty.from_dict(novelty) if novelty else None,
        muscle_reference=arrays["muscle_reference"],
        training=tables.pop(_TRAINING),
        long_names={e["name"]: e["long_name"] for e in description["classes"] if e["long_name"]},
        headline=description["headline"],
        tables=tables,
        protocol=description["protocol"],
        licence=description["licence"],
        created=description["created"],
        versions=description["versions"],
    )
    check_model(model, description)
    return model


def _ensemble(
    description: Mapping[str, Any],
    content: Mapping[str, bytes],
    arrays: Mapping[str, Array],
) -> Ensemble:
    members = tuple(
        Member(
            content[entry["file"]],
            MemberParameters(entry["fold"], entry["trial"], entry["score"], entry["values"]),
        )
        for entry in description["members"]
    )
    return Ensemble(
        classes=tuple(entry["name"] for entry in description["classes"]),
        harmonization=Harmonization.from_dict(description["harmonization"]),
        preparation=Preparation(
            arrays["mean"], arrays["sd"], arrays["reference"], tuple(description["categorical"])
        ),
        members=members,
        combine=description["combine"],
        temperature=description["temperature"],
    )


def _read_table(data: bytes, path: Path) -> pd.DataFrame:
    try:
        return read_own_table(io.BytesIO(data))
    except ValueError as error:
        raise ModelError(f"{path} is no table: {error}.", "Train the model again.") from error
