"""Why something is in a finished build as it is, or is not there."""
