"""Networks over the movies seen, next to one another under one contract."""
