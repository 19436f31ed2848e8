"""Bring together water and fat whose ``run-`` numbers count series instead of repetitions.

Some converters number every series of a session, so that the water image is run-1 and the fat
image of the same acquisition run-2. Such images are paired if they were acquired at one time, or
if the filter file names a run of each; nothing else says that they belong together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bids_app.dataset.scans import Stack

_KINDS = ("water", "fat")
_RUN = "run"


def pair_series(stacks: Sequence[Stack], *, filtered: bool) -> tuple[Stack, ...]:
    """Join stacks of which one has the water and the other the fat image.

    Returns in the same order; a joined stack keeps the name of its water image and says how it came
    about in its notes.
    """
    joined: dict[int, Stack] = {}
    gone: set[int] = set()
    for waters, fats in _halves(stacks):
        for w, f in _pairs(stacks, waters, fats, filtered=filtered):
            joined[w] = _join(stacks[w], stacks[f], filtered=filtered)
            gone.add(f)
    return tuple(joined.get(n, stack) for n, stack in enumerate(stacks) if n not in gone)


def run_hint(stack: Stack, stacks: Sequence[Stack]) -> str:
    """Say which other run has the half that a stack lacks, and how to pair them; empty if none."""
    for kind, other_kind in (_KINDS, _KINDS[::-1]):
        if kind not in stack.scans or other_kind in stack.scans:
            continue
        for other in stacks:
            if _without_run(other) == _without_run(stack) and _lone_half(other) == other_kind:
                runs = {kind: stack.entities.get(_RUN), other_kind: other.entities.get(_RUN)}
                rule = ", ".join(f'"{k}": {{"run": "{runs[k]}"}}' for k in _KINDS if runs[k])
                return (
                    f"{other.scans[other_kind].path.name} is in another run: if runs count "
                    f"series, pair them with --bids-filter-file: {{{rule}}}."
                )
    return ""


def _halves(stacks: Sequence[Stack]) -> list[tuple[list[int], list[int]]]:
    """Return the lone water and fat stacks of everything that differs in its run alone."""
    found: dict[tuple[tuple[str, str], ...], dict[str, list[int]]] = {}
    for n, stack in enumerate(stacks):
        half = _lone_half(stack)
        if half:
            sides = found.setdefault(_without_run(stack), {kind: [] for kind in _KINDS})
            sides[half].append(n)
    return [(sides["water"], sides["fat"]) for sides in found.values()]


def _lone_half(stack: Stack) -> str:
    """Return ``water`` or ``fat`` if the stack has that image, and nothing else to go by."""
    halves = [kind for kind in _KINDS if kind in stack.scans]
    complete = {"ff", "megre", "megre_real"} & stack.scans.keys()
    return halves[0] if len(halves) == 1 and not complete and not stack.duplicates else ""


def _without_run(stack: Stack) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, v) for k, v in stack.entities.items() if k != _RUN))


def _pairs(
    stacks: Sequence[Stack], waters: Sequence[int], fats: Sequence[int], *, filtered: bool
) -> list[tuple[int, int]]:
    if filtered and len(waters) == len(fats) == 1:
        return [(waters[0], fats[0])]
    if not (waters and fats):
        return []
    times = {n: _time(stacks[n]) for n in (*waters, *fats)}
    pairs = []
    for w in waters:
        same = [f for f in fats if times[w] and times[f] == times[w]]
        rivals = [other for other in waters if times[other] == times[w]]
        if len(same) == len(rivals) == 1:
            pairs.append((w, same[0]))
    return pairs


def _time(stack: Stack) -> str:
    """Return when a lone half was acquired; empty where its sidecar does not tell."""
    (scan,) = (stack.scans[kind] for kind in _KINDS if kind in stack.scans)
    fields: Mapping[str, object] = scan.metadata.fields
    day, time = fields.get("AcquisitionDate", ""), fields.get("AcquisitionTime")
    moment = fields.get("AcquisitionDateTime") or (f"{day} {time}" if time else "")
    return str(moment)


def _join(water: Stack, fat: Stack, *, filtered: bool) -> Stack:
    why = "the filter file names the run of each" if filtered else "they were acquired at one time"
    note = (
        f"{water.scans['water'].path.name} and {fat.scans['fat'].path.name} were paired, because "
        f"{why}."
    )
    scans = {**fat.scans, **water.scans}
    return replace(water, scans=scans, notes=(*water.notes, note))
