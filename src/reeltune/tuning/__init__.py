"""Search spaces, studies and the Ray engine."""
