"""Bundles: weights and JSON in one folder."""
