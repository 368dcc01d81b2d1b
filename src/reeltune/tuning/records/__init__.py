"""What a study writes down: one class a fact."""
