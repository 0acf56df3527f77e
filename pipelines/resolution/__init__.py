"""Resolution: which mentions name one thing. Without Beam, without paths, without the model.

Three layers, each a function of its input alone, so that order and history of documents don't matter:
`local` (the names of one document), `types` (what kind of thing a name is), `clusters` (names of the corpus to
entities). `forms` has the shapes of names, `known` what libraries know of countries and first names. What people have
decided is in `kgmill.schemas.decisions`.
"""
