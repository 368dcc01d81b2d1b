"""From raw rating files to memory-mapped sequences."""
