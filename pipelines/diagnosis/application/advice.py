"""Which missing muscles would tell most about the diagnosis of a partial scan."""

import numpy as np
import pandas as pd

from pipelines.arrays import Float64
from pipelines.diagnosis.ensemble.average import Ensemble
from pipelines.diagnosis.explanation.values import shap_values
from pipelines.diagnosis.model.diagnosis_model import DiagnosisModel
from pipelines.diagnosis.trust.partial import gain_text, missing_muscle_gain
from pipelines.harmonization.harmonize import PATIENT_FEATURES
from pipelines.harmonization.scores.native import NativeScores

# Members asked; all would cost more than the answer itself and change the order little.
_MEMBERS = 5
_NAMED = 3
# Smaller falls of the entropy (nats) are within what the estimate shows by chance.
_LEAST = 0.01


def advise(
    model: DiagnosisModel, sample: NativeScores, percent: Float64, *, threads: int = 1
) -> tuple[str, str]:
    """Name the missing muscles that would lower the uncertainty of one sample most, and say so.

    `percent` has the sample's muscles (m,) on the 0-100 axis. Returns the names, most helpful first
    and joined by commas (empty if none would help), and a sentence for people.
    """
    ensemble = model.ensemble
    step = -(-len(ensemble.members) // _MEMBERS)
    asked = Ensemble(
        ensemble.classes,
        ensemble.harmonization,
        ensemble.preparation,
        ensemble.members[::step],
        ensemble.combine,
        ensemble.temperature,
    )
    own = ensemble.harmonization.transform(sample)[0]

    def predict(values: Float64) -> Float64:
        features = _features(asked, sample.samples, values)
        # Sides are not filled in: asymmetry stays what the scored muscles say.
        kept = [asked.feature_names.index(f) for f in PATIENT_FEATURES if f != "mean_involvement"]
        features[:, kept] = own[kept]
        margins = shap_values(asked, features, threads=threads).member_margins
        return asked.probabilities(margins).astype(np.float64)

    table = missing_muscle_gain(
        predict, percent, model.muscle_reference, ensemble.harmonization.muscles
    )
    useful = table[table["reduction"] > _LEAST].head(_NAMED)
    return ", ".join(useful["candidate"]), gain_text(table, _NAMED)


def _features(ensemble: Ensemble, samples: pd.DataFrame, values: Float64) -> Float64:
    """Make features from muscles on the 0-100 axis (m columns, sides averaged)."""
    repeated = samples.loc[samples.index.repeat(len(values))].assign(scale="FF")
    repeated.index = pd.Index([f"filling-{i}" for i in range(len(values))], name="sample")
    native = np.full((*values.shape, 3), np.nan)
    native[..., 2] = values
    muscles = ensemble.harmonization.muscles
    return ensemble.harmonization.transform(NativeScores(repeated, muscles, native))
