"""Hyperparameter optimization for recurrent movie recommenders."""

__version__ = "0.1.0"
