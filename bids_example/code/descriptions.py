"""What the example dataset says about itself."""

from typing import Any

BIDS_VERSION = "1.10.0"

# MIDS folders (mr-anat, mr-quant) are not known to the BIDS validator.
BIDSIGNORE = "mr-*\n"
TRUTH_BIDSIGNORE = "mr-*\ntruth_muscles.*\n"

DATASET: dict[str, Any] = {
    "Name": "MyoMIDS example: a simulated phantom of the thighs, no real people",
    "BIDSVersion": BIDS_VERSION,
    "DatasetType": "raw",
    "License": "CC0",
    "Authors": ["MyoMIDS contributors"],
    "GeneratedBy": [
        {
            "Name": "make_example.py",
            "Description": "Simulation from formulas and tables in code/ of this dataset.",
        }
    ],
}

TRUTH: dict[str, Any] = {
    "Name": "Truth of the MyoMIDS example phantom",
    "BIDSVersion": BIDS_VERSION,
    "DatasetType": "derivative",
    "License": "CC0",
    "GeneratedBy": DATASET["GeneratedBy"],
    "SourceDatasets": [{"URL": "../.."}],
}

PARTICIPANT_COLUMNS: dict[str, Any] = {
    "sex": {
        "Description": "Sex the simulated person stands for.",
        "Levels": {"F": "female", "M": "male"},
    },
    "age": {"Description": "Age the simulated person stands for.", "Units": "year"},
    "diagnosis": {
        "Description": "Diagnosis.",
        "Levels": {"phantom": "None: this is a simulation, not a person."},
    },
}

TRUTH_COLUMNS: dict[str, Any] = {
    "participant": {"Description": "Label of the participant."},
    "session": {"Description": "Label of the session; n/a if the participant has only one."},
    "muscle": {"Description": "Name of the muscle."},
    "side": {"Description": "left or right."},
    "ff_percent": {
        "Description": "Mean fat fraction of the noise-free phantom over the voxels of the "
        "muscle's label whose four neighbours in the slice have the same label.",
        "Units": "%",
    },
    "volume_ml": {
        "Description": "Volume of the muscle's geometry inside the stack, counted on nine points "
        "per voxel.",
        "Units": "mL",
    },
    "n_voxels": {"Description": "Number of voxels of the muscle's label."},
}

LABELS_SIDECAR: dict[str, Any] = {
    "Description": "True muscles: a voxel is labelled if more than half of it is the muscle. "
    "Adductor longus, adductor brevis and pectineus are in the images but have no label.",
    "Manual": False,
    "Atlas": "none",
}

IMAGE_SIDECARS: dict[str, dict[str, Any]] = {
    "water": {"PulseSequenceType": "Water Map", "Units": "arbitrary"},
    "fat": {"PulseSequenceType": "Fat Map", "Units": "arbitrary"},
    # Without Units, as consoles write them: who reads the map has to find them.
    "ff_permille": {"PulseSequenceType": "FF Map"},
}

README = """\
# Simulated phantom of the thighs

No real person was scanned for this dataset. `code/make_example.py` computes every image from
formulas and the tables beside it, so that the truth is known exactly. It shows how a MIDS dataset
looks and serves as a reference object: a method that measures muscle fat should find the numbers of
`derivatives/truth/truth_muscles.tsv`.

{people}
Every scan: axial stack of {slices} slices of {thickness:g} mm, {pixel:g} mm pixels, both thighs
from above the knee cap to the ischial tuberosity; 11 labelled muscles per side, three adductors
without label, femur, vessels, fat and skin. Muscles hold a known mean fat fraction with streaks and
patches around it.

Noise is Rician (magnitude images), with a signal-to-noise ratio of {snr:g}: signal of fat-free
muscle over the standard deviation of the noise in the real part. The lift it gives the fat signal
stays below 0.1 percentage points of fat fraction in every muscle.

To make the dataset again, or to check it, from the root of the repository:

    python -m bids_example.code.make_example bids_example
    python -m bids_example.code.make_example --check bids_example
"""

TRUTH_README = """\
# Truth of the simulated phantom

`truth_muscles.tsv` holds the fat fraction and volume every muscle was given; the label images show
where the muscles are. Both come from the simulation, not from a measurement.
"""
