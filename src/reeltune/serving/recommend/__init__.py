"""Recommendations from a bundle."""
