"""Search spaces: parameters, constraints, files."""
