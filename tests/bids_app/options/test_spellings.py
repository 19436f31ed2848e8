"""Options that people know from other apps mean what they mean there."""

import pytest

from bids_app.options.spellings import usual_spellings


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        (["--skip_bids_validation"], ["--skip-bids-validation"]),
        (["--skip-bids-validator"], ["--skip-bids-validation"]),
        (["--skip_bids_validator"], ["--skip-bids-validation"]),
        (["--participant_label", "01"], ["--participant_label", "01"]),
        (["--session_id", "1"], ["--session-id", "1"]),
        (["--nthreads", "4"], ["--nprocs", "4"]),
        (["--n_cpus=4"], ["--nprocs=4"]),
        (["--n-cpus", "4"], ["--nprocs", "4"]),
        (["--omp_nthreads", "2"], ["--omp-nthreads", "2"]),
        (["--mem_mb", "8000"], ["--mem", "8000MB"]),
        (["--mem-gb=16"], ["--mem", "16GB"]),
        (["--verbose"], ["-v"]),
        (["--work_dir", "/tmp/a_b"], ["--work-dir", "/tmp/a_b"]),
        (["--unheard_of", "x_y"], ["--unheard_of", "x_y"]),
        (
            ["data_set", "out_put", "participant", "-vv"],
            ["data_set", "out_put", "participant", "-vv"],
        ),
        (["--mem-mb"], ["--mem", "MB"]),
    ],
)
def test_each_spelling(given, ours):
    assert usual_spellings(given) == ours
