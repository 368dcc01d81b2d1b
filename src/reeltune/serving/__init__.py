"""Bundles and recommendations."""
