"""Kinds of engine: what is in this folder is what a build can be supervised on, beside this machine."""
