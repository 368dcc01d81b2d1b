"""One configuration of any task, start to end, without an engine."""
