"""Which scans of a stack its fat fraction is computed from, and what is lacking where none is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bids_app.dataset.naming import spellings
from bids_app.dataset.scans import Scan, Session, Stack
from bids_app.dataset.series_pairing import run_hint

# Magnitude images that show the body, best first.
_SIGNAL_KINDS = ("in_phase", "opposed_phase", "water", "fat")

# How many unused images a message names.
_MOST_NAMED = 5


@dataclass(frozen=True)
class WaterFatPair:
    """Water and fat images: fat fraction is computed."""

    water: Scan
    fat: Scan

    @property
    def scans(self) -> tuple[Scan, ...]:
        """All scans that are used."""
        return (self.water, self.fat)


@dataclass(frozen=True)
class FatFractionMap:
    """A fat fraction map made by the scanner or other software.

    Attributes
    ----------
    fat_fraction : Scan
        The map.
    signal : Scan or None
        A magnitude image of the same acquisition, in which the body is easier to find.
    """

    fat_fraction: Scan
    signal: Scan | None = None

    @property
    def scans(self) -> tuple[Scan, ...]:
        """All scans that are used."""
        return (self.fat_fraction,) if self.signal is None else (self.fat_fraction, self.signal)


@dataclass(frozen=True)
class EchoSeries:
    """Raw gradient echoes: water and fat are separated.

    Attributes
    ----------
    first, second : Scan, Scan or None
        Magnitude and phase, or real and imaginary part; `second` is None if only the magnitude
        was kept.
    """

    first: Scan
    second: Scan | None = None

    @property
    def scans(self) -> tuple[Scan, ...]:
        """All scans that are used."""
        return (self.first,) if self.second is None else (self.first, self.second)


Inputs = WaterFatPair | FatFractionMap | EchoSeries


@dataclass(frozen=True)
class Unusable:
    """Why a stack cannot be processed, and what to do about it."""

    reason: str
    hint: str


@dataclass(frozen=True)
class SessionInputs:
    """What the results of a session are made from, stack by stack.

    Attributes
    ----------
    stacks : tuple of (Stack, Inputs or Unusable)
        In the order of the session.
    reason : str or None
        Why no fat fraction can be computed in the session; None if one can.
    hint : str
        What to do about it.
    """

    stacks: tuple[tuple[Stack, Inputs | Unusable], ...]
    reason: str | None
    hint: str


def select_inputs(stack: Stack) -> Inputs | Unusable:
    """Choose the scans of a stack that its fat fractions come from.

    Water and fat are preferred to a fat fraction map, because the map hides noise and swaps, and
    finished maps to raw echoes, because the site chose how to make them.
    """
    scans = stack.scans
    if "water" in scans and "fat" in scans:
        return WaterFatPair(scans["water"], scans["fat"])
    for kind in ("water", "fat", "ff"):
        if kind in stack.duplicates:
            names = " and ".join(path.name for path in stack.duplicates[kind])
            return Unusable(
                f"Several files claim to be its {kind} image: {names}.",
                "Tell them apart with acq- or run- in their names, or choose one with "
                "--bids-filter-file.",
            )
    if "ff" in scans:
        signals = [scans[kind] for kind in _SIGNAL_KINDS if kind in scans]
        return FatFractionMap(scans["ff"], signals[0] if signals else None)
    if "megre" in scans:
        return EchoSeries(scans["megre"], scans.get("megre_phase"))
    if "megre_real" in scans and "megre_imag" in scans:
        return EchoSeries(scans["megre_real"], scans["megre_imag"])
    return _lacking(scans)


def session_inputs(session: Session) -> SessionInputs:
    """Choose the scans of every stack of a session."""
    hints = [run_hint(stack, session.stacks) for stack in session.stacks]
    stacks = tuple(
        (stack, _select_or_hint(stack, hint))
        for stack, hint in zip(session.stacks, hints, strict=True)
    )
    hint = next(filter(None, hints), "docs/input.md lists the scans that can be used.")
    return SessionInputs(stacks, _unusable_reason(session, stacks), hint)


def _select_or_hint(stack: Stack, hint: str) -> Inputs | Unusable:
    chosen = select_inputs(stack)
    if not (hint and isinstance(chosen, Unusable)):
        return chosen
    return Unusable(chosen.reason, hint)


def _unusable_reason(
    session: Session, stacks: Sequence[tuple[Stack, Inputs | Unusable]]
) -> str | None:
    if any(not isinstance(inputs, Unusable) for _, inputs in stacks):
        return None
    lacking = {stack.name: o.reason for stack, o in stacks if isinstance(o, Unusable)}
    if lacking:
        return " ".join(f"{name}: {why}" if name else why for name, why in lacking.items())
    if not session.left_out:
        return (
            "There are no images in its folder; if this is a DataLad dataset, fetch them: "
            f"datalad get {session.id.folder}."
        )
    named = [f"{path.name} ({why})" for path, why in session.left_out.items()]
    more = len(named) - _MOST_NAMED
    end = f" and {more} more" if more > 0 else ""
    return f"None of its images is used: {', '.join(named[:_MOST_NAMED])}{end}."


def _lacking(scans: Mapping[str, Scan]) -> Unusable:
    """Say what is lacking in a stack without a pair or a fat fraction map."""
    if "water" in scans or "fat" in scans:
        there, lacking = ("water", "fat") if "water" in scans else ("fat", "water")
        return Unusable(
            f"It has a {there} image ({scans[there].path.name}) but no {lacking} image.",
            f"Names read as {lacking}, in any case: {', '.join(spellings(lacking))}.",
        )
    parts = [key for key in ("megre_phase", "megre_real", "megre_imag") if key in scans]
    if parts:
        return Unusable(
            f"It has {scans[parts[0]].path.name} but neither the magnitude of these echoes nor "
            "both real and imaginary part.",
            "Add the magnitude (..._MEGRE.nii.gz).",
        )
    if "in_phase" in scans or "opposed_phase" in scans:
        return Unusable(
            "In- and opposed-phase images do not say which of water and fat is which.",
            "Add the water and fat images.",
        )
    return Unusable(
        f"It holds no Dixon images, only: {', '.join(sorted(scans)) or 'several of one name'}.",
        "Add water and fat images or a fat fraction map; docs/input.md lists their names.",
    )
