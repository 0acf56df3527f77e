"""The language that a text is in, by py3langid: naive Bayes over byte runs, offline and without chance.

Why this library: docs/decisions/0013-lines-dashes-and-languages.md.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from kgmill.extractor.text.scripts import SPACELESS
from kgmill.schemas.errors import ConfigError

MIN_WORDS = 25  # a text of fewer is not judged
_SURE = 0.8
_SLICE, _MOST_SLICES = 800, 5  # characters
_WORD = re.compile(rf"[{SPACELESS}]{{1,2}}|[^\W\d_{SPACELESS}]+")
_NO_LANGUAGE = "zxx"
# Written so much alike that no detector tells them apart: who reads one reads the others.
_KIN = (("zh", "wuu", "yue"), ("no", "nn"), ("bs", "hr", "sr"), ("id", "ms"), ("en", "pcm"))
_ALIASES = {code: kin[0] for kin in _KIN for code in kin}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A language that most of a text is in, by its code, and how sure the detector was of it, in [0, 1]."""

    language: str
    confidence: float


def foreign_language(text: str, languages: Sequence[str]) -> Judgement | None:
    """The language of a text, if it is plainly none of `languages`; None for a text that is short or has none.

    A long text is judged by five stretches of it, each by itself, so that one of two languages is the language of most
    of them.

    >>> foreign_language("Der Himmel ist blau. " * 8, ["en"]).language
    'de'
    """
    slices = _slices(text)
    if sum(len(_WORD.findall(part)) for part in slices) < MIN_WORDS:
        return None
    own = {_ALIASES.get(code, code) for code in languages} | {_NO_LANGUAGE}
    n_foreign: Counter[str] = Counter()
    sure: dict[str, float] = defaultdict(float)
    for part in slices:
        language, confidence = _judge(part)
        if language not in own and confidence >= _SURE:
            n_foreign[language] += len(part)
            sure[language] += confidence * len(part)
    if 2 * n_foreign.total() <= sum(map(len, slices)):
        return None
    language, n = min(n_foreign.items(), key=lambda item: (-item[1], item[0]))
    return Judgement(language, round(sure[language] / n, 2))


def languages_of(sentences: Iterable[str]) -> tuple[str, ...]:
    """The languages of which there is a tenth or more in annotated sentences; none where none is plain."""
    text = " ".join(sentences)
    stretches = [text[i : i + _SLICE] for i in range(0, len(text), _SLICE)]
    judged = [_judge(part) for part in stretches if len(_WORD.findall(part)) >= MIN_WORDS]
    found = Counter(language for language, confidence in judged if confidence >= _SURE and language != _NO_LANGUAGE)
    return tuple(sorted(language for language, n in found.items() if 10 * n >= len(judged)))


def check_languages(languages: Iterable[str]) -> None:
    """Makes sure that the detector knows languages by their codes.

    Raises:
        ConfigError: it doesn't know one.
    """
    for code in languages:
        if code != "en" and code not in _detector().labels:  # the detector takes a second to load
            raise ConfigError(f"unknown language {code!r}; wanted an ISO 639 code such as en, de, zh")


def _slices(text: str) -> list[str]:
    """The text in equal parts; of a long one, five parts at equal distances."""
    n = max(1, min(_MOST_SLICES, len(text) // _SLICE))
    size = _SLICE if n == _MOST_SLICES else -(-len(text) // n)
    step = (len(text) - size) / max(1, n - 1)
    return [text[round(i * step) : round(i * step) + size] for i in range(n)]


def _judge(text: str) -> tuple[str, float]:
    """The likeliest language, and its probability with that of its kin."""
    shares: dict[str, float] = defaultdict(float)
    for code, probability in _detector().rank(text):
        shares[_ALIASES.get(code, code)] += probability
    language = max(shares, key=lambda code: shares[code])
    return language, shares[language]


@lru_cache(maxsize=1)
def _detector() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
