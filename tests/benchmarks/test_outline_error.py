"""What wrong outlines cost, on muscles whose fat fraction is known in every voxel."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import outline_error
from benchmarks.outline_error import DICE, scene_rows, summarize
from benchmarks.outline_perturbation import Scene, added_voxels

# Slices ten times as thick as pixels are wide: the app erodes within the slice.
SIZES = np.array([1.0, 1.0, 10.0])


def homogeneous(inside: float, around: float, beside: float) -> pd.DataFrame:
    """Measure a block of one fat fraction; the muscle beside it, the rest have others."""
    mask = np.zeros((100, 100, 12), bool)
    mask[30:60, 30:60, 1:11] = True
    others = np.zeros_like(mask)
    others[60:90, 30:60, 1:11] = True
    ff = np.full(mask.shape, around)
    ff[mask], ff[others] = inside, beside
    scene = Scene(mask, others, np.ones_like(mask), SIZES)
    return pd.DataFrame(scene_rows(scene, ff))


def test_less_of_a_homogeneous_muscle_has_the_same_fat_fraction_and_less_volume() -> None:
    rows = homogeneous(10.0, 90.0, 30.0)
    part = rows[rows["kind"].isin(["eroded", "end cut"])]
    assert len(part) == 3 * len(DICE)
    assert (part["ff"] == 10.0).all()
    assert (part["ff_error"] == 0.0).all()
    assert (part["ff_error_uneroded"] == 0.0).all()
    # A part with Dice D has D / (2 - D) of the volume.
    share = part["target"] / (2 - part["target"])
    assert part["volume_error_pct"].tolist() == pytest.approx(
        (100 * (share - 1)).tolist(), abs=0.01
    )


def test_what_is_taken_in_mixes_by_voxels() -> None:
    rows = homogeneous(10.0, 90.0, 30.0)
    voxels = 30 * 30 * 10
    for kind, taken in (("dilated", (30.0, 90.0)), ("neighbour", (30.0, 30.0))):
        for _, row in rows[rows["kind"] == kind].iterrows():
            added = added_voxels(voxels, row["target"])
            lowest, highest = ((ff - 10.0) * added / (voxels + added) for ff in taken)
            assert lowest - 1e-9 <= row["ff_error_uneroded"] <= highest + 1e-9
            assert row["volume_error_pct"] == pytest.approx(100 * added / voxels)
    assert (rows.loc[rows["kind"] == "dilated", "ff_error_uneroded"] > 0).all()


def test_a_shift_costs_no_volume_and_mixes_what_it_covers() -> None:
    rows = homogeneous(10.0, 90.0, 30.0)
    shifted = rows[(rows["kind"] == "shifted") & (rows["target"] == 0.9)].set_index("variant")
    assert (shifted["volume_error_pct"] == 0).all()
    # Three of thirty columns of the neighbour, or of what is around.
    assert shifted["mm"].tolist() == [3.0] * 4
    assert shifted["ff_error_uneroded"]["right"] == pytest.approx(0.1 * 20)
    assert shifted["ff_error_uneroded"]["left"] == pytest.approx(0.1 * 80)
    # As the app measures: two of the 28 columns that its erosion leaves.
    assert shifted["ff_error"]["left"] == pytest.approx(2 / 28 * 80)


def test_nothing_costs_fat_fraction_where_all_tissue_is_alike() -> None:
    rows = homogeneous(50.0, 50.0, 50.0)
    assert set(rows["kind"]) == set(outline_error.KINDS)
    assert (rows["ff_error"] == 0.0).all()


def outline(**given: object) -> dict[str, object]:
    common = {
        "source": "phantom", "session": "sub-01", "kind": "eroded", "variant": "", "target": 0.9,
        "dice": 0.9, "mm": 1.0, "volume_error_pct": -10.0, "ff_error_uneroded": 0.0,
    }  # fmt: skip
    return common | given


def test_summary_counts_grades_and_features() -> None:
    masks = pd.DataFrame(
        [
            # 0-4 changes at 8, 25, 50, 75 %; 0-3 at 12, 35, 65 %.
            outline(muscle="gracilis", side="left", ff=7.0, ff_error=2.0),
            outline(muscle="gracilis", side="right", ff=11.0, ff_error=2.0),
            outline(muscle="sartorius", side="left", ff=36.0, ff_error=-2.0),
            outline(muscle="sartorius", side="right", ff=40.0, ff_error=4.0),
            outline(
                muscle="sartorius", side="right", ff=40.0, ff_error=1.0, kind="shifted",
                variant="left", volume_error_pct=0.0,
            ),
        ]
    )  # fmt: skip
    table = summarize(masks).set_index("kind")
    eroded = table.loc["eroded"]
    assert eroded["outlines"] == 4
    assert eroded["ff_bias"] == 1.5
    assert eroded["ff_mean_abs"] == 2.5
    assert eroded["ff_worst"] == 4.0
    assert eroded["changed_0-4"] == 25.0
    assert eroded["changed_0-3"] == 50.0
    # Gracilis rises by 2 on both sides, sartorius by 1 on average: each 1 against the other.
    assert eroded["feature_mean_abs"] == pytest.approx(1.0)
    both = table.loc["all"]
    assert both["ff_mean_abs"] == pytest.approx((2.5 + 1.0) / 2)
    assert both["volume_bias"] == -5.0
    assert both["ff_worst"] == 4.0
    assert both["outlines"] == 5


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("outline_error")
    assert outline_error.main(["--quick", str(folder)]) == 0
    text = (folder / "outline_error.md").read_text()
    assert "- phantom: 44 muscles of 2 sessions" in text
    assert "nan" not in text
    return {
        name: pd.read_table(folder / f"outline_error_{name}.tsv", na_values="n/a")
        for name in ("masks", "summary", "answers")
    }


def test_phantom_outlines_hit_their_dice(quick: dict[str, pd.DataFrame]) -> None:
    masks = quick["masks"]
    # 44 muscles, five Dice coefficients; erosion and ends can always reach them.
    assert (masks["kind"] == "eroded").sum() == 44 * len(DICE)
    assert (masks["kind"] == "end cut").sum() == 2 * 44 * len(DICE)
    assert (masks["dice"] - masks["target"]).abs().max() <= 0.0101
    assert set(masks["source"]) == {"phantom"}
    assert set(masks["session"]) == {"sub-01", "sub-04"}


def test_phantom_costs_what_its_anatomy_says(quick: dict[str, pd.DataFrame]) -> None:
    table = quick["summary"].set_index(["kind", "target"])
    for kind in ("dilated", "shifted"):
        # Fat lies around muscles, so that taking it in raises the fat fraction, the more the worse.
        bias = [table.loc[(kind, dice), "ff_bias"] for dice in DICE]
        assert bias == sorted(bias)
        assert bias[0] > 0.2
    # The app erodes by a voxel: an outline too small costs little fat fraction, but volume.
    assert table.loc[("eroded", 0.75), "ff_mean_abs"] < 0.5
    assert table.loc[("eroded", 0.75), "volume_bias"] == pytest.approx(-40, abs=0.05)


def test_simulated_patients_answer_differently_the_worse_outlines_are(
    quick: dict[str, pd.DataFrame],
) -> None:
    answers = quick["answers"]
    assert len(answers) == 2 * (1 + len(DICE) * (2 + len(outline_error.KINDS)))
    own = answers[answers["trained_on"] == "fat fractions"].set_index(["kind", "target"])
    assert own.loc[("all", 0.75), "top1_changed_lower"] > own.loc[("all", 0.95), "top1_changed"]
    assert own.loc[("all", 0.75), "balanced_accuracy_change_upper"] < 0
