"""A corpus of text to a typed knowledge graph: schemas, extractor, pipelines and flows, which here are links."""

__version__ = "0.3.0"
