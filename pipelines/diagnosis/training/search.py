"""The hyper-parameter search of one outer fold (paper, section 2.6)."""

import logging
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipelines.arrays import Float64, Index
from pipelines.diagnosis.ensemble.average import MemberParameters
from pipelines.diagnosis.ensemble.boosting import fit_booster, margins
from pipelines.diagnosis.protocol import Protocol
from pipelines.diagnosis.training.fold_data import PreparedFold
from pipelines.errors import DataError

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

# Complete trials that must be there to tell how folds differ.
_TRIALS_TO_LEARN_FROM = 6

# The sampler calls so large a share of the trials the best; it learns from these.
_BEST_SHARE = 0.1

# With early stopping, members are trained on a quarter more samples than the inner fits that
# found the number of rounds, and more samples bear more rounds.
_ROUNDS_FOR_MORE_SAMPLES = 1.1

_STATES = {"COMPLETE": "complete", "PRUNED": "abandoned", "FAIL": "failed"}


def search(
    folds: Sequence[PreparedFold],
    classes: int,
    protocol: Protocol,
    *,
    fold: int = 0,
    journal: Path | None = None,
    progress: Callable[[], None] | None = None,
) -> pd.DataFrame:
    """Search the hyper-parameters of outer fold `fold` on its inner folds.

    A search that was interrupted goes on from `journal` and ends as if it had not been.
    Returns one row per trial: ``fold``, ``trial``, ``state`` ('complete', 'abandoned', 'failed'),
    ``score`` (inner balanced accuracy 0-1; of the folds done if abandoned), ``member`` (joins the
    ensemble) and the hyper-parameters; ``rounds`` is the number that members are trained with.
    """
    study = _open_study(journal)
    done = len(_finished(study))
    for _ in range(done):
        if progress:
            progress()
    for number in range(done, protocol.trials):
        # A fresh sampler for every trial: its draws depend on the trial and those before it, not
        # on how often the search was interrupted.
        study.sampler = _sampler(protocol, fold, number)
        _run_trial(study, folds, classes, protocol)
        if progress:
            progress()
    trials = _trial_table(study, fold)
    if not (trials["state"] == "complete").any():
        failures = sorted({str(t.user_attrs.get("error")) for t in _finished(study)})
        raise DataError(
            f"All {len(trials)} trials of outer fold {fold + 1} failed: {'; '.join(failures)}.",
            "Try --profile quick: it shows in a minute whether these features can be trained on.",
        )
    trials["member"] = _member_mask(trials, protocol.percentile)
    return trials


def members_of(trials: pd.DataFrame) -> list[MemberParameters]:
    """Return the hyper-parameters of the trials that join the ensemble."""
    about = ("fold", "trial", "state", "score", "member")
    return [
        MemberParameters(
            int(row["fold"]),
            int(row["trial"]),
            float(row["score"]),
            {str(name): _plain(value) for name, value in row.items() if name not in about},
        )
        for row in trials[trials["member"]].to_dict("records")
    ]


def _run_trial(
    study: "optuna.Study", folds: Sequence[PreparedFold], classes: int, protocol: Protocol
) -> None:
    """Draw one combination and score it on the inner folds."""
    import optuna
    from xgboost.core import XGBoostError

    complete = _fold_scores(study, len(folds))
    trial = study.ask()
    parameters = _suggest(trial, protocol)
    scores: list[float] = []
    rounds: list[int] = []
    try:
        for step, fold in enumerate(folds):
            score, used = score_inner_fold(fold, parameters, classes, protocol)
            scores.append(score)
            rounds.append(used)
            trial.report(score, step)
            if protocol.abandon and _is_hopeless(
                scores, complete, _places(protocol), protocol.abandon
            ):
                break
    except (XGBoostError, DataError) as error:
        logger.warning("trial %d failed: %s", trial.number, error)
        trial.set_user_attr("error", str(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    if protocol.early_stopping:
        trial.set_user_attr("rounds", round(float(np.mean(rounds)) * _ROUNDS_FOR_MORE_SAMPLES))
    if len(scores) < len(folds):
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, float(np.mean(scores)))


def score_inner_fold(
    fold: PreparedFold, parameters: dict[str, Any], classes: int, protocol: Protocol
) -> tuple[float, int]:
    """Return the balanced accuracy of a combination on one inner fold and its rounds."""
    k = int(parameters["knn_k"])
    patience = protocol.early_stopping
    fit = fit_booster(
        fold.training.matrix(parameters),
        parameters,
        classes=classes,
        max_bin=protocol.max_bin,
        seed=protocol.seed,
        validation=fold.validation_matrix(k) if patience else None,
        patience=patience,
    )
    predicted = margins(fit.booster, fold.validation(k), fit.rounds).argmax(axis=1)
    return _balanced_accuracy(fold.y_validation, predicted), fit.rounds


def _balanced_accuracy(y: Index, predicted: Index) -> float:
    """Return the mean recall over the classes present."""
    counts = np.bincount(y)
    hits = np.bincount(y[y == predicted], minlength=counts.size)
    return float(np.mean(hits[counts > 0] / counts[counts > 0]))


def _is_hopeless(scores: Sequence[float], complete: Float64, places: int, caution: float) -> bool:
    """Say whether a trial will end below the best `places` of the complete ones, (T, F).

    Its final mean is predicted from the folds done, with the differences between folds that the
    complete trials show; the scatter around that prediction is theirs too. `caution` is by how
    many standard deviations the prediction may err before a good trial is lost.
    """
    trials, folds = complete.shape
    done = len(scores)
    if trials < max(places, _TRIALS_TO_LEARN_FROM) or done == folds:
        return False
    of_fold = complete.mean(axis=0)
    of_trial = complete.mean(axis=1)
    scatter = complete - of_fold - of_trial[:, np.newaxis] + complete.mean()
    variance = (scatter**2).sum() / ((trials - 1) * (folds - 1))
    level = np.mean(np.asarray(scores) - of_fold[:done])
    # The scores that are still missing decide the rest, like a sample without replacement.
    error = np.sqrt(variance * (1 / done - 1 / folds))
    last_place = np.sort(of_trial)[-places]
    return bool(of_fold.mean() + level + caution * error < last_place)


def _places(protocol: Protocol) -> int:
    """Return how many trials can matter in the end: as members, or to the sampler."""
    members = _above_percentile(protocol.trials, protocol.percentile)
    return max(members, ceil(_BEST_SHARE * protocol.trials))


def _fold_scores(study: "optuna.Study", folds: int) -> Float64:
    """Return the scores of the complete trials on the inner folds, (T, F)."""
    rows = [
        [trial.intermediate_values[step] for step in range(folds)]
        for trial in _finished(study)
        if trial.state.name == "COMPLETE"
    ]
    return np.array(rows).reshape(-1, folds)


def _suggest(trial: "optuna.Trial", protocol: Protocol) -> dict[str, Any]:
    """Draw a combination from the search space."""
    values: dict[str, Any] = {}
    for name, space in protocol.space.items():
        if space.integer:
            values[name] = trial.suggest_int(name, int(space.low), int(space.high), log=space.log)
        else:
            values[name] = trial.suggest_float(name, space.low, space.high, log=space.log)
    return values


def _sampler(protocol: Protocol, fold: int, number: int) -> "optuna.samplers.TPESampler":
    """Return the sampler of one trial."""
    import optuna

    seed = np.random.SeedSequence([protocol.seed, fold, number]).generate_state(1)[0]
    return optuna.samplers.TPESampler(n_startup_trials=protocol.random_trials, seed=int(seed))


def _open_study(journal: Path | None) -> "optuna.Study":
    """Open a new search, or the one the journal records."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    if journal is not None:
        _drop_torn_line(journal)
        storage = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(
        storage=storage,
        study_name="search",
        direction="maximize",
        load_if_exists=True,
    )
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def _drop_torn_line(journal: Path) -> None:
    """Cut off a last line that a killed process did not finish writing."""
    if journal.exists():
        content = journal.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with journal.open("r+b") as stream:
                stream.truncate(whole)


def _finished(study: "optuna.Study") -> "list[optuna.trial.FrozenTrial]":
    """Return the trials that ran to their end; an interrupted one is run again."""
    return [
        t
        for t in study.get_trials(deepcopy=False)
        if t.state.name in ("COMPLETE", "PRUNED") or "error" in t.user_attrs
    ]


def _trial_table(study: "optuna.Study", fold: int) -> pd.DataFrame:
    """Return one row per trial, numbered as they count."""
    rows = []
    for number, trial in enumerate(_finished(study)):
        score = np.nan
        if trial.state.name != "FAIL":
            score = float(np.mean(list(trial.intermediate_values.values())))
        row = {
            "fold": fold,
            "trial": number,
            "state": _STATES[trial.state.name],
            "score": score,
            **trial.params,
        }
        row["rounds"] = trial.user_attrs.get("rounds", trial.params["rounds"])
        rows.append(row)
    return pd.DataFrame(rows)


def _member_mask(trials: pd.DataFrame, percentile: float) -> "pd.Series[bool]":
    """Mark the complete trials above the percentile; the earlier of equal ones comes first.

    Abandoned trials count, so that giving them up does not thin out the ensemble.
    """
    count = _above_percentile(int(trials["score"].notna().sum()), percentile)
    ranked = trials[trials["state"] == "complete"].sort_values(
        ["score", "trial"], ascending=[False, True]
    )
    return pd.Series(trials.index.isin(ranked.index[:count]), trials.index)


def _above_percentile(count: int, percentile: float) -> int:
    """Return how many of `count` different scores numpy.percentile leaves above it; at least 1."""
    return max(1, count - ceil(round((count - 1) * percentile / 100, 9)))


def _plain(value: Any) -> Any:
    """Return a Python number."""
    return value.item() if isinstance(value, np.generic) else value
