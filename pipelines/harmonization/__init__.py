"""One score for many scales: how readers' grades and fat fractions become comparable."""
