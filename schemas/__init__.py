"""Records, tables, ontology, configuration and errors: what every other package of kgmill speaks."""
