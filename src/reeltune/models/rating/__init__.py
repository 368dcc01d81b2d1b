"""Predictors of ratings, with and without a network."""
