"""Raw text to sentences and words with exact offsets: sentencex finds sentences, spaCy's English tokeniser words.

Which libraries, and why: docs/decisions/0003-sentences-and-words.md; lines, dashes, scripts without spaces:
docs/decisions/0013-lines-dashes-and-languages.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import sentencex
from spacy.lang.en import English
from spacy.tokenizer import Tokenizer
from spacy.util import compile_infix_regex, compile_prefix_regex, compile_suffix_regex

from kgmill.extractor.text.lines import split_blocks
from kgmill.extractor.text.scripts import HAS_SPACELESS, MARKS, spaceless_bounds

LONGEST_RUN = 300  # characters without a space that the tokeniser is given; its time on them is quadratic
LONGEST_WORD = 100  # characters, where a longer run is cut
LONGEST_SENTENCE = 600  # characters
KNOWN_WORDS = 100_000  # spaCy keeps every word that it ever saw; with more than these it begins anew
_BLANKED = str.maketrans(dict.fromkeys("\"“”„«»‹›()[]{}'‘’`", " "))
# sentencex 1 panics on a space of several bytes between "Mr. X" and a full stop, and line breaks within a block end no
# sentence. Same length, so offsets stay.
_PLAIN_SPACES = {code: " " for code in range(0x3001) if chr(code).isspace()}
_LONG_RUN = re.compile(rf"\S{{{LONGEST_RUN},}}")
_PIECE = re.compile(rf"\w[\w{MARKS}]{{0,{LONGEST_WORD - 1}}}|([^\w\s])\1{{0,{LONGEST_WORD - 1}}}")
_DASHES = r"(?:-{2,}|[\u2012-\u2015\u2e3a\u2e3b]+)"
# An en dash that stands for the hyphen of a double given name parts nothing; elsewhere it joins two names.
_DOUBLE_NAME = re.compile(
    r"(?:Abdel|Abdul|Al|Ana|Ann|Anna|Anne|Carl|Charles|Claude|El|Ernst|Eva|Franz|François|Friedrich|Hans|Heinz|Jan|Jean"
    r"|José|Karl|Klaus|Lars|Louis|Maria|Marie|Mary|Paul|Philippe|Pierre|Sven|Wolf|Yves)\u2013[^\W\d_a-z]\w+"
)


@dataclass(frozen=True, slots=True)
class SentenceText:
    """One sentence of a text, in characters (Unicode code points) of that text, ends exclusive.

    Attributes:
        word_begins, word_ends: offsets of each word.
        block: number of the run of sentences that it is of: a paragraph, an item, a cell, or what of it is head.
    """

    begin: int
    end: int
    words: tuple[str, ...]
    word_begins: tuple[int, ...]
    word_ends: tuple[int, ...]
    block: int = 0


def split_text(text: str, head: int = 0) -> list[SentenceText]:
    """The sentences of a text that hold at least one word; none goes on behind the text's first `head` characters.

    >>> [(s.begin, s.end, s.words) for s in split_text("He left. She  stayed.")]
    [(0, 8, ('He', 'left', '.')), (9, 21, ('She', 'stayed', '.'))]
    """
    sentences = []
    for begin, end, block in _cut_at(head, _sentence_bounds(text)):
        if bounds := _word_bounds(text[begin:end]):
            begins = tuple(begin + a for a, _ in bounds)
            ends = tuple(begin + b for _, b in bounds)
            words = tuple(text[a:b] for a, b in zip(begins, ends, strict=True))
            sentences.append(SentenceText(begins[0], ends[-1], words, begins, ends, block))
    return sentences


def _cut_at(border: int, bounds: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    """The bounds, cut at the border, behind which another block begins."""
    for begin, end, block in bounds:
        if begin < border < end:
            yield begin, border, block
            yield border, end, block + 1
        else:
            yield begin, end, block + (0 < border <= begin)


def _sentence_bounds(text: str) -> list[tuple[int, int, int]]:
    """Bounds of sentences, and the number of each one's block.

    sentencex cuts nowhere between two quotes or brackets, however far apart they are. So what comes out longer than any
    sentence is cut again with its quotes and brackets blanked.
    """
    bounds = []
    for block, (block_begin, block_end) in enumerate(split_blocks(text)):
        for a, b in _segments(text[block_begin:block_end]):
            begin, end = block_begin + a, block_begin + b
            if end - begin <= LONGEST_SENTENCE:
                bounds.append((begin, end, block))
            else:
                pieces = _segments(text[begin:end].translate(_BLANKED))
                bounds.extend((begin + a, begin + b, block) for a, b in pieces)
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
    """Words by the tokeniser; where a script has no spaces, its characters. Long runs are cut at their punctuation."""
    bounds = _tokens(sentence, 0) if not _LONG_RUN.search(sentence) else list(_words_around_runs(sentence))
    if sentence.isascii() or not HAS_SPACELESS.search(sentence):
        return bounds
    return [piece for begin, end in bounds for piece in spaceless_bounds(sentence, begin, end)]


def _words_around_runs(sentence: str) -> Iterator[tuple[int, int]]:
    """The words of a sentence with runs of LONGEST_RUN and more characters without a space."""
    begin = 0
    for run in _LONG_RUN.finditer(sentence):
        yield from _tokens(sentence[begin : run.start()], begin)
        yield from (piece.span() for piece in _PIECE.finditer(sentence, *run.span()))
        begin = run.end()
    yield from _tokens(sentence[begin:], begin)


def _tokens(sentence: str, shift: int) -> list[tuple[int, int]]:
    if len(_tokenizer().vocab) > KNOWN_WORDS:
        _tokenizer.cache_clear()
    doc = _tokenizer()(sentence)
    return [(shift + t.idx, shift + t.idx + len(t)) for t in doc if not t.is_space]


@lru_cache(maxsize=1)
def _tokenizer() -> Tokenizer:
    """spaCy's English tokeniser, closer to the treebanks that models learn from.

    A hyphen between letters splits no word, and neither does a contraction that lacks its apostrophe ("wed", "cant").
    Dashes do, wherever they stand.
    """
    nlp = English()
    rules = nlp.tokenizer.rules or {}
    nlp.tokenizer.rules = {
        text: parts for text, parts in rules.items() if len(parts) == 1 or "'" in text or "’" in text
    }
    infixes = [x for x in nlp.Defaults.infixes if "-|–|—|--|---|——|~" not in x]
    nlp.tokenizer.infix_finditer = compile_infix_regex([*infixes, _DASHES]).finditer
    nlp.tokenizer.prefix_search = compile_prefix_regex([*nlp.Defaults.prefixes, _DASHES]).search
    nlp.tokenizer.suffix_search = compile_suffix_regex([*nlp.Defaults.suffixes, _DASHES]).search
    nlp.tokenizer.token_match = _DOUBLE_NAME.fullmatch
    return nlp.tokenizer
