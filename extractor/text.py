"""Raw text to sentences and words with exact offsets: sentencex finds sentences, spaCy's English tokeniser words.

Which libraries, and why: docs/decisions/0003-sentences-and-words.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import sentencex
from spacy.lang.en import English
from spacy.tokenizer import Tokenizer
from spacy.util import compile_infix_regex

LONGEST_RUN = 300
LONGEST_SENTENCE = 600  # characters
KNOWN_WORDS = 100_000  # spaCy keeps every word that it ever saw; with more than these it begins anew
_BLANKED = str.maketrans(dict.fromkeys("\"“”„«»‹›()[]{}'‘’`", " "))
_RUN = re.compile(r"\S+")
# sentencex 1 panics on a space of several bytes between "Mr. X" and a full stop. Same length, so offsets stay.
_PLAIN_SPACES = {code: " " for code in range(0x80, 0x3001) if chr(code).isspace()}
_LONG_RUN = re.compile(rf"\S{{{LONGEST_RUN},}}")


@dataclass(frozen=True, slots=True)
class SentenceText:
    """One sentence of a text, in characters (Unicode code points) of that text, ends exclusive.

    Attributes:
        word_begins, word_ends: offsets of each word.
    """

    begin: int
    end: int
    words: tuple[str, ...]
    word_begins: tuple[int, ...]
    word_ends: tuple[int, ...]


def split_text(text: str) -> list[SentenceText]:
    """The sentences of a text that hold at least one word.

    >>> [(s.begin, s.end, s.words) for s in split_text("He left. She  stayed.")]
    [(0, 8, ('He', 'left', '.')), (9, 21, ('She', 'stayed', '.'))]
    """
    sentences = []
    for begin, end in _sentence_bounds(text):
        if bounds := _word_bounds(text[begin:end]):
            begins = tuple(begin + a for a, _ in bounds)
            ends = tuple(begin + b for _, b in bounds)
            words = tuple(text[a:b] for a, b in zip(begins, ends, strict=True))
            sentences.append(SentenceText(begins[0], ends[-1], words, begins, ends))
    return sentences


def _sentence_bounds(text: str) -> list[tuple[int, int]]:
    """Bounds of sentences. sentencex cuts nowhere between two quotes or brackets, however far apart they are.

    So what comes out longer than any sentence is cut again with its quotes and brackets blanked.
    """
    bounds = []
    for begin, end in _segments(text):
        if end - begin <= LONGEST_SENTENCE:
            bounds.append((begin, end))
        else:
            bounds.extend((begin + a, begin + b) for a, b in _segments(text[begin:end].translate(_BLANKED)))
    return bounds


def _segments(text: str) -> list[tuple[int, int]]:
    bounds, begin = [], 0
    text = text.translate(_PLAIN_SPACES)
    for segment in _cut(text):
        at = text.find(segment, begin)
        if at < 0:  # the segmenter changed a character: what is left stays one sentence
            break
        bounds.append((at, at + len(segment)))
        begin = at + len(segment)
    if text[begin:].strip():
        bounds.append((begin, len(text)))
    return bounds


def _cut(text: str) -> list[str]:
    try:
        return list(sentencex.segment("en", text))
    except BaseException as error:  # a panic of the Rust library is no Exception
        if type(error).__name__ != "PanicException":
            raise
        return []  # so the text is one sentence, which prediction cuts into windows


def _word_bounds(sentence: str) -> list[tuple[int, int]]:
    """Words by the tokeniser; a run of LONGEST_RUN or more characters without a space is one word.

    No language has such words; the tokeniser's time on them would be quadratic.
    """
    if not _LONG_RUN.search(sentence):
        return _tokens(sentence, 0)
    bounds = []
    for run in _RUN.finditer(sentence):
        if run.end() - run.start() >= LONGEST_RUN:
            bounds.append(run.span())
        else:
            bounds.extend(_tokens(run.group(), run.start()))
    return bounds


def _tokens(sentence: str, shift: int) -> list[tuple[int, int]]:
    if len(_tokenizer().vocab) > KNOWN_WORDS:
        _tokenizer.cache_clear()
    doc = _tokenizer()(sentence)
    return [(shift + t.idx, shift + t.idx + len(t)) for t in doc if not t.is_space]


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    """spaCy's English tokeniser, closer to the treebanks that models learn from.

    A hyphen between letters splits no word, and neither does a contraction that lacks its apostrophe ("wed", "cant").
    """
    nlp = English()
    rules = nlp.tokenizer.rules or {}
    nlp.tokenizer.rules = {
        text: parts for text, parts in rules.items() if len(parts) == 1 or "'" in text or "’" in text
    }
    infixes = [x for x in nlp.Defaults.infixes if "-|–|—|--|---|——|~" not in x]
    nlp.tokenizer.infix_finditer = compile_infix_regex(infixes).finditer
    return nlp.tokenizer
