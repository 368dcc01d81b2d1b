"""A study's folder: its spec, its storage, its budget, resuming it."""
