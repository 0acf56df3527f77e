"""Beam jobs, the part store they commit to, and the graph formats they end in."""

import logging

# Beam says this at every import when its optional Google Cloud parts are not installed; nobody here misses them.
logging.getLogger().addFilter(lambda record: not str(record.msg).startswith("apitools not found"))
