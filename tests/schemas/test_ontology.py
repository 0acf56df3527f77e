"""Ontology files."""

import doctest
import tomllib

import pytest

import kgmill.schemas.ontology
from kgmill.schemas.errors import OntologyError
from kgmill.schemas.ontology import check_iri, format_ontology, load_ontology, parse_ontology

TYPES = "[entities.Peop]\n[entities.Loc]\n"


def fault_of(tmp_path, text):
    """The message with which an ontology file is refused, without its path."""
    path = tmp_path / "o.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OntologyError) as caught:
        load_ontology(path)
    where, _, message = str(caught.value).partition(": ")
    assert where == str(path)
    return message


def test_columns_are_in_the_order_of_the_file(tmp_path):
    """The order of types in the file is the order of the model's columns."""
    path = tmp_path / "o.toml"
    path.write_text(
        '[entities.Peop]\n[entities.Loc]\n[relations.Live_In]\nhead = ["Peop"]\ntail = ["Loc"]\n'
        '[relations.Born_In]\nhead = ["Peop"]\ntail = ["Loc"]\n',
        encoding="utf-8",
    )

    ontology = load_ontology(path)

    assert ontology.entity_names == ("Peop", "Loc")
    assert ontology.relation_names == ("Live_In", "Born_In")


def test_allowed_mask():
    """The mask holds head, tail and relation columns, in this order."""
    ontology = parse_ontology(
        {
            "entities": {"Peop": {}, "Loc": {}},
            "relations": {
                "Live_In": {"head": ["Peop"], "tail": ["Loc"]},
                "Near": {"head": ["Loc", "Peop"], "tail": ["Loc", "Peop"], "symmetric": True},
            },
        },
        "test",
    )

    peop_peop, peop_loc = (False, True), (True, True)
    loc_peop, loc_loc = (False, True), (False, True)
    assert ontology.allowed == ((peop_peop, peop_loc), (loc_peop, loc_loc))


def test_unknown_key(tmp_path):
    """A key that is not known is refused by its full name."""
    message = fault_of(tmp_path, "[entities.Peop]\ncolour = 'red'\n")

    assert message == "unknown key 'entities.Peop.colour'"


def test_unknown_head_type(tmp_path):
    """A relation whose head is no entity type is refused with both names."""
    message = fault_of(tmp_path, f'{TYPES}[relations.Kill]\nhead = ["Person"]\ntail = ["Peop"]\n')

    assert message == "relation Kill names unknown entity types ['Person']"


def test_unknown_tail_type(tmp_path):
    """A relation whose tail is no entity type is refused with both names."""
    message = fault_of(tmp_path, f'{TYPES}[relations.Kill]\nhead = ["Peop"]\ntail = ["Peop", "Animal"]\n')

    assert message == "relation Kill names unknown entity types ['Animal']"


def test_relation_without_tail(tmp_path):
    """A relation must say what it may join."""
    message = fault_of(tmp_path, f'{TYPES}[relations.Kill]\nhead = ["Peop"]\n')

    assert message == "relations.Kill.tail: Field required"


def test_no_entity_types(tmp_path):
    """An ontology without entity types is refused."""
    message = fault_of(tmp_path, "[entities]\n")

    assert message.startswith("entities: ")


@pytest.mark.parametrize("iri", ["schema/Person", "https://x.org/a b", "https://x.org/<a>", "https://x.org/a\\n"])
def test_bad_iri(tmp_path, iri):
    """An IRI that is relative, or that some RDF syntax can't carry, is refused."""
    message = fault_of(tmp_path, f"[entities.Peop]\niri = '{iri}'\n")

    assert message.startswith("entities.Peop.iri: ")
    assert message.endswith("is not an absolute IRI")


def test_iri_with_a_newline_at_its_end():
    """A newline after an IRI is no part of it: `$` in a regular expression would let it pass."""
    with pytest.raises(ValueError, match="not an absolute IRI"):
        check_iri("https://x.org/a\n")


def test_good_iri():
    """An absolute IRI, with letters of any script, passes unchanged."""
    assert check_iri("https://x.org/café#Ω") == "https://x.org/café#Ω"


def test_symmetric_relation_with_different_ends(tmp_path):
    """A symmetric relation must have the same types at both ends."""
    message = fault_of(tmp_path, f'{TYPES}[relations.Near]\nhead = ["Peop"]\ntail = ["Loc"]\nsymmetric = true\n')

    assert message == "relation Near is symmetric, but its heads and tails differ"


@pytest.mark.parametrize(
    "name", ['"a\\n"', "''", "' a'", "'a '", '"a\\u001bb"', '"a\\u2028b"', '"a\\u007f"', '"\\ufffe"']
)
def test_type_name_that_is_no_line_of_text(tmp_path, name):
    """A type's name has no control characters or line ends, no spaces at its ends, and is not empty."""
    message = fault_of(tmp_path, f"[entities.{name}]\n")

    assert message.endswith(" is not a line of text without spaces at its ends")


def test_type_names_of_any_text_come_back(tmp_path):
    """Names with spaces, slashes, colons, quotes or dots are written as TOML and read again; ends may share a name."""
    names = ("Research field", "a/b", "geo:place", '"q" \\', "1.5", "名前")
    relations = {name: {"head": [name], "tail": [*names], "label": "\x7f"} for name in names}
    ontology = parse_ontology({"entities": {name: {} for name in names}, "relations": relations}, "test")
    (tmp_path / "o.toml").write_text(format_ontology(ontology), encoding="utf-8")

    assert load_ontology(tmp_path / "o.toml") == ontology
    assert ontology.relation_names == names


def test_doctests():
    """The worked examples of the module hold."""
    result = doctest.testmod(kgmill.schemas.ontology)

    assert result.failed == 0
    assert result.attempted > 0


def test_no_such_file(tmp_path):
    """A missing file is named."""
    with pytest.raises(OntologyError, match=r"gone\.toml: No such file"):
        load_ontology(tmp_path / "gone.toml")


def test_not_toml(tmp_path):
    """A syntax error is given with its line."""
    message = fault_of(tmp_path, "[entities.Peop]\nlabel = \n")

    assert message.startswith("not TOML: ")
    assert "line 2" in message


def test_not_utf8(tmp_path):
    """A file in another encoding is refused by its name."""
    path = tmp_path / "o.toml"
    path.write_bytes(b"name = 'caf\xe9'\n[entities.Peop]\n")

    with pytest.raises(OntologyError, match=r"o\.toml:1: byte 0xe9 is not UTF-8; save the file as UTF-8"):
        load_ontology(path)


BORN = '[entities.Peop]\n[entities.Day]\nliteral = "date"\n[relations.Born]\n'


def test_literal_type_and_terms_of_others_come_back(tmp_path):
    """A type of values, and the classes and properties that stand beside one's own, are written and read again."""
    types = {
        "entities": {"Peop": {"equivalent": ["https://schema.org/Person"]}, "Day": {"literal": "date"}},
        "relations": {"Born": {"head": ["Peop"], "tail": ["Day"], "close": ["urn:a:b"], "narrower": ["urn:a:c"]}},
    }
    ontology = parse_ontology(types, "test")
    (tmp_path / "o.toml").write_text(format_ontology(ontology), encoding="utf-8")

    assert load_ontology(tmp_path / "o.toml") == ontology
    assert (ontology.has_literals, ontology.entities["Day"].literal) == (True, "date")
    assert ontology.relations["Born"].narrower == ("urn:a:c",)


@pytest.mark.parametrize(
    ("relation", "fault"),
    [
        (
            'head = ["Day"]\ntail = ["Day"]',
            "relation Born has the literal type Day as a head; a value is only ever a tail",
        ),
        (
            'head = ["Peop"]\ntail = ["Peop", "Day"]',
            "relation Born has literal and other tails; Day wants a relation of its own",
        ),
    ],
)
def test_literal_type_is_only_ever_the_one_kind_of_tail(tmp_path, relation, fault):
    """No fact is about a value, and a property has values or entities, not both."""
    assert fault_of(tmp_path, BORN + relation) == fault


def test_unknown_kind_of_literal(tmp_path):
    """A kind of value that is not known is refused by its key."""
    assert (
        fault_of(tmp_path, '[entities.Day]\nliteral = "time"\n') == "entities.Day.literal: Input should be '' or 'date'"
    )


def test_relation_is_no_literal(tmp_path):
    """Only entity types are types of values."""
    fault = fault_of(tmp_path, TYPES + '[relations.In]\nhead = ["Peop"]\ntail = ["Loc"]\nliteral = "date"\n')

    assert fault == "unknown key 'relations.In.literal'"


@pytest.mark.parametrize("key", ["equivalent", "broader", "narrower", "close"])
def test_terms_of_others_are_iris(tmp_path, key):
    """What stands beside a type is named by its absolute IRI."""
    fault = fault_of(tmp_path, f'[entities.Peop]\n{key} = ["schema:Person"]\n[entities.Loc]\n{key} = ["Place"]\n')

    assert fault == f"entities.Loc.{key}: 'Place' is not an absolute IRI"


def test_terms_of_others_are_words():
    """They decide neither what is extracted nor what anything is called; that values are none of the entities does."""
    plain = {"entities": {"Peop": {}, "Day": {}}, "relations": {"Born": {"head": ["Peop"], "tail": ["Day"]}}}
    words = {key: ["urn:a:b"] for key in ("equivalent", "broader", "narrower", "close")}
    beside = {table: {name: {**kind, **words} for name, kind in types.items()} for table, types in plain.items()}
    literal = plain | {"entities": {"Peop": {}, "Day": {"literal": "date"}}}
    one, two, three = (parse_ontology(types, "test") for types in (plain, beside, literal))

    assert (one.rules(), one.without_words()) == (two.rules(), two.without_words())
    assert one.rules()["entities"] == {"Peop": {}, "Day": {}}
    assert three.rules()["entities"] == {"Peop": {}, "Day": {"literal": "date"}}
    assert three.without_words() != one.without_words()


AXIOMS = """\
[entities.Place]
[entities.City]
parent = "Place"
labels = {de = "Stadt", pt-br = "cidade"}
[entities.Peop]
[relations.in]
head = ["Place", "City"]
tail = ["Place"]
transitive = true
inverse = "holds"
[relations.holds]
head = ["Place"]
tail = ["City", "Place"]
[relations.born]
head = ["Peop"]
tail = ["Place"]
functional = true
[relations.born_in_city]
head = ["Peop"]
tail = ["City"]
parent = "born"
"""


def test_axioms_are_written_and_read_again(tmp_path):
    """Labels by language, a parent, an inverse and what a relation is are in the file that a model keeps."""
    (tmp_path / "o.toml").write_text(AXIOMS, encoding="utf-8")
    ontology = load_ontology(tmp_path / "o.toml")
    (tmp_path / "again.toml").write_text(format_ontology(ontology), encoding="utf-8")

    assert load_ontology(tmp_path / "again.toml") == ontology
    assert ontology.entities["City"].labels == {"de": "Stadt", "pt-br": "cidade"}
    assert (ontology.entities["City"].parent, ontology.relations["in"].inverse) == ("Place", "holds")
    assert [name for name, r in ontology.relations.items() if r.functional or r.transitive] == ["in", "born"]


def test_axioms_decide_nothing(tmp_path):
    """With or without them, the same is extracted, and everything in the graph is called the same.

    But for an inverse: which of two relations is told is a rule.
    """
    keys = ("parent", "labels", "transitive", "functional")
    plain = [line for line in AXIOMS.splitlines() if not line.startswith(keys)]
    (tmp_path / "o.toml").write_text(AXIOMS, encoding="utf-8")
    (tmp_path / "plain.toml").write_text("\n".join(plain), encoding="utf-8")
    one, two = (load_ontology(tmp_path / name) for name in ("o.toml", "plain.toml"))

    assert one != two
    assert (one.rules(), one.without_words()) == (two.rules(), two.without_words())
    alone = parse_ontology(tomllib.loads(AXIOMS.replace('inverse = "holds"', "")), "test")
    assert (alone.rules(), alone.turned) != (one.rules(), one.turned) == (two.rules(), {"holds": "in"})
    assert parse_ontology(one.rules(), "test").turned == one.turned


def test_first_of_two_inverse_relations_is_told():
    """Whichever names the other, or both; what is functional of the second is so of the first's tails."""
    types = {"entities": {"A": {}, "B": {}}}
    owns, owned = {"head": ["A"], "tail": ["B"]}, {"head": ["B"], "tail": ["A"], "functional": True}
    for first, second in ((owns | {"inverse": "owned"}, owned), (owns, owned | {"inverse": "owns"})):
        found = parse_ontology(types | {"relations": {"owns": first, "owned": second}}, "test")
        assert (found.turned, found.functional) == ({"owned": "owns"}, (("owns", "tail"),))
        turned = parse_ontology(types | {"relations": {"owned": second, "owns": first}}, "test")
        assert (turned.turned, turned.functional) == ({"owns": "owned"}, (("owned", "head"),))


def test_two_relations_have_no_inverse_in_common():
    """Which of the two a third one turns into could not be said."""
    ends = {"head": ["A"], "tail": ["A"]}
    relations = {"a": ends, "b": ends | {"inverse": "a"}, "c": ends | {"inverse": "a"}}
    with pytest.raises(OntologyError, match="relations b and c have one inverse, a; make them one"):
        parse_ontology({"entities": {"A": {}}, "relations": relations}, "test")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('parent = "Place"', 'parent = "Area"', "entity type City has the parent 'Area', which is no entity type"),
        ('parent = "born"', 'parent = "Place"', "relation born_in_city has the parent 'Place', which is no relation"),
        ("[entities.Place]", '[entities.Place]\nparent = "City"', "Place is above itself: Place < City < Place"),
        ("[entities.Peop]", '[entities.Peop]\nparent = "Peop"', "Peop is above itself: Peop < Peop"),
        (
            "[entities.Peop]",
            '[entities.Peop]\n[entities.Day]\nliteral = "date"\nparent = "Peop"',
            "entity type Day has the parent Peop; one is of values, the other is not",
        ),
        (
            'tail = ["City"]\nparent',
            'tail = ["Peop"]\nparent',
            "relation born_in_city has the tail Peop, which its parent born has not",
        ),
        ('"holds"', '"contains"', "relation in has the inverse 'contains', which is no relation"),
        ('"holds"', '"in"', "relation in is its own inverse; say symmetric = true"),
        ('"holds"', '"born"', None),
        (
            "[relations.holds]",
            '[relations.holds]\ninverse = "born"',
            "relation in has the inverse holds, whose inverse is born",
        ),
        ("functional = true", "functional = true\ntransitive = true", None),
        (
            "[relations.holds]",
            "[relations.holds]\nsymmetric = true",
            "relation holds is symmetric, but its heads and tails differ",
        ),
        (
            "functional = true",
            "transitive = true",
            "relation born is transitive, but none of its tails ['Place'] can be a head",
        ),
        ("de =", "DE =", None),
        ("de =", '"" =', None),
        ('"Stadt"', '""', None),
    ],
)
def test_axioms_that_cannot_be_true(tmp_path, old, new, fault):
    """Unknown names, circles and contradictions are refused in one line that names both sides."""
    assert old in AXIOMS
    message = fault_of(tmp_path, AXIOMS.replace(old, new))

    expected = {
        '"born"': "relation in joins ['Place', 'City'] with ['Place'], its inverse born ['Peop'] with ['Place']: "
        "the heads of one have to be the tails of the other",
        "functional = true\ntransitive = true": "relation born is transitive and functional, which OWL allows of no "
        "property",
        "DE =": "entities.City.labels: 'DE' is no language tag in small letters, such as 'de' or 'pt-br'",
        '"" =': "entities.City.labels: '' is no language tag in small letters, such as 'de' or 'pt-br'",
        '""': "entities.City.labels: label '' is not a line of text without spaces at its ends",
    }
    assert message == (fault or expected[new])


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        (
            "functional = true",
            "relation near is symmetric and functional; nothing could be said of anybody's second one",
        ),
        ('inverse = "in"', "relation near has the inverse in, and a symmetric one is its own"),
    ],
)
def test_axioms_of_a_symmetric_relation(tmp_path, keys, fault):
    """What has no direction has no inverse but itself, and is of no use as functional."""
    near = f'[relations.near]\nhead = ["Place"]\ntail = ["Place"]\nsymmetric = true\n{keys}\n'
    assert fault_of(tmp_path, AXIOMS + near) == fault


def test_words_of_a_relation():
    """They decide results; without them nothing changes; what is no word to look for is refused."""
    data = {"entities": {"A": {}}, "relations": {"born": {"head": ["A"], "tail": ["A"]}}}
    bare = parse_ontology(data, "test")
    data["relations"]["born"]["words"] = ["born", "birth*", ", of"]
    worded = parse_ontology(data, "test")
    assert "words" not in bare.rules()["relations"]["born"]
    assert parse_ontology(worded.rules(), "test").relations["born"].words == ("born", "birth*", ", of")
    for wrong in ("", "*", "b*n", " born", ",", "born\n"):
        data["relations"]["born"]["words"] = [wrong]
        with pytest.raises(OntologyError, match=r"^test: relations\.born\.words: .* is no word or words to look for"):
            parse_ontology(data, "test")
