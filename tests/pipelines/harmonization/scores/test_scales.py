"""The table of scales."""

import subprocess
import sys
from pathlib import Path

from pipelines.harmonization.scores.scales import scales


def test_the_scales_of_score_tables_and_their_ends() -> None:
    assert {s.name: (s.lowest, s.highest, s.grades) for s in scales().values()} == {
        "0-4": (0.0, 4.0, (0, 1, 2, 3, 4)),
        "0-5": (0.0, 5.0, (0, 1, 2, 3, 4, 5)),
        "1-4": (1.0, 4.0, (1, 2, 3, 4)),
        "2a2b": (0.0, 4.0, (0, 1, 2, 3, 4)),
        "0-3": (0.0, 3.0, (0, 1, 2, 3)),
        "FF": (0.0, 100.0, ()),
    }


def test_every_scale_is_found_under_its_own_name_and_explained() -> None:
    for name, scale in scales().items():
        assert scale.name == name
        assert scale.description
        assert scale.lowest < scale.highest
        assert scale.noise == (5 if name == "FF" else 0)


def test_grades_are_ordered_and_reach_both_ends() -> None:
    for scale in scales().values():
        if scale.grades:
            assert list(scale.grades) == sorted(set(scale.grades))
            assert (scale.grades[0], scale.grades[-1]) == (scale.lowest, scale.highest)


def test_the_coding_of_letters_is_said() -> None:
    assert "0, 1, 2a, 2b, 3 coded 0 to 4" in scales()["2a2b"].description


def test_reading_scales_needs_only_the_standard_library(repository: Path) -> None:
    program = (
        "import sys; from pipelines.harmonization.scores.scales import scales; scales()\n"
        "print(sorted({'numpy', 'pandas', 'scipy', 'torch'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
