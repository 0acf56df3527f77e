"""Records, tables, ontology, configuration and errors: what every other package of kgmill speaks."""

__version__ = "0.1.0"
