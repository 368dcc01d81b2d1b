"""A study's folder mirrored to object storage."""
