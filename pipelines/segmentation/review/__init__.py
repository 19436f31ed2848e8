"""What to think of labels, whoever made them: confidence, continuity, plausibility."""
