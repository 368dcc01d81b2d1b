"""Verbs that make a bundle and use it."""
