"""Side information as arrays that are aligned to the vocabulary, fitted on training rows only."""
