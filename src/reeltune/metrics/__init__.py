"""Ranking metrics as functions of ranks."""
