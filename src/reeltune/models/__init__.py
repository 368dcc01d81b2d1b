"""Networks and baselines under one contract."""
