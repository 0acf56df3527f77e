"""The two-phase joint entity-relation extractor. Needs torch, transformers and pydantic; neither Beam, Prefect nor rdflib."""
