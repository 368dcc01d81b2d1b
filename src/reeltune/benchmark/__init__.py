"""Several models under one protocol: tuned alike, chosen on validation, tested once."""
