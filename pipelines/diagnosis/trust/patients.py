"""Patients with several visits: samples of one patient are not independent."""

import numpy as np
import numpy.typing as npt
import pandas as pd


def patient_codes(patient: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Give every patient a number, 0, 1, ... in order of first appearance.

    Parameters
    ----------
    patient : array_like, shape (n,)
        Patient of every sample.

    Returns
    -------
    ndarray of int64, shape (n,)
    """
    codes, _ = pd.factorize(np.asarray(patient, dtype=object))
    return np.asarray(codes, dtype=np.int64)


def one_sample_per_patient(patient: npt.ArrayLike, seed: int) -> npt.NDArray[np.int64]:
    """Choose one visit of every patient at random.

    Samples chosen like this are exchangeable between patients, which is what the guarantee of a
    conformal set and a binomial interval rest on.

    Parameters
    ----------
    patient : array_like, shape (n,)
        Patient of every sample.
    seed : int
        Seed of the choice.

    Returns
    -------
    ndarray of int64
        Rows, ascending, one per patient.
    """
    codes = patient_codes(patient)
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    _, first = np.unique(codes[shuffled], return_index=True)
    return np.sort(shuffled[first]).astype(np.int64)
