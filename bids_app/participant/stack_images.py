"""Read the images of a Dixon stack, and compute the fat fraction of what was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from bids_app.dataset.inputs import EchoSeries, FatFractionMap, Inputs, WaterFatPair
from bids_app.files.images import geometry_checks, load_volume
from bids_app.options.settings import Settings
from bids_app.participant.fat_fraction import FatFraction, with_input_checks
from pipelines.arrays import Affine, Array
from pipelines.geometry import Orientation, resample, same_grid, to_canonical
from pipelines.quality import Check
from pipelines.water_fat.common_scale import common_scale
from pipelines.water_fat.dixon import fat_fraction_from_map, fat_fraction_from_water_fat
from pipelines.water_fat.grids import MatchedGrids, match_grids

if TYPE_CHECKING:
    from pipelines.water_fat.separation.decision import PriorSign


class StackImages(Protocol):
    """Images of a stack in canonical order, from which its fat fraction can be had."""

    @property
    def orientation(self) -> Orientation:
        """Way back to the stored order."""

    def fat_fraction(self, settings: Settings) -> FatFraction:
        """Compute, repair and check the fat fraction."""


def read_images(
    inputs: Inputs, prior_signs: "Mapping[str, PriorSign] | None" = None
) -> StackImages:
    """Load the images of a stack; water and fat must share a field of view.

    Raw echoes whose sign of the phase is open take it from `prior_signs`, by the origin of scans.
    """
    if isinstance(inputs, EchoSeries):
        # The separation is a quarter of all modules, and few sessions hold raw echoes.
        from bids_app.participant.echo_series import read_echoes

        return read_echoes(inputs, prior_signs or {})
    if isinstance(inputs, FatFractionMap):
        return _read_map(inputs)
    return _read_pair(inputs)


def _read_pair(inputs: WaterFatPair) -> "_WaterFatImages":
    water_file, fat_file = load_volume(inputs.water.path), load_volume(inputs.fat.path)
    water, affine, orientation = to_canonical(water_file.data, water_file.affine)
    fat, fat_affine, _ = to_canonical(fat_file.data, fat_file.affine)
    scale = common_scale(inputs.water.metadata.fields, inputs.fat.metadata.fields)
    if scale.fat_factor != 1:
        fat = fat.astype(np.float32) * np.float32(scale.fat_factor)
    checks = (
        *geometry_checks(water_file, inputs.water.metadata.fields),
        *geometry_checks(fat_file, inputs.fat.metadata.fields),
        *scale.checks,
    )
    notes = (*water_file.notes, *fat_file.notes, *scale.notes)
    grids = match_grids(water, affine, fat, fat_affine)
    return _WaterFatImages(grids, orientation, notes, checks)


@dataclass(frozen=True)
class _WaterFatImages:
    """Water and fat images on one canonical grid, and the way back to the stored order of water."""

    grids: MatchedGrids
    orientation: Orientation
    notes: tuple[str, ...]
    checks: tuple[Check, ...]

    def fat_fraction(self, settings: Settings) -> FatFraction:  # noqa: ARG002 (no choice here)
        """Compute, repair and check the fat fraction."""
        grids = self.grids
        dixon = fat_fraction_from_water_fat(grids.water, grids.fat, grids.affine, grids=grids)
        details = {
            "FatFractionMethod": "F / (W + F) of magnitude images",
            "Notes": list(self.notes),
        }
        return FatFraction(with_input_checks(dixon, self.checks), details)


@dataclass(frozen=True)
class _FatFractionImages:
    """A fat fraction map in canonical order, and a magnitude image on its grid if there is one."""

    ff: Array
    signal: Array | None
    affine: Affine
    orientation: Orientation
    notes: tuple[str, ...]
    checks: tuple[Check, ...]

    def fat_fraction(self, settings: Settings) -> FatFraction:
        """Bring the map to percent and check it."""
        dixon = fat_fraction_from_map(
            self.ff, self.affine, settings.fat_fraction_units, signal=self.signal
        )
        details = {
            "FatFractionMethod": "given map, brought to percent",
            "InputUnits": dixon.units,
            "Notes": list(self.notes),
        }
        return FatFraction(with_input_checks(dixon, self.checks), details)


def _read_map(inputs: FatFractionMap) -> _FatFractionImages:
    volume = load_volume(inputs.fat_fraction.path)
    ff, affine, orientation = to_canonical(volume.data, volume.affine)
    checks = geometry_checks(volume, inputs.fat_fraction.metadata.fields)
    if inputs.signal is None:
        return _FatFractionImages(ff, None, affine, orientation, volume.notes, tuple(checks))
    magnitude = load_volume(inputs.signal.path)
    signal, signal_affine, _ = to_canonical(magnitude.data, magnitude.affine)
    if not same_grid(ff.shape, affine, signal.shape, signal_affine):
        shape = (ff.shape[0], ff.shape[1], ff.shape[2])
        signal = resample(signal, signal_affine, shape, affine, outside=0.0)
    checks += geometry_checks(magnitude, inputs.signal.metadata.fields)
    notes = (*volume.notes, *magnitude.notes)
    return _FatFractionImages(ff, signal, affine, orientation, notes, tuple(checks))
