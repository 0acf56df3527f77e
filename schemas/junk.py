"""What an extractor takes for a name and no name is: told by its look alone, by rules that are counted.

Who changes a rule raises VERSION in pipelines/stages/decode.py, so that what was decoded by others is made again.
"""

from __future__ import annotations

import re

from kgmill.schemas.literals import XSD, literal_value
from kgmill.schemas.names import label_of

_PRONOUN = re.compile("i|me|my|we|us|our|you|your|he|him|his|she|her|it|its|they|them|their|this|that|these|those")
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"), ("«", "»"))
_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|(?:mon|tues?|wed|thur?s?|fri|sat|sun)\\."
_MONTHS = (
    "january|february|march|july|september|october|november|december|"
    "(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\\."
)
_CALENDAR = re.compile(f"{_DAYS}|{_MONTHS}")  # May, April, June, August, Sun and Jan without a point are names as often
_DIGITS = r"[+-]?[0-9][0-9.,/]*"
_NUMBER = (
    f"{_DIGITS}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|seventy|"
    "eighty|ninety|hundreds|thousands|millions|billions|dozens"
)
_UNIT = (
    "(?:hundred|thousand|million|billion|trillion|dozen|bn|mn|dollar|euro|pound|yen|cent|percent|per cent|point|second|"
    "minute|hour|day|week|month|year|decade|mile|kilomet(?:er|re)|met(?:er|re)|acre|ton|tonne|kilogram|gram|ounce|gallon|barrel|"
    "lit(?:er|re)|degree)s?|centuries|feet|foot|inch|inches|km|kg|cm|mm|mph|ft|old"
)
_ABOUT = "(?:(?:about|around|over|under|nearly|almost|more than|less than|at least|up to) )?"
_QUANTITY = re.compile(
    rf"{_ABOUT}(?:(?:{_NUMBER})(?:[ -](?:{_UNIT}))+|(?:us|a|c|hk)?[$€£¥] ?{_DIGITS} ?(?:k|m|bn|tn)?(?: (?:{_UNIT}))*"
    r"|[0-9]+(?:st|nd|rd|th|s))"
)


def junk_rule(text: str) -> str:
    """The name of the rule by which a mention's text is no name; empty where it may be one.

    `number`: no letter in it. `letter`: a single letter of a script that has cases. `unbalanced`: half a pair of
    brackets or quotes. `calendar`: a weekday or month alone. `date`: words that say a day, a month or a year.
    `quantity`: a number and its unit. `pronoun`: one in small letters (US and "It" are names).

    >>> [junk_rule(text) for text in ("1,200", "B.", "Kellner (CDU", "Monday", "May", "March 14, 1921", "us")]
    ['number', 'letter', 'unbalanced', 'calendar', '', 'date', 'pronoun']
    """
    label = label_of(text)
    letters = [c for c in label if c.isalpha()]
    if not letters:
        return "number"
    if _PRONOUN.fullmatch(label):
        return "pronoun"
    words = label.casefold()
    if len(letters) == 1 and letters[0].lower() != letters[0].upper() and not any(c.isdigit() for c in label):
        return "letter"
    if any(label.count(a) != label.count(b) for a, b in _BRACKETS) or label.count('"') % 2:
        return "unbalanced"
    if _CALENDAR.fullmatch(words):
        return "calendar"
    if literal_value("date", label)[1] != f"{XSD}string":
        return "date"
    return "quantity" if _QUANTITY.fullmatch(words) else ""
