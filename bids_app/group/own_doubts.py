"""What should be known about our own results before they are used: sentences for log and page."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bids_app.dataset.labels import enumerate_labels
from bids_app.files.verdicts import VERDICTS
from bids_app.group.own_scores import JudgedStack, OwnScores
from bids_app.version import __version__
from pipelines.quality import spoils_numbers

if TYPE_CHECKING:
    import pandas as pd


def own_doubts(scores: OwnScores) -> list[str]:
    """Name what is left out, what is used although a check failed, and what was chosen."""
    return [*_quality_doubts(scores.stacks), *_empty_stacks(scores), *_scan_doubts(scores)]


def left_out_sentence(stacks: Sequence[JudgedStack]) -> str:
    """Say which stacks failed checks keep out, and how they can be taken in."""
    return (
        f"{len(stacks)} stack(s) are left out because a check failed that makes their numbers "
        f"wrong: {enumerate_labels(map(_with_lights, stacks))}. Look at their pages; {VERDICTS} "
        "keeps single ones, --include-failed takes all in."
    )


def _quality_doubts(stacks: Sequence[JudgedStack]) -> list[str]:
    sentences = []
    failed = [stack for stack in stacks if stack.left_out == "failed check"]
    if failed:
        sentences.append(left_out_sentence(failed))
    excluded = [stack for stack in stacks if stack.left_out == "verdict"]
    if excluded:
        sentences.append(
            f"{len(excluded)} stack(s) are left out because a person says so: "
            f"{enumerate_labels(map(_with_verdict, excluded))}."
        )
    used = [stack for stack in stacks if not stack.left_out]
    for chosen, text in (
        (
            lambda stack: stack.quality.spoilt and stack.trusted,
            "used although a check failed because a person says so",
        ),
        (
            lambda stack: stack.quality.spoilt and not stack.trusted,
            "used although a check failed that makes their numbers wrong (--include-failed)",
        ),
        (
            lambda stack: stack.failed and not stack.quality.spoilt,
            "used although a check failed, because what it doubts has no value in their tables",
        ),
    ):
        sentences += _sentence(used, chosen, text)
    unknown = [stack.name for stack in stacks if not stack.quality.known]
    if unknown:
        sentences.append(
            f"{len(unknown)} stack(s) have no quality checks beside them, so nothing tells whether "
            f"their numbers are right: {enumerate_labels(unknown)}. Compute them again, or look "
            "at them."
        )
    older = {str(stack.result.marker.get("Version")) for stack in stacks if stack.result.marker}
    for version in sorted(older - {__version__}):
        sentences.append(
            f"Results of MyoMIDS {version}: checks that version {__version__} makes may be missing."
        )
    return sentences


def _empty_stacks(scores: OwnScores) -> list[str]:
    """Name stacks whose tables hold no fat fraction at all."""
    columns = ("participant", "session", "stack")
    measured = set(zip(*(scores.parts[name] for name in columns), strict=True))
    bare = [stack.name for stack in scores.stacks if stack.key not in measured]
    if not bare:
        return []
    return [f"{len(bare)} stack(s) hold no fat fraction of any muscle: {enumerate_labels(bare)}."]


def _sentence(
    stacks: Sequence[JudgedStack], chosen: "Callable[[JudgedStack], object]", text: str
) -> list[str]:
    found = [stack for stack in stacks if chosen(stack)]
    if not found:
        return []
    return [f"{len(found)} stack(s) are {text}: {enumerate_labels(map(_with_lights, found))}."]


def _scan_doubts(scores: OwnScores) -> list[str]:
    """Name muscles that were measured more than once in a session, and what became of them."""
    sentences = []
    counted = scores.parts[scores.parts["weight"] > 0]
    by_choice = {
        "best quality": "the one of fewer failed checks and warnings counts",
        "largest volume": "of equal quality, the one with the larger volume counts",
        "first name": "of equal quality and volume, the first by name counts",
        "mean": "their mean, weighted by volume, counts (--combine mean)",
    }
    for choice, text in by_choice.items():
        own = counted[counted["choice"] == choice]
        if len(own):
            places = _places(scores, own, name_stack=choice != "mean")
            sentences.append(
                f"Muscles of {len(places)} session(s) were measured in several scans; {text}: "
                f"{enumerate_labels(places)}."
            )
    joined = counted[(counted["weight"] < 1) & (counted["choice"] != "mean")]
    if len(joined):
        sentences.append(
            "Parts of muscles in several chunks of one scan are joined, weighted by volume: "
            f"{enumerate_labels(_places(scores, joined, name_stack=False))}."
        )
    return sentences


def _places(scores: OwnScores, parts: "pd.DataFrame", *, name_stack: bool) -> list[str]:
    """Return each session with the number of its muscles, and the scans that were chosen."""
    from pipelines.quantification.several_scans import scan_of

    places = []
    names: dict[tuple[Any, Any], str] = {
        (result.session.participant, result.session.session or ""): result.name
        for result in scores.results
    }
    for (participant, session), own in parts.groupby(["participant", "session"], sort=False):
        muscles = len(own[["muscle", "side"]].drop_duplicates())
        scans = sorted({scan_of(stack) or "the one without a name" for stack in own["stack"]})
        chosen = f" from {' and '.join(scans)}" if name_stack else ""
        places.append(f"{names[participant, session]} ({muscles} muscle(s){chosen})")
    return places


def _with_lights(stack: JudgedStack) -> str:
    names = sorted(stack.failed, key=lambda name: not spoils_numbers(name))
    return f"{stack.name} ({', '.join(names)})"


def _with_verdict(stack: JudgedStack) -> str:
    assert stack.verdict is not None, "asked for a verdict that was not given"
    return f"{stack.name} ({stack.verdict.who}: {stack.verdict.reason})"
