"""What the readers of several formats, or the larger ones, are made of."""
