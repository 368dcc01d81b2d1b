"""Recommenders without gradients, to be beaten."""
