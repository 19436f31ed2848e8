"""Who is in the cohort."""

import pandas as pd

from bids_app.reports.group.cohort_view import cohort_view

NAN = float("nan")


def samples(count: int, study: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "study": study,
            "participant": [str(i // 2) for i in range(count)],
            "scale": "0-4",
            "sides": "bilateral",
            "sex": ["F", None] * (count // 2),
            "age": [10.0, NAN] * (count // 2),
            "diagnosis": ["DYSF", None] * (count // 2),
        }
    )


def test_studies_are_counted_and_many_are_put_together() -> None:
    parts = [samples(2 + 2 * (i == 3), f"s{i:02d}") for i in range(14)]
    view = cohort_view(pd.concat(parts), {"s05": "invented"}, {"bilateral": "both sides"})
    assert (view.samples, view.patients, view.studies) == (30, 15, 14)
    first, *_, rest, every = view.rows
    assert (first.name, first.samples, first.patients) == ("s03", 4, 2)
    assert (first.sides, first.sexes) == ("both sides", "F 2, not known 2")
    assert first.ages == "10 (10–10), 2 not known"
    assert (rest.name, rest.samples) == ("3 more studies", 6)
    assert (every.name, every.samples) == ("All", 30)
    assert [(bar.label, bar.text) for bar in view.diagnoses] == [
        ("DYSF", "15"),
        ("not known", "15"),
    ]
    assert [row.origin for row in view.rows if row.name == "s05"] == ["invented"]
