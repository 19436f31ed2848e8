"""Numbers of the tissues in a completed anatomy, and the classes a model learns from them."""

import numpy as np

# Tissue numbers. 1-11 are the labelled muscles, as in pipelines/anatomy/labels/thigh11.tsv.
BACKGROUND = 0
MUSCLES = tuple(range(1, 12))
CORTEX = 12
MARROW = 13
VESSEL = 14
FAT = 15
SKIN = 16
# Fat that has taken the room of a wasted muscle inside its fascia.
FATTY_RIM = 17
# Unlabelled muscles and organs are cells with a number each, so that each gets its own disease.
FIRST_CELL = 20
LAST_CELL = 250

# Classes beyond the muscles teach the network what surrounds them; they are dropped afterwards.
BONE_CLASS = 12
OTHER_MUSCLE_CLASS = 13
BODY_CLASS = 14
CLASS_NAMES = (
    "background",
    "sartorius",
    "rectus_femoris",
    "vastus_lateralis",
    "vastus_intermedius",
    "vastus_medialis",
    "adductor_magnus",
    "gracilis",
    "biceps_femoris_long_head",
    "semitendinosus",
    "semimembranosus",
    "biceps_femoris_short_head",
    "femur",
    "other_muscle",
    "other_tissue",
)


def class_of_tissue() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return the look-up table from tissue number (0-255) to the class a model learns."""
    table = np.full(256, OTHER_MUSCLE_CLASS, np.uint8)
    table[BACKGROUND] = 0
    table[list(MUSCLES)] = MUSCLES
    table[[CORTEX, MARROW]] = BONE_CLASS
    table[[VESSEL, FAT, SKIN, FATTY_RIM]] = BODY_CLASS
    return table
