"""The two-phase joint entity-relation extractor. It needs neither Beam nor Prefect nor rdflib."""
