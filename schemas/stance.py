"""Whether a sentence states what a model reads in it: told by English words between, before and around two mentions.

A statement that is denied, only thought possible, or only somebody's claim is no fact, nor is what joins a player and
the other team, or a birth in a sentence without a word for one: it is kept, marked, and not asserted. The rules see
words, not grammar; who changes one raises VERSION in pipelines/stages/names.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
_PLAYED = re.compile(  # between a player and a team that he plays against
    r"\b(?:hold|holds|held|holding)(?: off)?(?: the)? $|"
    r"\b(?:shut out|blanked|swept|sweeps|stunned|stuns|upset|topped|tops|rallied|rallies|outscored)\b"
)
_ACTORS = re.compile(  # behind a country's name: whose they are is said, not where anything lies
    r"(?:['\u2019]s)?(?:[-\u2010\u2011][a-z]+)?\s+"
    r"(?:(?!(?:a|after|an|and|as|at|before|by|during|for|from|had|has|have|in|is|near|of|on|or|since|that|the|to|was|were|when|"
    r"where|which|while|who|with)\b)[a-z][\w-]*\s+){0,2}?"
    r"(?i:(?:crown|defen[cs]e|deputy|econom(?:y|ic)|finance|foreign|health|home|interior|justice|prime|trade|vice)\s+){0,2}"
    r"(?i:troops|forces?|soldiers?|marines?|military|army|navy|air force|(?:war)?planes?|jets?|helicopters?|gunships?|"
    r"aircraft|air ?strikes?|missiles?|tanks?|bomb(?:s|ers?|ings?)?|artillery|patrols?|convoys?|commanders?|"
    r"spokes(?:man|woman|person)|officials?|authorities|diplomats?|ambassador|embassy|envoys?|hostages?|contractors?|"
    r"civilians?|journalists?|warships?|settle(?:ments?|rs?)|offensive|operations?|raids?|incursions?|attacks?|invasion|"
    r"occupation|operatives?|attorneys?|prosecutors?|senators?|senate|judges?|marshals?|agents?|regulators?|lawmakers?|"
    r"investigators?|president|prince|secretar(?:y|ies)|consulates?|congress(?:man|men|woman)?|minist(?:er|ers|ry)|government|police|intelligence|"
    r"negotiators?|delegat(?:es?|ion)|missions?|"
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
_OF_CITIZENS = frozenset({"citizenship", "nationality"})  # relations of a person and a country
_OF_PLACES = frozenset({"country", "located_in", "location", "part_of"})  # of two places, the tail is the larger
_OF_BIRTH, _OF_DEATH = frozenset({"born_in", "born_on"}), frozenset({"died_in", "died_on"})
_OF_DATES = ("born_on", "died_on")  # by the side of the dash
_LANGUAGE = re.compile(  # behind the name of a language: what is written in it follows, inside of brackets
    r"(?:\s(?:Cyrillic|alphabet|characters|language|pronunciation|romani[sz]ed|script))?\s?:(?!\d)"
)
_IN_BRACKETS = re.compile(r"\(([^()]*)\)")
_DASH = re.compile(  # between a birth and a death
    r"(?<!\s)\s*[\u2013\u2014]\s*|\s-+\s|(?<=\d{4})-(?=\d{4})"
)
_NO_BIRTH = {"(", ";"}  # before the dash, where only a death is known
_YEAR = re.compile(r"\d{3}")
_DATE = re.compile(r"(?:[A-Z][a-z]+\.?\s)?\d")
_NAMED = r"(?:(?!(?:and|as|at|by|for|from|in|of|or|to|with)\b)[\w.-]+ ){0,3}?"  # "the second", "King"
_LONGEST_RANK = 80  # characters between two names that may say which is above the other


def _ranks(lower: str, upper: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What stands between two names where the first is above the second, and where it is below."""
    whose = r"\s?(?:'s?|,? whose|(?:,? (?:and|through|with) )?(?:his|her|its|their))"
    is_one = r"(?:,| \(| is| was)?"

    def between(first: str, second: str) -> re.Pattern[str]:
        """Words of the first name ("A, father of B"), or of the second ("A's son B")."""
        return re.compile(rf"{is_one} ?{_NAMED}(?:{first}) of {_NAMED}|{whose} {_NAMED}(?:{second}),? {_NAMED}", re.I)

    return between(upper, lower), between(lower, upper)


_OF_KIN = _ranks(
    r"(?:step|grand|god)?(?:sons?|daughters?)|child|children", r"(?:step|grand|god)?(?:father|mother)s?|parents?"
)
_OF_COMPANIES = _ranks(
    r"subsidiar(?:y|ies)|units?|divisions?|arms?|affiliates?|imprints?|labels?|brands?",
    r"(?:parent|holding)(?: (?:company|corporation|organi[sz]ation))?|owners?",
)
_RANKS = {"child": (_OF_KIN, 0), "parent_organization": (_OF_COMPANIES, 1), "owned_by": (_OF_COMPANIES, 1)}
_CREDITED = re.compile(  # between a work and who has a part in it that is none of a writer's; names may stand before
    r"(?<!written and )(?<!written, )\b(?:directed|distributed|edited|illustrated|narrated|performed|produced|"
    r"published|released|translated) by(?: the)?(?: (?:[A-Z]\w?\.|[A-Z&][\w&'-]*|and|the),?)* $"
)
_OWNER = re.compile(r" (?:[a-z-]+ )?(?:co-)?owners? ")  # between a company and a person who isn't said to be of it
_NEXT_OF_LIST = re.compile(r";(?: and)?(?: (?:[A-Z][\w.'-]*|of|for|de),?)* $")  # "Austin, Texas; Bangkok, Thailand"
_BY_BRACKETS = _OF_BIRTH | _OF_DEATH | {"inception"}  # without one, too, in brackets behind a name


def pattern_of(words: Iterable[str]) -> re.Pattern[str]:
    """What finds one of some words in a sentence, in capitals or small letters; `*` ends what has any ending.

    >>> found = pattern_of(["born", "marr*", ", of"]).search
    >>> [bool(found(text)) for text in ("Born in Rome", "She married", "bornite", "aged 83, of Rome", "one of Rome")]
    [True, True, False, True, False]
    """
    parts = [
        (r"\b" if word[0].isalnum() else "")
        + re.escape(word.removesuffix("*"))
        + ("" if word.endswith("*") else r"(?!\w)")
        for word in words
    ]
    return re.compile("|".join(parts), re.IGNORECASE)


def stance(
    sentence: str,
    head: tuple[int, int],
    tail: tuple[int, int],
    relation: str = "",
    *,
    are_places: bool = False,
    words: re.Pattern[str] | None = None,
) -> str:
    """How a sentence says what it may say of two mentions, by its words; empty where it states it.

    `negated`, `hedged`; `opposed`: one is against the other, as teams in a match; `reported`, by words before them too;
    `foreign`: of two places one is named for its forces, officials or the like, who may be anywhere; `placed`: a
    country in which something happens is taken for somebody's own; `beside`: of two places one is near, or so far from,
    the other; `cited`: one stands in a reference to a page, where names and years are those of writers and titles;
    `language`: a place is the name of a language, behind which something is written in it; `turned`: words say that the
    one who is named as a child is the parent, or so of companies; `credited`: who published or edited a work, or the
    like, is taken for its author; `apart`: of the two sides of life dates, a birth is at that of death, a death at that
    of birth, or two places at both, or a semicolon of a list parts what lies somewhere from where; `unsaid`: a relation
    that wants a word for it, such as a birth, and there is none, or the word says another, as an owner's does of an
    affiliation.

    Args:
        sentence: its text.
        head: begin and end of the relation's head, in the sentence; negative where it stands before it.
        tail: those of its tail.
        relation: its name, as the ontology has it; without it, what depends on it is not told.
        are_places: whether head and tail are both places.
        words: what finds the words, outside both names, without which it is `unsaid` (`pattern_of`); none: never.

    >>> stance("Ann Lee does not work for Acme.", (0, 7), (26, 30)), stance("Ann Lee may join Acme.", (0, 7), (17, 21))
    ('negated', 'hedged')
    >>> stance("Ann Lee scored in a win over Acme.", (0, 7), (29, 33))
    'opposed'
    >>> stance("Police believe the alleged chief of Acme, Ann Lee, fled.", (42, 49), (36, 40))
    'reported'
    >>> stance("Two U.S. soldiers were killed in Baghdad.", (33, 40), (4, 8), "country", are_places=True)
    'foreign'
    >>> stance("In Brussels, the US Defence Secretary spoke.", (3, 11), (17, 19), "country", are_places=True)
    'foreign'
    >>> stance("In Poland, Ann Lee spoke.", (11, 18), (3, 9), "citizenship")
    'placed'
    >>> stance("Baiji, north of Rome", (0, 5), (16, 20), "located_in", are_places=True)
    'beside'
    >>> stance("Work was hard [Ann Lee, Poland 1918-1921, p. 57]", (15, 22), (24, 30))
    'cited'
    >>> stance("Vilnius (Polish: Wilno)", (0, 7), (9, 15), "country", are_places=True)
    'language'
    >>> stance("Ann Lee's son Bob Stone left.", (14, 23), (0, 7), "child")
    'turned'
    >>> stance("Ann Lee (1815, Paris \u2013 1851, Lyon)", (0, 7), (29, 33), "born_in")
    'apart'
    >>> stance("Plants in Austin, Texas; Penang, Malaysia", (10, 16), (33, 41), "country", are_places=True)
    'apart'
    >>> stance("Mother Earth, edited by Ann Lee", (0, 12), (24, 31), "author")
    'credited'
    >>> stance("In 1829 he married Ann Lee.", (19, 26), (3, 7), "born_on", words=pattern_of(["born", "birth*"]))
    'unsaid'
    >>> stance("Ann Lee left the Institute for Study.", (0, 7), (17, 36), "educated_at", words=pattern_of(["stud*"]))
    'unsaid'
    """
    sentence, relation = sentence.replace("\u2019", "'"), relation.casefold()
    first, second = sorted((head, tail))
    first_end, second_begin = max(first[1], 0), second[0]
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
    if are_places and any(_ACTORS.match(sentence, end) for end in (first_end, second[1])):
        return "foreign"
    is_whole = tail[0] >= 0 and relation in (_OF_PLACES if are_places else _OF_CITIZENS)
    before = sentence[max(0, tail[0] - _WORDS_BEFORE) : tail[0]] if is_whole else ""
    if not are_places and _PLACED.search(before):
        return "placed"
    if are_places and (beside := _BESIDE.search(before)) and not beside["part"]:
        return "beside"
    if relation in _OF_PLACES | _OF_CITIZENS and any(_is_language(sentence, end) for _, end in (head, tail)):
        return "language"
    if relation in _RANKS and _is_turned(between, relation, is_head_first=head <= tail):
        return "turned"
    if relation == "author" and head < tail and _CREDITED.search(between):
        return "credited"
    if relation in _OF_PLACES and _NEXT_OF_LIST.search(between):
        return "apart"
    if _are_apart(sentence, head, tail, relation, are_places):
        return "apart"
    if relation == "affiliation" and _PLAYED.search(between):
        return "opposed"
    if relation == "affiliation" and _OWNER.fullmatch(between):
        return "unsaid"
    outside = (sentence[: max(first[0], 0)], between, sentence[max(first_end, second[1]) :])
    if words and not any(map(words.search, outside)) and not _is_said_without(sentence, first_end, tail, relation):
        return "unsaid"
    return "reported" if _REPORTED.search(between) or _REPORTED.search(sentence[:first_end][-_WORDS_BEFORE:]) else ""


def _is_turned(between: str, relation: str, *, is_head_first: bool) -> bool:
    """Whether the words between say that the head is what the relation has its tail for."""
    (first_above, first_below), upper = _RANKS[relation]
    is_first_above = (upper == 0) == is_head_first
    return len(between) <= _LONGEST_RANK and bool((first_below if is_first_above else first_above).fullmatch(between))


def _is_in_brackets(sentence: str, place: int) -> bool:
    return sentence.count("(", 0, place) > sentence.count(")", 0, place)


def _is_language(sentence: str, end: int) -> bool:
    """Whether what ends there is the name of a language, in brackets, with something written in it behind."""
    return end > 0 and _is_in_brackets(sentence, end) and bool(_LANGUAGE.match(sentence, end))


def _side(sentence: str, date: tuple[int, int]) -> int | None:
    """The side of a dash between two dates that a date stands on; None where there is no such dash beside it."""
    for dash in _DASH.finditer(sentence):
        if dash.start() == date[1] and _DATE.match(sentence, dash.end()):
            return 0
        if dash.end() == date[0]:
            before = sentence[: dash.start()].rstrip()[-1:]
            if before.isdigit() or before in _NO_BIRTH:
                return 1
    return None


def _are_apart(sentence: str, head: tuple[int, int], tail: tuple[int, int], relation: str, are_places: bool) -> bool:
    """Whether life dates tell the two apart."""
    if relation in _OF_DATES and _side(sentence, tail) == 1 - _OF_DATES.index(relation):
        return True
    if not (are_places or relation in _OF_BIRTH | _OF_DEATH):
        return False
    for brackets in _IN_BRACKETS.finditer(sentence):
        begin, end = brackets.span(1)
        dashes = list(_DASH.finditer(sentence, begin, end))
        if len(dashes) != 1:
            continue
        birth, death = (begin, dashes[0].start()), (dashes[0].end(), end)
        if not all(_YEAR.search(sentence, *half) for half in (birth, death)):
            continue
        at_birth, at_death = ([a <= span[0] < b for span in (head, tail)] for a, b in (birth, death))
        if are_places:
            is_apart = any(at_birth) and any(at_death)
        else:
            is_apart = (at_death if relation in _OF_BIRTH else at_birth)[1]
        if is_apart:
            return True
    return False


def _is_said_without(sentence: str, first_end: int, tail: tuple[int, int], relation: str) -> bool:
    """Whether signs say the relation in place of words: life dates in brackets or with a dash, a possessive."""
    if relation in _BY_BRACKETS:
        is_behind = "[" in sentence[first_end : tail[0]] or _is_in_brackets(sentence, tail[0])
        return is_behind or (relation in _OF_DATES and _side(sentence, tail) is not None)
    return relation == "owned_by" and sentence.startswith("'s", first_end)
