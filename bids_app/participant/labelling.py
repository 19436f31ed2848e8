"""Where the muscle labels of a stack come from: a model, or label maps someone else made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from bids_app.dataset.label_maps import LabelMap, find_label_map, read_lookup, unused_label_maps
from bids_app.dataset.scans import Session, Stack
from bids_app.errors import AppError, ExitCode, from_pipeline
from bids_app.files.images import load_labels
from bids_app.files.provenance import bids_uri
from bids_app.files.reading import checksum
from bids_app.options.settings import Settings
from bids_app.participant.name_claims import check_name_claims
from pipelines.arrays import Array, UInt16
from pipelines.errors import PipelineError
from pipelines.geometry import resample, same_grid, to_canonical
from pipelines.quality import Check

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.segmentation.catalogue.model_files import ModelFiles
    from pipelines.segmentation.inference.predict import Segmenter
    from pipelines.water_fat.dixon import DixonResult


@dataclass(frozen=True)
class Labelling:
    """Muscle labels of a stack in our values and canonical order, with sidecar and quality.

    Confidence (a row per ``muscle`` and ``side``) is None for label maps made elsewhere.
    """

    labels: UInt16
    provenance: Mapping[str, Any]
    checks: tuple[Check, ...] = ()
    confidence: "pd.DataFrame | None" = None
    parts: "pd.DataFrame | None" = None


@dataclass(frozen=True)
class LabelSource:
    """Gives every stack its labels; can be sent to worker processes.

    Without a model every label map is given, or none is needed.
    """

    settings: Settings
    model: "ModelFiles | None"
    work_dir: Path
    threads: int

    def identity(self, session: Session) -> dict[str, Any]:
        """Return what the labels of a session depend on, for its completion marker."""
        if self.model is not None:
            return {"Model": self.model.name, "SHA256": self.model.checksum}
        maps = (find_label_map(self.settings.derivatives, session, s) for s in session.stacks)
        return {m.image.name: checksum(m.image) for m in maps if m is not None}

    def label(
        self,
        session: Session,
        stack: Stack,
        dixon: "DixonResult",
    ) -> Labelling:
        """Label the muscles of a stack on the grid of its fat fraction."""
        labelling = self._label(session, stack, dixon)
        claims = check_name_claims(stack.entities, labelling.labels, labelling.parts)
        return replace(labelling, checks=(*labelling.checks, *claims))

    def _label(self, session: Session, stack: Stack, dixon: "DixonResult") -> Labelling:
        """Label a stack with the model, or read its label map."""
        if self.model is not None:
            return _segment(self, dixon)
        found = self.given_map(session, stack)
        return _read(found, self.settings, dixon)

    def given_map(self, session: Session, stack: Stack) -> LabelMap:
        """Return the label map that was given for a stack; refuse a stack without one."""
        found = find_label_map(self.settings.derivatives, session, stack)
        if found is None:
            raise AppError(
                f"No label map of {session.id.name} {stack.name}".rstrip()
                + f" in {', '.join(f'{k}={v}' for k, v in self.settings.derivatives.items())}.",
                ExitCode.INPUT_MISSING,
                unused_label_maps(self.settings.derivatives, session, stack)
                + "Add sub-..._desc-muscles_dseg.nii.gz, or leave out --derivatives to segment.",
            )
        return found


def prepare_labels(settings: Settings, work_dir: Path, threads: int) -> LabelSource:
    """Check before the first session that labels can be had, and open the model."""
    if settings.derivatives:
        for name, folder in settings.derivatives.items():
            if not folder.is_dir():
                raise AppError(
                    f"The folder of --derivatives {name}={folder} does not exist.",
                    ExitCode.INPUT_MISSING,
                    "Check the path; in a container, mount the folder.",
                )
        return LabelSource(settings, None, work_dir, threads)
    from pipelines.segmentation.catalogue.model_files import open_model
    from pipelines.segmentation.catalogue.registry import read_registry
    from pipelines.segmentation.inference.device import resolve_device

    try:
        resolve_device(settings.device)
        registry = read_registry(settings.model_registry)
        model = open_model(
            settings.model or registry.default,
            registry,
            cache_dir=work_dir / "models",
            trust_model=settings.trust_model,
        )
    except PipelineError as error:
        raise from_pipeline(error) from error
    return LabelSource(settings, model, work_dir, threads)


def _segment(source: LabelSource, dixon: "DixonResult") -> Labelling:
    """Label a stack with the model."""
    from pipelines.segmentation.review.review import Tissue
    from pipelines.segmentation.segment import segment

    segmenter = _load_segmenter(source)
    with tqdm(total=None, desc="segmentation", unit="tile", leave=False, disable=None) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        result = segment(
            _segmentation_images(dixon),
            dixon.affine,
            segmenter,
            progress,
            limbs=dixon.limbs,
            tissue=Tissue(dixon.ff, dixon.body),
        )
    provenance = {
        "SegmentationModel": {
            "Name": segmenter.files.name,
            "Version": segmenter.files.version,
            "SHA256": segmenter.files.checksum,
        },
        "SegmentationSettings": result.provenance,
    }
    return Labelling(
        result.labels, provenance, tuple(result.checks), result.confidence, result.parts
    )


def _segmentation_images(dixon: "DixonResult") -> dict[str, Array]:
    """Return the images a model may segment.

    A fat fraction map alone becomes a pair of images with constant sum inside the body, which is
    what water and fat look like once their common intensity is divided out.
    """
    if dixon.water is not None and dixon.fat is not None:
        return {"water": dixon.water, "fat": dixon.fat}
    fraction = np.where(dixon.body, np.nan_to_num(dixon.ff) / 100.0, 0.0).astype(np.float32)
    return {"water": np.where(dixon.body, 1.0 - fraction, 0.0).astype(np.float32), "fat": fraction}


# Loading a large model takes seconds; a worker process keeps it for all its sessions.
_loaded: dict[tuple[str, str, int], "Segmenter"] = {}


def _load_segmenter(source: LabelSource) -> "Segmenter":
    from pipelines.segmentation.inference.predict import load_segmenter

    assert source.model is not None, "asked to segment without a model"
    key = (source.model.checksum, source.settings.device, source.threads)
    if key not in _loaded:
        _loaded[key] = load_segmenter(
            source.model,
            device=source.settings.device,
            threads=source.threads,
            cache_dir=source.work_dir / "networks",
        )
    return _loaded[key]


def _read(found: LabelMap, settings: Settings, dixon: "DixonResult") -> Labelling:
    """Read a label map made elsewhere and translate its values to ours."""
    from pipelines.segmentation.review.review import Tissue, review_given_labels
    from pipelines.segmentation.sides.splitting import split_sides

    shape, affine = dixon.ff.shape, dixon.affine
    volume = load_labels(found.image)
    labels, own_affine, _ = to_canonical(volume.data, volume.affine)
    checks: tuple[Check, ...] = ()
    if not same_grid(labels.shape, own_affine, shape, affine):
        labels = resample(labels, own_affine, shape, affine, interpolation="nearest", outside=0)
        text = "The label map lay on another grid than the images; it was resampled (nearest)."
        checks = (Check("label_grid", "warn", text),)
    lookup = read_lookup(found.lookup)
    split = split_sides(labels, affine, lookup)
    if not split.labels.any():
        raise AppError(
            f"The label map {found.image} holds no known muscle inside the image.",
            ExitCode.BAD_DATA,
            "Check that it belongs to this scan and that its table names the muscles.",
        )
    uri = bids_uri(found.image, settings.derivatives[found.derivative], found.derivative)
    provenance = {"LabelSource": f"Label map {uri}", "LabelSHA256": checksum(found.image)}
    review = review_given_labels(
        split.labels, affine, lookup, split.limbs, tissue=Tissue(dixon.ff, dixon.body)
    )
    checks = (*checks, *split.checks, *review.checks)
    return Labelling(review.labels, provenance, checks, None, review.parts)
