"""Verbs that look at what studies found."""
