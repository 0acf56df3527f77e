"""Beam jobs, the part store they commit to, and the graph formats they end in."""
