"""What the console says about audit and figures."""

import pandas as pd

from bids_app.group.findings import said_figures, said_findings


def test_leaks_are_said_and_of_many_the_worst() -> None:
    rows = [("scale", "warn", 0.9), ("study", "pass", 0.5), ("diagnosis", "warn", 0.7)]
    rows += [(f"missing:m{i}", "warn" if i > 3 else "pass", 0.6 + i / 100) for i in range(8)]
    rows += [("diagnosis:d0", "warn", 0.95), ("diagnosis:d1", "pass", 0.5)]
    table = pd.DataFrame(
        {
            "target": [row[0] for row in rows],
            "level": [row[1] for row in rows],
            "auc": [row[2] for row in rows],
            "text": [f"About {row[0]}." for row in rows],
        }
    )
    assert list(said_findings(table)) == [
        "About scale.",
        "About diagnosis.",
        "About missing:m7. So for 4 of 8 muscles.",
        "About diagnosis:d0. So for 1 of 2 diagnoses.",
    ]
    assert list(said_findings(table[table["level"] == "pass"])) == []


def test_figures_of_patients_and_of_studies() -> None:
    overall = pd.DataFrame(
        {
            "metric": ["accuracy", "balanced_accuracy"],
            "value": [0.9, 0.648],
            "lower": [0.8, 0.61],
            "upper": [1.0, 0.68],
            "n_samples": [100, 100],
            "n_classes": [5, 5],
        }
    )
    whole = (
        "balanced accuracy 64.8% (61.0% to 68.0%) on patients not seen: 100 samples, 5 diagnoses"
    )
    without = overall.assign(value=0.4, lower=0.3, upper=0.5, n_samples=60, n_classes=3)
    assert list(said_figures({"overall": overall, "studies_overall": without})) == [
        whole,
        "balanced accuracy 40.0% (30.0% to 50.0%) on studies left out as a whole: 60 samples, "
        "3 diagnoses",
    ]
    alone = list(said_figures({"overall": overall}))
    assert alone[0] == whole
    assert alone[1].startswith("no study could be left out as a whole")
