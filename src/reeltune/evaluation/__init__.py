"""The test set, statistics and reports."""
