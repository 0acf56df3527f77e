"""References: a sentence that says "he" or "she" before it names anybody, read once more with the name that this means.

A model of single sentences finds nothing of what "She was born in Ulm" says of Ada Byron, who is named in the sentence
before. Such a sentence is read again with a name in the pronoun's place: that of the first person of the sentence
before, or, if that one had such a pronoun too, of whom that meant. What then joins the name with a mention of the
sentence becomes a link of both sentences. A pronoun can mean somebody else, so a link's margin is lowered.

Source: none in the paper, which reads sentences; docs/experiments.md has what it gains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kgmill.extractor.candidates import Candidates, Floors
from kgmill.extractor.passages import Found, Link

if TYPE_CHECKING:
    from kgmill.extractor.predict import Predictor
    from kgmill.extractor.text.split import SentenceText

VERSION = 1  # of what becomes of a text
_DOUBT = 3.0  # what a pair's margin is lowered by
_PRONOUNS = {"he": "he", "his": "he", "she": "she", "her": "she"}
_JOINING = {("and",), (",",), ("&",), ("or",)}
_QUOTES = frozenset('"“”„«»')


@dataclass(frozen=True, slots=True)
class Reference:
    """A pronoun of a sentence and whom it means.

    Attributes:
        sentence, at: the sentence, and which of its words the pronoun is.
        named_in, row: an earlier sentence, and the row of the span in it that names them.
    """

    sentence: int
    at: int
    named_in: int
    row: int


def are_read(passage: int, languages: Collection[str]) -> bool:
    """Whether a model that reads `passage` sentences together, in these languages (none: not known), has references."""
    return passage == 1 and (not languages or "en" in languages)


def with_references(
    documents: Sequence[Sequence[SentenceText]], found: Sequence[Found], predictor: Predictor, floors: Floors
) -> Iterator[Found]:
    """What was found in documents, with links of pronouns.

    Args:
        documents: the sentences of each.
        found: what the model made of each, a sentence at a time, spans in words.
        predictor: the model.
        floors: the least margins of what it finds.
    """
    persons = [column for column, kind in enumerate(predictor.ontology.kinds) if kind == "person"]
    references = [references_of(s, f.sentences, persons) for s, f in zip(documents, found, strict=True)]
    named = [
        [_named(sentences, one, of_it.sentences[one.named_in]) for one in ones]
        for sentences, of_it, ones in zip(documents, found, references, strict=True)
    ]
    words = [words for of_document in named for words, _ in of_document]
    answers = iter(predictor.predict(words, floors) if words else ())
    for of_it, ones, of_document in zip(found, references, named, strict=True):
        links = [
            link
            for one, (_, n_words) in zip(ones, of_document, strict=True)
            if (link := _link(one, n_words, next(answers), of_it.sentences))
        ]
        yield replace(of_it, links=[*of_it.links, *links])


def references_of(
    sentences: Sequence[SentenceText], found: Sequence[Candidates], persons: Collection[int]
) -> list[Reference]:
    """The pronouns of a document that are read again, with whom they mean; `persons` are the columns of their types."""
    references: list[Reference] = []
    subject: tuple[int, int] | None = None  # of the sentence before: where the person is named, and by which span
    known = ""  # he or she, where a pronoun meant them
    for number, (sentence, candidates) in enumerate(zip(sentences, found, strict=True)):
        if number and sentence.block != sentences[number - 1].block:
            subject = None
        named, at = _persons(sentence.words, candidates, persons), _pronoun(sentence.words)
        if at is None or (named and candidates.spans[named[0], 0] < at):
            subject, known = _subject(number, named, candidates, sentence.words), ""
            continue
        word = sentence.words[at].lower()
        if subject is None or known not in ("", _PRONOUNS[word]):
            subject = None
            continue
        known = _PRONOUNS[word]
        if word == known:  # "her book" is still about her, but no name goes there
            references.append(Reference(number, at, *subject))
    return references


def _pronoun(words: Sequence[str]) -> int | None:
    """The first pronoun, unless it stands in a quotation: somebody else's words mean somebody else."""
    for at, word in enumerate(words):
        if word in _QUOTES:
            return None
        if word.lower() in _PRONOUNS:
            return at
    return None


def _persons(words: Sequence[str], candidates: Candidates, persons: Collection[int]) -> list[int]:
    """The rows of spans that are likelier a person than nothing, in order, one a place; none that is in brackets."""
    is_person = (candidates.entity_margin > 0) & np.isin(candidates.type_logits.argmax(axis=1), list(persons))
    chosen: list[int] = []
    for row in sorted(np.flatnonzero(is_person).tolist(), key=lambda row: -candidates.entity_margin[row]):
        start, end = candidates.spans[row].tolist()
        if words[:start].count("(") == words[:start].count(")") and all(
            end <= candidates.spans[other, 0] or candidates.spans[other, 1] <= start for other in chosen
        ):
            chosen.append(row)
    return sorted(chosen, key=lambda row: candidates.spans[row, 0])


def _subject(number: int, named: Sequence[int], candidates: Candidates, words: Sequence[str]) -> tuple[int, int] | None:
    """The first person that a sentence names; nobody where these are two, as in "Erik and Astrid"."""
    if not named:
        return None
    if len(named) > 1:
        between = words[candidates.spans[named[0], 1] : candidates.spans[named[1], 0]]
        if between in _JOINING:
            return None
    return number, named[0]


def _named(sentences: Sequence[SentenceText], one: Reference, of_name: Candidates) -> tuple[tuple[str, ...], int]:
    """A sentence's words with the name in the pronoun's place, and how many these are."""
    start, end = of_name.spans[one.row].tolist()
    name, words = sentences[one.named_in].words[start:end], sentences[one.sentence].words
    return (*words[: one.at], *name, *words[one.at + 1 :]), len(name)


def _link(one: Reference, n_words: int, answer: Candidates, sentences: Sequence[Candidates]) -> Link | None:
    """What joins the name with mentions of the pronoun's sentence, from the candidates of it with the name."""
    own = {span: row for row, span in enumerate(map(tuple, sentences[one.sentence].spans.tolist()))}
    shift, n_first = n_words - 1, len(sentences[one.named_in].spans)
    row_of: dict[int, int] = {}
    for row, (start, end) in enumerate(answer.spans.tolist()):
        if (start, end) == (one.at, one.at + n_words):
            row_of[row] = one.row
        elif end <= one.at and (start, end) in own:
            row_of[row] = n_first + own[start, end]
        elif start >= one.at + n_words and (start - shift, end - shift) in own:
            row_of[row] = n_first + own[start - shift, end - shift]
    found = sorted(
        (row_of[head], row_of[tail], m)
        for m, (head, tail) in enumerate(answer.pairs.tolist())
        if head in row_of and tail in row_of and one.row in (row_of[head], row_of[tail])
    )
    if not found:
        return None
    here = [m for _, _, m in found]
    pairs = np.array([(head, tail) for head, tail, _ in found], np.int32)
    margin = (answer.pair_margin[here] - _DOUBT).astype(np.float32)
    return Link(one.named_in, one.sentence, pairs, margin, answer.relation_logits[here])
