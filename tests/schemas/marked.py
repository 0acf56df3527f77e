"""Sentences whose two mentions stand in brackets, and their stance."""

import re

from kgmill.extractor.modelfolder import find_model
from kgmill.schemas.ontology import load_ontology
from kgmill.schemas.stance import pattern_of, stance

ONTOLOGY = load_ontology(find_model("default") / "ontology.toml")
WORDS = {name: pattern_of(relation.words) for name, relation in ONTOLOGY.relations.items() if relation.words}


def read_marked(text):
    """A sentence, and where its two mentions, in brackets there, lie in it."""
    spans, plain = [], ""
    for piece in re.split(r"(\[[^]]*\])", text):
        if piece.startswith("["):
            spans.append((len(plain), len(plain) + len(piece) - 2))
            piece = piece[1:-1]
        plain += piece
    return plain, spans


def stance_of(text, relation="", tail=None, are_places=False):
    """The stance of a sentence whose two mentions stand in brackets; the second one is the tail, or the one named."""
    plain, spans = read_marked(text)
    if tail is not None and plain[slice(*spans[0])] == tail:
        spans.reverse()
    return stance(plain, *spans, relation, are_places=are_places, words=WORDS.get(relation))


def of_places(text, tail=None):
    """The stance of a sentence whose two mentions, in brackets, are places, one perhaps what the other lies in."""
    return stance_of(text, "" if tail is None else "located_in", tail, are_places=True)
