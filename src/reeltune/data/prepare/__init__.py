"""From raw rows to memory-mapped sequences: checked, ordered, split, encoded."""
