"""Annotated data: formats in and out, sets that mark a part, what of them can't be used."""
