"""Names that are equal wherever they are computed."""

import doctest
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kgmill.schemas import identity
from kgmill.schemas.identity import (
    bucket,
    digest,
    entity_id,
    entity_key,
    fact_bucket,
    fact_id,
    fingerprint,
    order_key,
    pair_id,
    slug,
    statement_id,
    text_key,
)
from kgmill.schemas.names import label_of


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(identity)

    assert result.failed == 0
    assert result.attempted >= 5


@pytest.mark.parametrize(
    "variant",
    [
        "new york times",
        "NEW YORK TIMES",
        "The New York Times",
        "New  York\n Times",
        "New\u00a0York Times",
        "“New York Times”,",
        "the 'New York Times'",
        "Ｎｅｗ Ｙｏｒｋ Ｔｉｍｅｓ",
        "New\u00ad York Times",
        "New York Ti\u00admes",
        "New York Ti\u00ad\n  mes",
        "\ufeffNew\u200b York\u2060 Ti\u200dmes\u200e",
        "New\x07 York Times\x1b",
    ],
)
def test_entity_id_of_variants(variant):
    """Case, spaces, width, edge punctuation and a leading article don't make another entity."""
    assert entity_id("New York Times") == "new-york-times-17b158aafd2b7f9f"
    assert entity_id(variant) == entity_id("New York Times")


def test_entity_ids_of_one_name_are_numbered():
    """The first thing of a name has no number, the others have theirs at the end of the same id."""
    first = entity_id("Washington")

    assert entity_id("Washington", 1) == first
    assert [entity_id("the  WASHINGTON", number) for number in (2, 3)] == [f"{first}-2", f"{first}-3"]


def test_entity_id_of_one_document():
    """A name that is one thing in each document has an entity for each, none of which is the corpus's."""
    found = [entity_id("Bush", doc_id=doc_id) for doc_id in ("", "d1", "d2")]

    assert len(set(found)) == 3
    assert all(name.startswith("bush-") for name in found)
    assert entity_id("BUSH,", doc_id="d1") == found[1]


def test_entity_id_of_a_name_that_says_a_number():
    """A name that ends in 2 is not the second thing of the name without."""
    assert entity_id("Washington 2") != entity_id("Washington", 2)
    assert entity_id("Washington-2") != entity_id("Washington", 2)


def test_composed_and_decomposed_letters():
    """A letter with an accent and the same in two code points are one."""
    assert entity_id("Cafe\u0301") == entity_id("Café")


def test_signs_that_stand_for_letters():
    """A sign that stands for capitals counts as them: it has no lower case before it is taken apart."""
    assert entity_key("Acme™") == entity_key("ACMEtm") == "acmetm"


@pytest.mark.parametrize("hyphen", [*"-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-\n", "\u2010\r\n "])
def test_hyphens_are_one(hyphen):
    """A name is the same with any hyphen or dash, and where a line ends at its hyphen."""
    assert entity_key(f"Anne{hyphen}Marie Moss") == "anne-marie moss"


@pytest.mark.parametrize("apostrophe", "'\u2018\u2019\u201b\u02bc\u02bb\u2032\uff07`\u00b4")
def test_apostrophes_are_one(apostrophe):
    """A name is the same with any apostrophe."""
    assert entity_key(f"O{apostrophe}Neill") == "o'neill"


def test_quotes_within_a_name_are_one():
    """A nickname in curly and in straight quotes."""
    assert entity_key("Otto \u201cthe Bear\u201d Brandt") == entity_key('Otto "the Bear" Brandt')


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1", "1"),
        ("1%", "1%"),
        ("1\u2030", "1\u2030"),
        ("$1.", "$1"),
        ("\u20ac1", "\u20ac1"),
        ("\u00a31,", "\u00a31"),
        ("5\u00b0", "5\u00b0"),
        ("<5", "<5"),
        ("\u00b15", "\u00b15"),
        ("-5", "-5"),
        ("\u22125", "-5"),
        ("C++", "c++"),
        ("C#.", "c#"),
        ("C", "c"),
        ("(C++)", "c++"),
        ("<Acme>", "acme"),
        ("| Acme |", "acme"),
        ("Acme\u00ae", "acme"),
        ("#Acme", "acme"),
        ("-Acme-", "acme"),
    ],
)
def test_symbols_tell_names_apart(text, key):
    """Signs of units, money and of names stay at the edge; marks of brands and of markup go."""
    assert entity_key(text) == key


def test_last_vowel_sign_is_no_punctuation():
    """A vowel sign at a name's end, which is no letter to Unicode, tells names apart."""
    assert entity_key("राम,") == "राम"
    assert entity_key("रामा,") == "रामा"


def test_names_without_letters_stay_apart():
    """Two names of symbols alone, with the same variation selector, are not one."""
    assert entity_key("❤\ufe0f") != entity_key("☀\ufe0f")


@given(st.text(min_size=1).filter(str.strip))
@example("\u200b")
@example("the ,")
@example("\u00a8")
@example("The ...")
def test_entity_key_is_never_empty(text):
    """Text that is more than spaces has a key that is more than spaces."""
    assert entity_key(text).strip() != ""


@given(st.text(max_size=40))
@example("The “the” Who")
def test_entity_key_of_a_key(text):
    """A key is its own key, but for one more leading article."""
    key = entity_key(text)

    assert entity_key(key) == key or key.startswith("the ")


@given(st.text(max_size=40).filter(lambda text: any(character.isalnum() for character in label_of(text))))
@example('the "Maine"')
def test_entity_key_ignores_edges(text):
    """Quotes, spaces and commas around a name don't change its key."""
    assert entity_key(f" “{text}”, ") == entity_key(text)


@pytest.mark.parametrize("identifier", ["", "ada-7f3a", "d 42", "\ud800"])
def test_bucket_is_the_first_byte_of_the_order_key(identifier):
    """Buckets are prefixes of the key by which everything is ordered."""
    assert bucket(identifier) == int(order_key(identifier)[:2], 16)
    assert [bucket(identifier, n_bits) >> (n_bits - 8) for n_bits in (9, 16)] == [bucket(identifier)] * 2


def test_order_key_literal():
    """An order key never changes from one version to the next, as graphs are cut by it."""
    assert order_key("ada-7f3a")[:8] == "a1593f68"


def test_parts_of_a_digest_do_not_run_into_each_other():
    """The border between two parts counts."""
    assert digest("ab", "c") != digest("a", "bc")


def test_fingerprint_ignores_the_order_of_keys():
    """Equal values have one fingerprint."""
    assert fingerprint({"a": 1, "b": [2, "é"]}) == fingerprint({"b": [2, "é"], "a": 1})


def test_fact_id_is_directed():
    """A fact and its reverse are two."""
    assert fact_id("ada", "Kill", "bob") != fact_id("bob", "Kill", "ada")


def test_pair_of_a_fact_and_its_reverse():
    """All facts of two ends begin with what the ends have in common, in either direction and of any relation."""
    pair = pair_id("ada", "bob")

    found = {fact_id("ada", "Kill", "bob"), fact_id("bob", "Kill", "ada"), fact_id("ada", "Sibling", "bob")}
    assert len(found) == 3
    assert {name[:8] for name in found} == {pair}
    assert all(re.fullmatch("[0-9a-f]{16}", name) for name in found)
    assert pair_id("ada", "bo") != pair


def test_pair_of_a_value():
    """The pair of a fact with a value is of the words of the value, whatever its datatype; the fact is of both."""
    year, text = fact_id("ada", "Born", "1815", "gYear"), fact_id("ada", "Born", "1815", "string")

    assert (year[:8], text[:8]) == (pair_id("ada", "1815"),) * 2
    assert year != text


@given(st.text(), st.text(), st.text())
def test_facts_of_a_pair_are_in_one_bucket(one, other, relation):
    """The bucket of a fact is that of its pair, whichever end is its head."""
    assert fact_bucket(fact_id(one, relation, other)) == bucket(pair_id(other, one))
    assert fact_bucket(fact_id(other, relation, one)) == bucket(pair_id(other, one))


@pytest.mark.parametrize(
    ("text", "is_same"),
    [
        ("Ann Lee runs Acme.", True),
        ("ANN LEE\nRUNS ACME", True),
        ("(3) Ann Lee runs Acme -- 2004", True),
        ("Ann Lee runs Acme Corp.", False),
        ("Acme runs Ann Lee.", False),
        ("AnnLee runs Acme.", False),
    ],
)
def test_text_key_is_of_the_words(text, is_same):
    """Copies of a sentence have one key though case, numbers and punctuation differ; other words have another."""
    assert (text_key(text) == text_key("Ann Lee runs Acme.")) is is_same
    assert re.fullmatch("[0-9a-f]{8}", text_key(text))


def test_statement_id_knows_its_offsets():
    """Two relation mentions of one document differ by their offsets."""
    first = statement_id("d", (0, 3), (5, 8), "Kill")

    assert len(first) == 16
    assert first != statement_id("d", (0, 3), (5, 9), "Kill")


def test_slug_is_cut_without_a_trailing_hyphen():
    """A long name is cut, and no hyphen stays at its end."""
    assert slug("a" * 39 + " b") == "a" * 39


def test_entity_id_without_ascii_letters():
    """A name with no ASCII letters is its hash alone."""
    assert re.fullmatch("[0-9a-f]{16}", entity_id("東京"))
