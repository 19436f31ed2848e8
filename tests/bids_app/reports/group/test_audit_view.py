"""What the features give away."""

import pandas as pd

from bids_app.reports.group.audit_view import audit_view

NAN = float("nan")


def test_leaks_come_first_and_muscles_are_summed_up() -> None:
    rows = [("scale", "warn", 0.9), ("study", "pass", 0.5), ("diagnosis", "skipped", NAN)]
    rows += [(f"missing:m{i}", "warn", 0.7 + i / 100) for i in range(8)]
    rows += [(f"diagnosis:d{i}", "pass", 0.4 + i / 100) for i in range(7)]
    table = pd.DataFrame(
        {
            "target": [row[0] for row in rows],
            "level": [row[1] for row in rows],
            "auc": [row[2] for row in rows],
            "lower": 0.4,
            "upper": 0.95,
            "n": 100,
            "text": [f"about {row[0]}" for row in rows],
        }
    )
    view = audit_view(table)
    assert [finding.text for finding in view.findings][:2] == ["about scale", "about missing:m7"]
    texts = [finding.text for finding in view.findings]
    assert [text for text in texts if "diagnosis:" in text] == [
        f"about diagnosis:d{i}" for i in (6, 5, 4, 3, 2)
    ]
    assert "about study" in texts
    assert (view.findings[0].auc, view.findings[0].interval) == ("0.90", "0.40–0.95")
    assert [finding.auc for finding in view.others] == [""]
    assert (view.warnings, view.more) == (9, 5)
