"""Verbs that begin, run and resume studies."""
