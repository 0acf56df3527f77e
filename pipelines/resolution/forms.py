"""The shapes of names: folded words, titles, legal forms, initials."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from cleanco import basename
from rapidfuzz import fuzz

from kgmill.schemas.names import label_of

_POINTS = re.compile(r"(?<![^\W\d_]{2})(?<=[^\W\d_])\.(?=[^\W\d_](?:[.\s]|$))|(?<=\b[^\W\d_])\.")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_ACRONYM = re.compile(r"(?:[A-Z][A-Z&0-9]*|(?:[A-Z]\.)+[A-Z]?)\.?")
_BRACKETED = re.compile(r"(?P<long>.*\S)\s*\((?P<short>[^()\s]+)\)")
_SMALL = re.compile("of|the|and|for|de|la|le|des|del|du|di|da|der|und|et|y|an?|in|on|at|to")
_TITLE = re.compile(
    r"mrs?|ms|miss|dr|prof(?:essor)?|(?:vice|ex)?-?president|vice|prime|minister|foreign|defen[cs]e|finance|interior|"
    "premier|chancellor|secretary|sen(?:ator)?|congress(?:wo)?man|rep(?:resentative)?|gov(?:ernor)?|mayor|judge|justice|"
    "attorney|gen(?:eral)?|col(?:onel)?|maj(?:or)?|capt(?:ain)?|lt|lieutenant|sgt|sergeant|cpl|corporal|adm(?:iral)?|"
    "commander|king|queen|prince(?:ss)?|duke|duchess|earl|count(?:ess)?|baron(?:ess)?|sir|dame|lord|lady|pope|cardinal|"
    "(?:arch)?bishop|father|rev(?:erend)?|rabbi|sheikh?|ayatollah|imam|chair(?:wo)?man|chief|coach|ceo|emperor|tsar|"
    "saint|st|ambassador|director|former|then"
)
_AFTER = re.compile("jr|sr|phd|md|esq")
_NUMERAL = re.compile(r"[ivx]+|[0-9]+")
_MIN_SPELLED, _MIN_RATIO = 7, 85


def fold(text: str) -> str:
    """A name without case, marks on letters, and points after single letters.

    >>> fold("U.S."), fold("Gödel, K.")
    ('us', 'godel, k')
    """
    plain = unicodedata.normalize("NFKD", label_of(text).casefold())
    return _POINTS.sub("", "".join(c for c in plain if not unicodedata.combining(c)))


def words(text: str) -> tuple[str, ...]:
    """The folded words of a name; `&` is a word, `and`.

    >>> words("Procter & Gamble Co."), words("al-Sadr")
    (('procter', 'and', 'gamble', 'co'), ('al', 'sadr'))
    """
    return tuple(_WORD.findall(fold(text).replace("&", " and ")))


def without_title(name: str) -> str:
    """A person's name without titles before it; all of it, where nothing else would stay.

    >>> without_title("Prime Minister Tony Blair"), without_title("Pope"), without_title("Lt. Gen. Ricardo Sanchez")
    ('Tony Blair', 'Pope', 'Ricardo Sanchez')
    """
    parts = name.split()
    n = 0
    while n < len(parts) and _TITLE.fullmatch(fold(parts[n]).strip(".,")):
        n += 1
    return " ".join(parts[n:]) if n < len(parts) else name


@lru_cache(maxsize=1 << 14)
def person_words(name: str) -> tuple[str, ...]:
    """The words of a person's name, without titles and what may come behind it.

    A numeral stays with a name of one or two words: John Paul II has no surname.

    >>> person_words("Dr. Martin Luther King, Jr."), person_words("J.K. Rowling"), person_words("Elizabeth II")
    (('martin', 'luther', 'king'), ('j', 'k', 'rowling'), ('elizabeth', 'ii'))
    """
    spaced = re.sub(r"(?<=\b[A-Z]\.)(?=[A-Z])", " ", without_title(label_of(name)))
    found = words(spaced)
    while len(found) > 1 and (_AFTER.fullmatch(found[-1]) or (len(found) > 3 and _NUMERAL.fullmatch(found[-1]))):
        found = found[:-1]
    return found


@lru_cache(maxsize=1 << 14)
def company_words(name: str) -> tuple[str, ...]:
    """The words of an organisation's name without its legal form, and without what says that it is several companies.

    >>> company_words("Microsoft Corp."), company_words("The Walt Disney Company"), company_words("Co")
    (('microsoft',), ('walt', 'disney'), ('co',))
    >>> company_words("US Airways Group, Inc."), company_words("The Group")
    (('us', 'airways'), ('group',))
    """
    label = label_of(name)
    found = words(basename(label)) or words(label)
    found = found[:-1] if found[-1:] == ("group",) and len(found) > 1 and found[0] != "the" else found
    return found[1:] if len(found) > 1 and found[0] == "the" else found


@lru_cache(maxsize=1 << 14)
def name_words(name: str) -> tuple[str, ...]:
    """The words of a name of no person, without an article before it.

    >>> name_words("the Supreme Court"), name_words("The")
    (('supreme', 'court'), ('the',))
    """
    found = words(name)
    return found[1:] if len(found) > 1 and found[0] == "the" else found


def is_acronym(text: str) -> bool:
    """Whether a name is nothing but capitals: two to ten, with points or without.

    >>> [is_acronym(text) for text in ("NASA", "U.N.", "AT&T", "Nasa", "A")]
    [True, True, True, False, False]
    """
    return bool(_ACRONYM.fullmatch(text)) and 2 <= sum(c.isalpha() for c in text) <= 10


@lru_cache(maxsize=1 << 14)
def is_latin(text: str) -> bool:
    """Whether a name has letters, and one of them is of the Latin script.

    >>> is_latin("Åbo"), is_latin("走四方"), is_latin("1984")
    (True, False, False)
    """
    return any(c.isalpha() and unicodedata.name(c, "").startswith("LATIN ") for c in text)


def is_of_another_script(text: str) -> bool:
    """Whether a name has letters, and none of them is of the Latin script.

    >>> is_of_another_script("走四方"), is_of_another_script("Βeta"), is_of_another_script("1984")
    (True, False, False)
    """
    return any(map(str.isalpha, text)) and not is_latin(text)


def stands_for(short: str, long: str) -> bool:
    """Whether the letters of an acronym are the initials of a name's words, with or without small words.

    >>> stands_for("OPEC", "Organization of the Petroleum Exporting Countries"), stands_for("USA", "U.S. Army")
    (True, False)
    """
    letters = "".join(c for c in short.casefold() if c.isalpha())
    parts = [w for w in re.split(r"[^\w']+", fold(long)) if w]
    if len(parts) < 2:
        return False
    initials = "".join(w[0] for w in parts)
    return letters in (initials, "".join(w[0] for w in parts if not _SMALL.fullmatch(w)))


def abbreviates(short: str, long: str) -> bool:
    """Whether an acronym that stands beside a name in brackets may be made of it: of its letters, in their order.

    The first letter is that of the name, which has two words and more; the others may stand within words (Schwartz and
    Hearst, 2003). Elsewhere that says nothing: `stands_for` does.

    >>> abbreviates("ASEAN", "Association of Southeast Asian Nations"), abbreviates("PRR", "Pennsylvania Railroad")
    (True, True)
    >>> abbreviates("FBI", "Central Intelligence Agency"), abbreviates("NASA", "Nations")
    (False, False)
    """
    if stands_for(short, long):
        return True
    letters = [c for c in short.casefold() if c.isalpha()]
    parts = words(long)
    parts = parts[1:] if parts[:1] == ("the",) else parts
    rest = iter("".join(parts))
    return len(parts) > 1 and letters[:1] == [parts[0][0]] and all(letter in rest for letter in letters)


def bracketed(text: str) -> tuple[str, str] | None:
    """The two names of a text that is one name with its acronym behind it in brackets.

    >>> bracketed("World Health Organization (WHO)")
    ('World Health Organization', 'WHO')
    """
    match = _BRACKETED.fullmatch(label_of(text))
    if match and is_acronym(match["short"]) and abbreviates(match["short"], match["long"]):
        return match["long"], match["short"]
    return None


def skeleton(word: str) -> str:
    """A word without vowels and h behind the first letter, and without doubled letters: what spellings share.

    >>> skeleton("schwarzenegger") == skeleton("schwarzeneger"), skeleton("fallujah") == skeleton("falluja")
    (True, True)
    """
    bare = word[:1] + re.sub("[aeiouyh]", "", word[1:])
    return re.sub(r"(.)\1+", r"\1", bare)


def is_spelling_of(one: str, other: str) -> bool:
    """Whether two folded names of seven letters and more are spellings of one: alike, with the same skeleton and end.

    Numbers have to be the same, and so has the number of words, unless the two differ in spaces alone.

    >>> is_spelling_of("muqtada", "moqtada"), is_spelling_of("martina", "martino"), is_spelling_of("unit 1", "unit 2")
    (True, False, False)
    """
    if one == other:
        return True
    if min(len(one), len(other)) < _MIN_SPELLED or one.rstrip("h")[-1] != other.rstrip("h")[-1]:
        return False
    parts, others = one.split(), other.split()
    joined = ("".join(parts), "".join(others))
    if joined[0] == joined[1]:
        return True
    numbers = [list(filter(_NUMERAL.fullmatch, found)) for found in (parts, others)]
    is_like = len(parts) == len(others) and numbers[0] == numbers[1] and skeleton(joined[0]) == skeleton(joined[1])
    return is_like and fuzz.ratio(one, other) >= _MIN_RATIO
