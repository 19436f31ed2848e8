"""Distributions before and after harmonization."""

import pandas as pd

from bids_app.reports.group.harmonization_view import harmonization_view
from bids_app.reports.group.page import group_words


def test_distributions_are_drawn_for_each_scale() -> None:
    trace = pd.DataFrame(
        {
            "sample": ["a", "a", "a", "b"],
            "muscle": ["soleus", "soleus", "gracilis", "soleus"],
            "scale": ["0-4", "0-4", "0-4", "FF"],
            "used": [True, True, True, False],
            "score_0_100": [50.0, 50.0, 75.0, 10.0],
            "relative": [-25.0, -25.0, 25.0, 0.0],
        }
    )
    options = {
        "method": "dither",
        "order": "scale_first",
        "relative": True,
        "draws": 8,
        "coverage": 0.5,
    }
    view = harmonization_view(trace, options, group_words())
    assert view is not None
    assert view.counts == [("0-4", 2)]
    assert [text for _, text in view.after.x_ticks] == ["-30", "0", "30"]
    facts = dict(view.facts)
    assert facts["Random draws averaged"] == "8"
    assert facts["Muscles kept"] == "scored in at least 50% of samples"
    assert harmonization_view(trace[~trace["used"]], options, group_words()) is None
