"""Read the images of a Dixon stack, and compute the fat fraction of what was read."""

from dataclasses import dataclass
from typing import Protocol

from bids_app.dataset.inputs import EchoSeries, FatFractionMap, Inputs
from bids_app.files.images import load_volume
from bids_app.options.settings import Settings
from bids_app.participant.fat_fraction import FatFraction
from pipelines.arrays import Affine, Array
from pipelines.geometry import Orientation, resample, same_grid, to_canonical
from pipelines.water_fat.dixon import fat_fraction_from_map, fat_fraction_from_water_fat
from pipelines.water_fat.grids import MatchedGrids, match_grids


class StackImages(Protocol):
    """Images of a stack in canonical order, from which its fat fraction can be had."""

    @property
    def orientation(self) -> Orientation:
        """Way back to the stored order."""

    def fat_fraction(self, settings: Settings) -> FatFraction:
        """Compute, repair and check the fat fraction."""


def read_images(inputs: Inputs) -> StackImages:
    """Load the images of a stack; water and fat must share a field of view."""
    if isinstance(inputs, EchoSeries):
        # The separation is a quarter of all modules, and few sessions hold raw echoes.
        from bids_app.participant.echo_series import read_echoes

        return read_echoes(inputs)
    if isinstance(inputs, FatFractionMap):
        return _read_map(inputs)
    water_file, fat_file = load_volume(inputs.water.path), load_volume(inputs.fat.path)
    water, affine, orientation = to_canonical(water_file.data, water_file.affine)
    fat, fat_affine, _ = to_canonical(fat_file.data, fat_file.affine)
    grids = match_grids(water, affine, fat, fat_affine)
    return _WaterFatImages(grids, orientation, (*water_file.notes, *fat_file.notes))


@dataclass(frozen=True)
class _WaterFatImages:
    """Water and fat images on one grid, with what a person should know about the files."""

    grids: MatchedGrids
    orientation: Orientation
    notes: tuple[str, ...]

    def fat_fraction(self, settings: Settings) -> FatFraction:  # noqa: ARG002 (no choice here)
        """Compute, repair and check the fat fraction."""
        grids = self.grids
        dixon = fat_fraction_from_water_fat(grids.water, grids.fat, grids.affine, grids=grids)
        details = {
            "FatFractionMethod": "F / (W + F) of magnitude images",
            "Notes": list(self.notes),
        }
        return FatFraction(dixon, details)


@dataclass(frozen=True)
class _FatFractionImages:
    """A fat fraction map as stored, and a magnitude image on its grid if there is one."""

    ff: Array
    signal: Array | None
    affine: Affine
    orientation: Orientation
    notes: tuple[str, ...]

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
        return FatFraction(dixon, details)


def _read_map(inputs: FatFractionMap) -> _FatFractionImages:
    volume = load_volume(inputs.fat_fraction.path)
    ff, affine, orientation = to_canonical(volume.data, volume.affine)
    if inputs.signal is None:
        return _FatFractionImages(ff, None, affine, orientation, volume.notes)
    magnitude = load_volume(inputs.signal.path)
    signal, signal_affine, _ = to_canonical(magnitude.data, magnitude.affine)
    if not same_grid(ff.shape, affine, signal.shape, signal_affine):
        shape = (ff.shape[0], ff.shape[1], ff.shape[2])
        signal = resample(signal, signal_affine, shape, affine, outside=0.0)
    return _FatFractionImages(ff, signal, affine, orientation, (*volume.notes, *magnitude.notes))
