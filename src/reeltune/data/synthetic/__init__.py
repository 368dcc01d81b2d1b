"""Data that are generated: no download, a known best score."""
