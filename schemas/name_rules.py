"""The rules by which a name is an entity's, as mentions and the table `names` have them; docs/resolution.md says each.

No rule, an empty one: the name is the entity's own.
"""

from __future__ import annotations

# What a document itself has a longer name for (`kgmill.pipelines.resolution.local`).
TITLE, BRACKET, ACRONYM = "title", "bracket", "acronym"
SHORT = "short"  # Bush of George W. Bush; the Court of the Supreme Court, Interscope of Interscope Records
MIDDLE = "middle"  # a word from the middle of the only such name of a person: Endara of Guillermo Endara Galimany
CALLED = "called"  # another name that the document says it is known by
# Names of the corpus (`kgmill.pipelines.resolution.clusters`); ACRONYM too, where documents agree what it stands for.
FORM, COUNTRY, PEOPLE, SPELLING, PERSON, SURNAME = "form", "country", "people", "spelling", "person", "surname"
ALIAS, DECISION = "alias", "decision"  # what all the world knows, and what people decided
HOMONYM = "homonym"  # a commoner thing of another type has this name too
EACH_DOCUMENT = "document"  # one thing in each document that has the name, and not in two

# The rules in words.
WORDS = {
    "": "its own name",
    SHORT: "short for a longer name of the same document",
    MIDDLE: "from the middle of the only such name of a person in the same document",
    TITLE: "the same name with a title",
    ACRONYM: "stands for it where a document says so, or has one name with these initials",
    BRACKET: "a name with its acronym in brackets",
    CALLED: "another name that the document says it is known by",
    HOMONYM: "a commoner thing of another type has the name too",
    FORM: "the same but for case, marks or a legal form",
    COUNTRY: "another name of the country",
    PEOPLE: "names of a country's people",
    SPELLING: "another spelling",
    PERSON: "another form of the person's name",
    SURNAME: "a surname that one person of the corpus has",
    ALIAS: "what all the world calls it for short",
    DECISION: "people decided so",
    EACH_DOCUMENT: "a surname that several have: one person in each document",
}

# What had such a name by itself was an entity of its own, and is led to the one that it is now.
MERGING = frozenset({"", FORM, COUNTRY, PEOPLE, SPELLING, PERSON, ALIAS, DECISION})
# Names that keep an id for a later build: not those that are short for others in one document alone.
PINNED = MERGING | {ACRONYM, HOMONYM}
# Names that say less than others of the same thing, and so are no labels where it has one.
SAYING_LESS = frozenset({SHORT, MIDDLE, SURNAME, ACRONYM, ALIAS, EACH_DOCUMENT})
