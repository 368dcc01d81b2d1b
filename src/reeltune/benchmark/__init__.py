"""A contest of several models that settles a claim: tuned alike, tested once, told whole."""
