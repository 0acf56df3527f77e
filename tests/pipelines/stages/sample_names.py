"""Documents whose names are given, their candidates, and what is read of them."""

import math

import pyarrow as pa

from kgmill.pipelines.stages import names
from kgmill.pipelines.stages.candidates import LINKS, SENTENCES
from kgmill.schemas.records import Document

ONTOLOGY = {
    "entities": {"Peop": {}, "Loc": {}},
    "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}},
}
PEOP, LOC = 0, 1


def log_odds(*probabilities):
    """The margins of probabilities."""
    return [math.log(p / (1 - p)) for p in probabilities]


def logs(*probabilities):
    """Logits whose softmax are the probabilities, of which those of a row sum to one."""
    return [math.log(p) if p else -100.0 for p in probabilities]


# "Ada", "Ada Byron" and "London"; London lives in Ada Byron almost as surely as she in it, and "Ada" more surely.
FIRST = {
    "doc_id": "d1",
    "sentence": 0,
    "begin": 0,
    "end": 26,
    "spans": [0, 3, 0, 9, 19, 25],
    "entity_margin": log_odds(0.6, 0.9, 0.8),
    "type_logits": logs(0.9, 0.1, 0.9, 0.1, 0.25, 0.75),
    "pairs": [0, 2, 1, 2, 2, 1],
    "pair_margin": log_odds(0.95, 0.9, 0.85),
    "relation_logits": [0.0, 0.0, 0.0],
}
SECOND = {
    "doc_id": "d1",
    "sentence": 1,
    "begin": 27,
    "end": 36,
    "spans": [27, 30],
    "entity_margin": log_odds(0.75),
    "type_logits": logs(1.0, 0.0),
    "pairs": [],
    "pair_margin": [],
    "relation_logits": [],
}


def rows_of(table, *columns):
    """The rows of a table as tuples, of these columns or of all."""
    return [tuple(row[name] for name in columns or table.schema.names) for row in table.to_pylist()]


def said(doc_id, *sentences):
    """A document of sentences, each words with entities in brackets as [Type Name], and its rows of candidates.

    Each pair of a sentence's entities is related.
    """
    text, rows = "", []
    for number, sentence in enumerate(sentences):
        begin, spans, logits = len(text), [], []
        for piece in sentence.replace("[", "\0[").replace("]", "\0").split("\0"):
            if piece.startswith("["):
                kind, _, name = piece[1:].partition(" ")
                spans += [len(text), len(text) + len(name)]
                logits += {"Peop": logs(0.9, 0.1), "Loc": logs(0.1, 0.9)}[kind]
                text += name
            else:
                text += piece
        n = len(spans) // 2
        pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
        rows.append(
            {
                "doc_id": doc_id,
                "sentence": number,
                "begin": begin,
                "end": len(text),
                "spans": spans,
                "entity_margin": [4.0] * n,
                "type_logits": logits,
                "pairs": [i for pair in pairs for i in pair],
                "pair_margin": [4.0] * len(pairs),
                "relation_logits": [0.0] * len(pairs),
            }
        )
        text += " "
    return Document(doc_id, f"{doc_id}.txt", "", text, "{}", "00" * 32), rows


def read_unit(*documents, ontology=ONTOLOGY, links=()):
    """The tables of a unit of documents, given as `said` makes them, and what was left out."""
    rows = pa.Table.from_pylist([row for _, rows in documents for row in rows], SENTENCES)
    joined = pa.Table.from_pylist(list(links), LINKS)
    return names.Reader.of(names.Settings(ontology, 0.5)).read_unit({d.doc_id: d for d, _ in documents}, rows, joined)


def link(first, second, *pairs, margin=4.0):
    """A row of links: two sentences, and pairs of rows of the spans of both."""
    return {
        "doc_id": "d1",
        "sentence": first,
        "second": second,
        "pairs": [row for pair in pairs for row in pair],
        "pair_margin": [margin] * len(pairs),
        "relation_logits": [0.0] * len(pairs),
    }
