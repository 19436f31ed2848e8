"""Water and fat signals of a section of tissue, before the scanner's imperfections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from pipelines.arrays import Bool, Float32, UInt8
from pipelines.segmentation.synthesis.disease import (
    Replacement,
    draw_fat_fractions,
    draw_patterns,
    draw_replacement,
    fat_fraction_map,
    replace_muscles,
)
from pipelines.segmentation.synthesis.noise_bank import NoiseBank
from pipelines.segmentation.synthesis.selective_growth import Growth, follow_growth
from pipelines.segmentation.synthesis.tissues import (
    BACKGROUND,
    CORTEX,
    FAT,
    FATTY_RIM,
    FIRST_CELL,
    MARROW,
    MUSCLES,
    SKIN,
    VESSEL,
)

# Fat fraction and signal (healthy muscle is 1) of what is not muscle. Subcutaneous fat holds some
# water, and separation leaves some in it; cortical bone has hardly any signal; vessels with
# inflow are bright.
UNIFORM_TISSUES: Mapping[int, tuple[tuple[float, float], tuple[float, float]]] = {
    FAT: ((0.78, 0.98), (1.0, 1.0)),
    FATTY_RIM: ((0.65, 0.98), (1.0, 1.0)),
    MARROW: ((0.88, 0.99), (1.0, 1.0)),
    CORTEX: ((0.1, 0.7), (0.01, 0.15)),
    VESSEL: ((0.0, 0.15), (0.9, 2.5)),
    SKIN: ((0.05, 0.6), (0.3, 1.3)),
}
# Children and some patients have red marrow; vessels without inflow are flow voids.
RED_MARROW_CHANCE = 0.12
RED_MARROW_FAT = (0.4, 0.8)
FLOW_VOID_CHANCE = 0.35
FLOW_VOID_SIGNAL = (0.05, 0.4)
# Spread of the logarithm of the muscles' water signal: alike in most scans, unlike in some.
MUSCLE_BRIGHTNESS_SPREADS = (0.04, 0.12)
# Oedematous muscles are brighter by this share.
EDEMA_CHANCE = 0.08
EDEMA_GAIN = (0.1, 0.6)
# Mean and spread of the logarithm of fat's signal relative to muscle's (T1 weighting).
FAT_GAIN_LOG = (0.25, 0.35)
# A replaced muscle keeps some water more than fat under the skin.
MOST_REPLACED_SHARE = 0.92
# Largest loss of signal in the lines of collagen between muscles.
MOST_FASCIA_LOSS = 0.5
# Strongest grain of the muscles' signal.
MOST_GRAIN = 0.12
# Number and radius (pixels) of vessels inside the fascia and under the skin.
DEEP_VESSELS = ((2, 9), (1.0, 4.5))
SUBCUTANEOUS_VESSELS = ((0, 12), (0.5, 1.3))
# Fat is smoother than muscle: share of the muscle's grain it shows.
FAT_GRAIN = 0.35


@dataclass(frozen=True)
class Look:
    """Appearance of one synthetic scan: a signal and a fat fraction for every tissue and side.

    Attributes
    ----------
    replacement : Replacement
        Fat fraction of the tissues and its pattern.
    brightness : ndarray of shape (2 * 256,)
        Signal of the tissue's water relative to healthy muscle.
    fat_gain : float
        Signal of pure fat relative to pure muscle water (T1 weighting).
    fascia : float
        Strength of the lines between muscles, 0-1.
    fascia_signal : float
        Loss of signal in them, 0-1 (collagen has a short T2*).
    """

    replacement: Replacement
    brightness: Float32
    fat_gain: float
    fascia: float
    fascia_signal: float


def draw_look(
    rng: np.random.Generator, growth: Sequence[Growth] = (), replaced_chance: float = 0.0
) -> Look:
    """Draw the appearance of a scan in which some muscles swell or waste, or are mostly fat."""
    fractions = follow_growth(draw_fat_fractions(rng), growth, rng)
    if replaced_chance > 0 and rng.random() < replaced_chance:
        fractions = replace_muscles(fractions, rng)
    brightness = np.exp(rng.normal(0, rng.choice(MUSCLE_BRIGHTNESS_SPREADS), (2, 256)))
    edema = rng.random((2, 256)) < EDEMA_CHANCE
    brightness[edema] *= 1 + rng.uniform(*EDEMA_GAIN, edema.sum())
    for tissue, (fat, signal) in UNIFORM_TISSUES.items():
        fractions[:, tissue] = rng.uniform(*fat)
        brightness[:, tissue] = rng.uniform(*signal)
    muscles = np.setdiff1d(np.arange(256), (BACKGROUND, *UNIFORM_TISSUES))
    most = MOST_REPLACED_SHARE * fractions[:, [FAT]]
    fractions[:, muscles] = np.minimum(fractions[:, muscles], most)
    if rng.random() < RED_MARROW_CHANCE:
        fractions[:, MARROW] = rng.uniform(*RED_MARROW_FAT)
    if rng.random() < FLOW_VOID_CHANCE:
        brightness[:, VESSEL] = rng.uniform(*FLOW_VOID_SIGNAL)
    brightness[:, BACKGROUND] = 0.0
    return Look(
        _without_pattern(draw_replacement(fractions, rng)),
        brightness.reshape(-1).astype(np.float32),
        float(np.exp(rng.normal(*FAT_GAIN_LOG))),
        rng.uniform(0, 1),
        rng.uniform(0, MOST_FASCIA_LOSS),
    )


def _without_pattern(replacement: Replacement) -> Replacement:
    """Take the pattern of disease out of what is not muscle."""
    tissue = np.arange(replacement.mean.size) % 256
    uniform = np.isin(tissue, (BACKGROUND, *UNIFORM_TISSUES))
    mean = replacement.mean
    return replace(
        replacement,
        low=np.where(uniform, 0.98 * mean, replacement.low).astype(np.float32),
        high=np.where(uniform, np.minimum(1.02 * mean, 1), replacement.high).astype(np.float32),
        threshold=np.where(uniform, 0.5, replacement.threshold).astype(np.float32),
    )


def paint(
    sections: list[UInt8],
    right: Bool,
    look: Look,
    bank: NoiseBank,
    rng: np.random.Generator,
) -> Float32:
    """Return the water and fat signals of a slice made of several thin sections.

    `sections` and `right` are (x, y); the result is (2, x, y).
    """
    shape = (right.shape[0], right.shape[1])
    patterns = draw_patterns(bank, shape, rng)
    grain = rng.uniform(0, MOST_GRAIN) * bank.draw("grain", shape, rng)
    fascia = look.fascia * bank.draw_uniform("smooth", shape, rng)
    pair = np.zeros((2, *shape), np.float32)
    side = 256 * right.ravel().astype(np.intp)
    for section in sections:
        rows = side + section.ravel()
        fraction = fat_fraction_map(rows, look.replacement, patterns).reshape(shape)
        signal = look.brightness[rows].reshape(shape)
        signal *= 1 + grain * np.where(is_muscle(section), 1.0, FAT_GRAIN).astype(np.float32)
        line = fascia * boundaries(section)
        # Fat lies between lean muscles, collagen shows between fatty ones.
        fraction = fraction + line * (np.clip(1 - fraction, 0.25, 0.9) - fraction)
        signal = signal * (1 - look.fascia_signal * line)
        signal *= 1 + (look.fat_gain - 1) * fraction
        pair[0] += signal * (1 - fraction)
        pair[1] += signal * fraction
    pair /= len(sections)
    return pair


def is_muscle(section: UInt8) -> Bool:
    """Tell which pixels show a labelled or an unlabelled muscle."""
    return ((section >= MUSCLES[0]) & (section <= MUSCLES[-1])) | (section >= FIRST_CELL)


def boundaries(section: UInt8) -> Float32:
    """Return 1 where two tissues meet and one of them lies in a muscle's fascia, else 0."""
    muscle = is_muscle(section) | (section == FATTY_RIM)
    lines = np.zeros(section.shape, np.float32)
    for axis in (0, 1):
        a = np.take(section, np.arange(section.shape[axis] - 1), axis)
        b = np.take(section, np.arange(1, section.shape[axis]), axis)
        m = np.take(muscle, np.arange(section.shape[axis] - 1), axis)
        n = np.take(muscle, np.arange(1, section.shape[axis]), axis)
        meets = (a != b) & (m | n)
        target = lines[:-1] if axis == 0 else lines[:, :-1]
        target[meets] = 1.0
    return lines


def add_vessels(
    section_stack: list[UInt8], depth: Float32, rng: np.random.Generator
) -> list[UInt8]:
    """Put vessels into the fat: large ones inside the fascia, small ones under the skin."""
    painted = [section.copy() for section in section_stack]
    middle = section_stack[len(section_stack) // 2]
    for inside, (counts, radii) in ((True, DEEP_VESSELS), (False, SUBCUTANEOUS_VESSELS)):
        candidates = np.flatnonzero((middle == FAT) & ((depth > 0) == inside))
        if candidates.size == 0:
            continue
        for position in rng.choice(candidates, rng.integers(*counts)):
            x, y = np.unravel_index(position, middle.shape)
            radius = rng.uniform(*radii)
            reach = int(np.ceil(radius))
            window = tuple(
                slice(max(p - reach, 0), min(p + reach + 1, n))
                for p, n in zip((x, y), middle.shape, strict=True)
            )
            gx, gy = np.ogrid[window]
            disk = (gx - x) ** 2 + (gy - y) ** 2 <= radius**2
            for section in painted:
                target = section[window]
                target[disk & (target == FAT)] = VESSEL
    return painted


def shrink_muscle(section: UInt8, value: int, pixels: float, filling: int) -> UInt8:
    """Return a section in which another tissue has the outermost `pixels` of a muscle.

    `section` is (x, y).
    """
    mask = section == value
    if not mask.any():
        return section
    columns, rows = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    window = (
        slice(max(columns[0] - 1, 0), columns[-1] + 2),
        slice(max(rows[0] - 1, 0), rows[-1] + 2),
    )
    edge = mask[window] & (ndimage.distance_transform_edt(mask[window]) <= pixels)
    shrunk = section.copy()
    shrunk[window][edge] = filling
    return shrunk
