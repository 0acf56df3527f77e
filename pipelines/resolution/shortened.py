"""What a text calls a thing for short whose longer name it has too; of people, `local.is_short_form` says it."""

from __future__ import annotations

from kgmill.pipelines.resolution.known import country_of, country_of_people

_OF = frozenset({"of", "for", "on", "against"})
_INNER = _OF | {"the", "in", "and", "de", "des", "du", "la"}  # a town's name has none of them
_REALMS = frozenset(
    {"commonwealth of", "free state of", "kingdom of", "people's republic of", "principality of", "republic of"}
)
_HEADS = frozenset(  # the Court, the Committee: general words, that a text may say of the one that it has named
    [
        *("academy", "accord", "act", "administration", "agency", "agreement", "alliance", "army", "assembly"),
        *("association", "authority", "bank", "board", "bureau", "cabinet", "church", "club", "coalition", "college"),
        *("commission", "committee", "commonwealth", "company", "confederation", "conference", "congress"),
        *("constitution", "convention", "council", "court", "department", "diocese", "directorate", "federation"),
        *("festival", "foundation", "front", "fund", "gala", "government", "guild", "house", "institute"),
        *("institution", "league", "legislature", "library", "ministry", "movement", "museum", "navy", "office"),
        *("orchestra", "order", "organisation", "organization", "parliament", "party", "plan", "police", "programme"),
        *("program", "project", "protocol", "resistance", "school", "senate", "society", "summit", "team", "theater"),
        *("theatre", "treaty", "tribunal", "trust", "union", "university"),
    ]
)
_KINDS_OF_BODY = frozenset(  # Interscope Records, Lincoln High School: what a body's name may lack
    [
        *("agency", "airlines", "airways", "associates", "bank", "business", "church", "club", "college", "company"),
        *("corporation", "department", "distribution", "football", "foundation", "high", "hospital", "hotel"),
        *("institute", "ministry", "museum", "music", "party", "preparatory", "press", "publishing", "records"),
        *("school", "university"),
    ]
)


def is_part_of_name(short: tuple[str, ...], full: tuple[str, ...], kind: str) -> bool:
    """Whether a thing's name, by its words, may be what a text says for short of a longer one that it has too.

    A general word is (the Court), a body without its country (the Navy) or without the word for what it is (Interscope
    Records), a team without its town, a country without the word for a realm.

    >>> is_part_of_name(("court",), ("supreme", "court"), "organization")
    True
    >>> is_part_of_name(("interscope",), ("interscope", "records"), "organization")
    True
    >>> is_part_of_name(("university",), ("university", "hospital", "zurich"), "organization")
    False
    """
    n = len(short)
    if not 0 < n < len(full):
        return False
    before, behind = full[:-n] if full[-n:] == short else (), full[n:] if full[:n] == short else ()
    if kind == "place":
        return " ".join(before) in _REALMS
    if n == 1 and short[0] in _HEADS:
        return bool(before) or (len(behind) > 1 and behind[0] in _OF)
    if kind != "organization":
        return False
    if before:
        country = " ".join(before)
        is_team = (short[-1].endswith("s") or short[-1] == "sox") and _INNER.isdisjoint(before)
        return is_team or bool(country_of(country) or country_of_people(country))
    if len(behind) > 1 and behind[0] == "of" and country_of(" ".join(behind[1:])):
        return not _HEADS.isdisjoint(short)
    return bool(behind) and _KINDS_OF_BODY.issuperset(behind)
