"""Kinds of storage: what is in this folder is where an output can lie."""
