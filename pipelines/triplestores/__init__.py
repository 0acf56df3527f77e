"""Stores of triples: loading, asking."""
