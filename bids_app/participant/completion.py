"""What a session's results are made from, and whether they are complete already."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bids_app.dataset.inputs import SessionInputs, Unusable
from bids_app.dataset.scans import Session
from bids_app.errors import AppError, ExitCode
from bids_app.files.markers import REFUSED_STACKS
from bids_app.files.reading import checksum
from bids_app.options.settings import Settings
from bids_app.participant.labelling import LabelSource
from bids_app.participant.shared_sign import ShownSign
from bids_app.session_id import SessionId
from bids_app.version import __version__

if TYPE_CHECKING:
    from pipelines.water_fat.separation.decision import PriorSign

# Keys of a marker, and what a message calls them.
_DIAGNOSIS = "Diagnosis"
_CALLED = {_DIAGNOSIS: "diagnosis model"}
# What raw echoes show of the sign of the phase.
PHASE_SIGNS = "PhaseSigns"

Refusals = list[dict[str, str]]


@dataclass(frozen=True)
class SessionTask:
    """Everything a worker needs to process one session.

    Signs of the phase that other scans have shown are there in the second round of a run.
    """

    session: Session
    settings: Settings
    labels: LabelSource
    prior_signs: "Mapping[str, PriorSign]" = field(default_factory=dict)


def made_from_now(task: SessionTask, inputs: SessionInputs) -> dict[str, Any]:
    """Return what the results of a session depend on, for its marker; reads every input file."""
    files: dict[str, str] = {}
    for _, chosen in inputs.stacks:
        if isinstance(chosen, Unusable):
            continue
        for scan in chosen.scans:
            for path in scan.paths:
                files[path.relative_to(task.settings.bids_dir).as_posix()] = checksum(path)
    return {**choices_of(task), "Inputs": files}


def choices_of(task: SessionTask) -> dict[str, Any]:
    """Return the part of :func:`made_from_now` that needs no reading of images."""
    return {
        "Version": __version__,
        "Settings": task.settings.scientific(),
        "Labels": task.labels.identity(task.session),
        _DIAGNOSIS: _diagnosis_identity(task),
    }


def _diagnosis_identity(task: SessionTask) -> dict[str, Any] | None:
    if task.settings.diagnosis_model is None:
        return None
    from bids_app.participant.diagnosis import diagnosis_identity

    return diagnosis_identity(task.settings, task.session.id)


def lacks_diagnosis(
    session: SessionId, marker: Mapping[str, Any], made_from: Mapping[str, Any]
) -> bool:
    """Tell whether a complete session only lacks answers of a diagnosis model.

    It lacks them too where other stacks count now than did when the same model answered.
    """
    changed = [key for key, value in made_from.items() if marker.get(key) != value]
    before, now = marker.get(_DIAGNOSIS), made_from[_DIAGNOSIS]
    if changed == [_DIAGNOSIS] and _only_other_stacks(before, now):
        return True
    if changed:
        names = (_CALLED.get(key, key.lower()) for key in changed)
        raise AppError(
            f"Results of {session.name} exist that were made from other {' and '.join(names)}.",
            ExitCode.CANNOT_CREATE,
            "Recompute them with --overwrite, or choose another output folder.",
        )
    return False


def _only_other_stacks(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    """Tell whether a model is new to a session, or is the same while its choices are others."""
    if before is None or now is None:
        return before is None
    return all(before.get(key) == now[key] for key in ("Model", "SHA256"))


def refused_before(marker: Mapping[str, Any] | None) -> Refusals:
    """Return the stacks that were refused when a session was completed."""
    return list(marker.get(REFUSED_STACKS, [])) if marker is not None else []


def signs_shown_before(marker: Mapping[str, Any] | None) -> tuple[ShownSign, ...]:
    """Return what a complete session shows of the sign of the phase."""
    return tuple(marker.get(PHASE_SIGNS, [])) if marker is not None else ()
