"""Beam jobs, the part store they commit to, and the graph formats they end in."""

import logging

# At every import Beam logs that its optional Google Cloud parts are missing, through the root logger, which would also
# give that logger a handler of its own choice and so spoil the logs of whoever imports this.
logging.getLogger().addHandler(logging.NullHandler())
logging.getLogger().addFilter(lambda record: not str(record.msg).startswith("apitools not found"))
