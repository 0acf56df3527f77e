"""Whether a sentence states what it names: told by English words between and before two mentions.

A statement that is denied, only thought possible, or only somebody's claim is no fact, nor is what joins a player and
the other team: it is kept, marked, and not asserted. The rules see words, not grammar; who changes one raises VERSION
in pipelines/stages/names.py.
"""

from __future__ import annotations

import re

_NEGATED = re.compile(
    r"\b(?:not|never|no longer|nor|neither|cannot|without|denie[sd]|deny|denying|refused to|failed to|falsely)\b|n't\b"
)
_HEDGED = re.compile(
    r"\b(?:may|might|could|would|should|possibly|perhaps|probably|potential|potentially|proposed|prospective|if|whether|"
    r"rumou?red|(?:expected|likely|set|due|hoping|hopes?|plans?|planning|seeking|seeks?|wants?|trying|tries|tried|vowed|"
    r"agreed|offered|threatened|applied|attempted|hoped|intended|intends|volunteered|wanted|wished) to|in talks|"
    r"bid for|considering)\b"
)
_REPORTED = re.compile(
    r"\b(?:alleged|allegedly|reportedly|supposedly|accused|accuses|accusing|claims?|claimed|suspected|believed to|"
    r"thought to|said to (?:be|have)|according to)\b",
    re.I,
)
_OPPOSED = re.compile(
    r"\b(?:against|versus|vs|beats?|beating|beaten|defeat(?:s|ed|ing)?|rout(?:s|ed|ing)|downed|edg(?:ed|ing)|outlasted|"
    r"hammered|thrashed|pounded|crushed|trounced|overcame|lost to|losing to|fac(?:es?|ed|ing)|"
    r"(?:wins?|won|victory|triumph|lead|draw|loss|edge|romp|comeback) (?:over|to|with|from))\b"
    r"|(?<!took )(?<!take )(?<!taken )(?<!taking )\b(?:over|past)(?: the| host| visiting)?\s*$"
)
_ACTORS = re.compile(  # behind a country's name: whose they are is said, not where anything lies
    r"(?:['\u2019]s)?(?:-(?:led|backed|controlled|occupied|run))?\s+"
    r"(?:(?!(?:a|after|an|and|as|at|before|by|during|for|from|had|has|have|in|is|near|of|on|or|since|that|the|to|was|were|when|"
    r"where|which|while|who|with)\b)[a-z][\w-]*\s+){0,2}?"
    r"(?i:troops|forces?|soldiers?|marines?|military|army|navy|air force|(?:war)?planes?|jets?|helicopters?|gunships?|"
    r"aircraft|air ?strikes?|missiles?|tanks?|bomb(?:s|ers?|ings?)?|artillery|patrols?|convoys?|commanders?|"
    r"spokes(?:man|woman|person)|officials?|authorities|diplomats?|ambassador|embassy|envoys?|hostages?|contractors?|"
    r"civilians?|journalists?|warships?|settle(?:ments?|rs?)|offensive|operations?|raids?|incursions?|attacks?|invasion|"
    r"occupation|operatives?|"
    r"news agenc(?:y|ies)|newspapers?|television|media)\b"
)
_DIRECTION = r"(?:north|south|east|west)(?:ern)?(?:[ -]*(?:north|south|east|west)(?:ern)?)*"
_BESIDE = re.compile(  # before a place: where another one is, and not in it; the north of it is in it
    rf"(?:\b(?P<part>the )?{_DIRECTION} of|\b(?:km|kilomet(?:er|re)s?|miles?|hours?)(?: away)? (?:from|outside)"
    r"|\b(?:near|outside|close to))"
    r" (?:the )?(?:(?:city|town|village|capital|border)(?: of)? )?$"
)
_PLACED = re.compile(r"\b[Ii]n (?:the )?$")  # before a country's name: what is said happens there
_BRACKETS = re.compile(r"(?:^|[\[(])[^\[\]()]*+[\])]")  # a sentence may begin in the middle of some
_PAGE = re.compile(r"\bpp?\.\s?\d")
_WORDS_BEFORE = 40  # characters before a mention that may hold what governs it


def stance(
    sentence: str, first_end: int, second_begin: int, places_end: int | None = None, whole: int | None = None
) -> str:
    """How a sentence says what it may say of two mentions, by words between them; empty where it states it.

    `negated`, `hedged`; `opposed`: one is against the other, as teams in a match; `reported`, by words before them too;
    `foreign`: of two places one is named for its forces, officials or the like, who may be anywhere; `placed`: a
    country in which something happens is taken for somebody's own; `beside`: of two places one is near, or so far from,
    the other; `cited`: one stands in a reference to a page, where names and years are those of writers and titles.

    Args:
        sentence: its text.
        first_end: where the mention that comes first ends, in the sentence.
        second_begin: where the other one begins.
        places_end: where the other one ends, if both are places.
        whole: where the one of the two begins that the other is said to be in, or a citizen of.

    >>> stance("Ann Lee does not work for Acme.", 7, 25), stance("Ann Lee may join Acme.", 7, 17)
    ('negated', 'hedged')
    >>> stance("Ann Lee scored in a win over Acme.", 7, 29)
    'opposed'
    >>> stance("Police believe the alleged chief of Acme, Ann Lee, fled.", 40, 42), stance("Ann Lee runs Acme.", 7, 13)
    ('reported', '')
    >>> stance("Two U.S. soldiers were killed in Baghdad.", 8, 33, 40), stance("It lies in Baghdad, Iraq.", 18, 20, 24)
    ('foreign', '')
    >>> stance("In Poland, Ann Lee spoke.", 9, 11, whole=3), stance("Ann Lee of Poland spoke.", 7, 11, whole=11)
    ('placed', '')
    >>> stance("Baiji, north of Rome", 5, 16, 20, whole=16), stance("Baiji in the north of Italy", 5, 22, 27, whole=22)
    ('beside', '')
    >>> stance("Work was hard [Ann Lee, Poland 1918-1921, p. 57]", 22, 24)
    'cited'
    """
    sentence = sentence.replace("\u2019", "'")
    if any(
        (one.start() < first_end <= one.end() or one.start() <= second_begin < one.end()) and _PAGE.search(one[0])
        for one in _BRACKETS.finditer(sentence)
    ):
        return "cited"
    between = sentence[first_end:second_begin]
    if _NEGATED.search(between):
        return "negated"
    if _HEDGED.search(between):
        return "hedged"
    if _OPPOSED.search(between):
        return "opposed"
    if places_end is not None and any(_ACTORS.match(sentence, end) for end in (first_end, places_end)):
        return "foreign"
    before = "" if whole is None else sentence[max(0, whole - _WORDS_BEFORE) : whole]
    if places_end is None and _PLACED.search(before):
        return "placed"
    if places_end is not None and (beside := _BESIDE.search(before)) and not beside["part"]:
        return "beside"
    return "reported" if _REPORTED.search(between) or _REPORTED.search(sentence[:first_end][-_WORDS_BEFORE:]) else ""
