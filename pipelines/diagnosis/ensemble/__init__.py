"""What predicts: preparation of features, boosters, and their average."""
