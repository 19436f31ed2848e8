"""The muscle vocabulary: names, sides, regions, groups, label values. Tables, not code."""
