"""Hand-written forward and backward passes of the few operations that take the time of an epoch."""
