"""Records to graph formats; without Beam and without paths."""
