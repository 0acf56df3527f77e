"""What a unit's candidates are read as: mentions and names, what is left out, and how claims are stated."""

import pytest
from sample_names import FIRST, LOC, ONTOLOGY, PEOP, link, logs, read_unit, rows_of, said

from kgmill.pipelines.stages import names
from kgmill.schemas.identity import text_key
from kgmill.schemas.records import Document


def test_offsets_are_code_points():
    """An emoji before a mention counts as one."""
    tables, _ = read_unit(said("d1", "\U0001f600 Well.", "[Peop Bob] left."))
    assert rows_of(tables["mentions"], "begin", "end", "text") == [(8, 11, "Bob")]


def test_what_is_no_name_is_left_out_and_counted():
    """A number is no mention and in no claim, and is counted; as the value of a literal type it stays, without a name.

    A sentence in which no mention stays is in no table.
    """
    document = said("d1", "[Loc 42] is it.", "[Peop Ada Byron] lives in [Loc 221].")
    values = ONTOLOGY | {"entities": {"Peop": {}, "Loc": {"literal": "date"}}}

    tables, junk = read_unit(document)
    kept, nothing = read_unit(document, ontology=values)

    assert (rows_of(tables["mentions"], "row", "text"), tables["claims"].num_rows) == ([(0, "Ada Byron")], 0)
    assert (rows_of(tables["sentences"], "sentence"), junk) == ([(1,)], {"mentions.number": 2})
    assert rows_of(kept["mentions"], "row", "text", "key", "column") == [
        (0, "42", "", names.VALUE),
        (1, "Ada Byron", "ada byron", PEOP),
        (1, "221", "", names.VALUE),
    ]
    assert (rows_of(kept["names"], "key"), kept["claims"].num_rows, nothing) == ([("ada byron",)], 2, {})


def test_agency_in_the_head_is_left_out_and_counted():
    """What lies in a text's head outside of dateline and byline is no mention and in no claim; the place stays one."""
    text = "LONDON  (Acme) - Bob left."
    document = Document("d1", "d1.txt", "", text, "{}", "00" * 32, head=17, dateline="LONDON")
    tables, junk = read_unit((document, [FIRST | {"end": 16, "spans": [0, 3, 9, 13, 0, 6]}]))
    assert (rows_of(tables["mentions"], "text"), tables["claims"].num_rows) == ([("LONDON",)], 0)
    assert (rows_of(tables["names"], "key"), junk) == ([("london",)], {"mentions.agency": 1})


def test_surname_is_called_as_the_document_calls_it():
    """A surname is the full name of its own document, not of another one in the unit; titles are no part of it."""
    tables, _ = read_unit(
        said("d1", "[Peop President George W. Bush] spoke.", "[Peop Mr. Bush] left [Loc London]."),
        said("d2", "[Peop Laura Bush] spoke.", "[Peop Bush] left."),
        said("d3", "[Peop Bush] left."),
    )
    assert rows_of(tables["mentions"], "text", "key", "rule") == [
        ("President George W. Bush", "george w. bush", "title"),
        ("Mr. Bush", "george w. bush", "short"),
        ("London", "london", ""),
        ("Laura Bush", "laura bush", ""),
        ("Bush", "laura bush", "short"),
        ("Bush", "bush", ""),
    ]
    assert rows_of(tables["names"], "key", "name", "n_documents") == [
        ("bush", "Bush", 1),
        ("george w. bush", "George W. Bush", 1),
        ("laura bush", "Laura Bush", 1),
        ("london", "London", 1),
    ]


def test_a_document_counts_once():
    """However often a document has a name, it is one document, and its votes are one document's."""
    often, _ = read_unit(said("d1", *["[Loc London] is old."] * 5))
    twice, _ = read_unit(said("d1", "[Loc London] is old."), said("d2", "[Loc LONDON] is old."))
    [[_, _, name, n_documents, votes]] = rows_of(often["names"])
    assert (name, n_documents, votes) == ("London", 1, [-4000, 0])
    assert rows_of(twice["names"]) == [("london", LOC, "LONDON", 2, [-4606, -210])]


def test_a_name_of_two_types_has_two_rows():
    """Documents that have a name of unlike types are told apart; in a document it is of the type it is mostly of."""
    tables, _ = read_unit(
        said("d1", "[Loc Washington] is cold.", "[Peop Washington] is cold.", "[Loc Washington] is cold."),
        said("d2", "[Peop Washington] is cold."),
    )
    assert rows_of(tables["mentions"], "type", "column") == [("Loc", LOC), ("Peop", LOC), ("Loc", LOC), ("Peop", PEOP)]
    assert rows_of(tables["names"], "key", "column", "n_documents") == [
        ("washington", PEOP, 1),
        ("washington", LOC, 1),
    ]


def test_explained_acronyms_are_told():
    """An acronym in brackets is its long name in its document, and a definition with the number of such documents."""
    unit = [
        said(f"d{n}", "[Loc World Health Organization] ([Loc WHO]) met.", "[Loc WHO] warned.", "[Loc WHO] left.")
        for n in range(2)
    ]
    tables, _ = read_unit(*unit, said("d2", "[Loc WHO] met."))
    assert rows_of(tables["definitions"]) == [("who", "World Health Organization", 2)]
    assert rows_of(tables["mentions"], "key", "rule")[:3] == [
        ("world health organization", ""),
        ("world health organization", "acronym"),
        ("world health organization", "acronym"),
    ]
    assert rows_of(tables["mentions"], "key", "rule")[-1] == ("who", "")


def test_date_in_figures_is_one_date():
    """Of a date that the model takes for three, its year is all of it, and the rest is left out and counted."""
    values = ONTOLOGY | {"entities": {"Peop": {}, "Loc": {"literal": "date"}}}
    document = said("d1", "[Peop Ada] ([Loc 1909]-[Loc 01]-[Loc 05] - [Loc 1994-01-26]), in [Loc 1950].")

    tables, left_out = read_unit(document, ontology=values)

    assert rows_of(tables["mentions"], "begin", "end", "text") == [
        (0, 3, "Ada"),
        (5, 15, "1909-01-05"),
        (18, 28, "1994-01-26"),
        (34, 38, "1950"),
    ]
    assert left_out == {"mentions.fragment": 2}
    assert {(0, 1), (0, 2), (0, 3)} <= set(rows_of(tables["claims"], "head", "tail"))


def test_overlapping_pieces_of_a_date_are_one():
    """Where types may overlap, two pieces that both have the year are one date, not two at one place."""
    values = ONTOLOGY | {"entities": {"Peop": {}, "Loc": {"literal": "date"}}, "overlapping_entities": True}
    document, [row] = said("d1", "[Peop Ada] sang on [Loc 1909]-01-05.")
    begin = row["spans"][2]
    again = {"spans": [*row["spans"], begin, begin + len("1909-01")], "entity_margin": [4.0] * 3}
    tables, left_out = read_unit(
        (document, [row | again | {"type_logits": [*row["type_logits"], *logs(0.1, 0.9)]}]), ontology=values
    )
    assert rows_of(tables["mentions"], "text") == [("Ada",), ("1909-01-05",)]
    assert left_out == {"mentions.fragment": 1}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("[Peop Ann Lee] lives in [Loc Rome].", ""),
        ("[Peop Ann Lee] does not live in [Loc Rome].", "negated"),
        ("[Peop Ann Lee] may live in [Loc Rome].", "hedged"),
        ("Police said the alleged thief [Peop Ann Lee] lives in [Loc Rome].", "reported"),
    ],
)
def test_claims_have_the_stance_of_their_sentence(sentence, expected):
    """How a claim is stated is told by the words of its sentence alone, in both directions."""
    tables, _ = read_unit(said("d1", "It is not true, perhaps, and alleged.", sentence))
    assert rows_of(tables["claims"], "head", "tail", "stance") == [(0, 1, expected), (1, 0, expected)]


def test_where_one_spoke_is_no_citizenship():
    """A country that something happens in is not whose citizen somebody is; other relations may be said so."""
    document = said("d1", "In [Loc Poland], [Peop Ann Lee] spoke.")
    stances = {}
    for name in ("citizenship", "represents"):
        ontology = ONTOLOGY | {"relations": {name: {"head": ["Peop"], "tail": ["Loc"]}}}
        stances[name] = rows_of(read_unit(document, ontology=ontology)[0]["claims"], "head", "tail", "stance")
    assert stances == {"citizenship": [(0, 1, ""), (1, 0, "placed")], "represents": [(0, 1, ""), (1, 0, "")]}


def test_what_a_hyphen_joins_to_a_name_is_no_part_of_it():
    """A US-led force is of the US; a double given name stays whole."""
    tables, _ = read_unit(
        said("d1", "The [Loc US-led] force met [Peop Chen Shui-bian] in [Loc New York\u2011based] firms.")
    )
    assert rows_of(tables["mentions"], "text", "begin", "end") == [
        ("US", 4, 6),
        ("Chen Shui-bian", 21, 35),
        ("New York", 39, 47),
    ]


def test_near_a_place_is_not_in_it():
    """A place north of another one is not located in it; whether they are twinned is another matter."""
    document = said("d1", "[Loc Baiji], north of [Loc Baghdad], is old.")
    stances = {}
    for name in ("Located_In", "twinned_with"):
        ontology = ONTOLOGY | {"relations": {name: {"head": ["Loc"], "tail": ["Loc"]}}}
        stances[name] = rows_of(read_unit(document, ontology=ontology)[0]["claims"], "head", "tail", "stance")
    assert stances == {"Located_In": [(0, 1, "beside"), (1, 0, "")], "twinned_with": [(0, 1, ""), (1, 0, "")]}


def test_unit_without_mentions_has_empty_tables():
    """Nothing found is a table without rows, each with its columns."""
    tables, junk = read_unit(said("d1", "It rains."))
    assert {name: table.num_rows for name, table in tables.items()} == dict.fromkeys(
        ("sentences", "mentions", "claims", "names", "definitions"), 0
    )
    assert (tables["names"].schema, junk) == (names.NAMES, {})


def test_two_sentences_may_claim_together():
    """A link's claim is of the run of sentences from one end to the other, which is a row with its own words."""
    document = said("d1", "[Peop Ada Byron] sang.", "[Loc Rome] fell.", "She saw [Loc London].")
    tables, _ = read_unit(document, links=[link(0, 2, (0, 1), (1, 0)), link(1, 2, (1, 0), margin=-4.0)])
    whole = document[0].text.strip()
    assert rows_of(tables["mentions"], "row", "text") == [(0, "Ada Byron"), (1, "Rome"), (2, "London")]
    assert rows_of(tables["claims"], "row", "head", "tail", "type", "stance") == [
        (3, 0, 2, "Live_In", ""),
        (3, 2, 0, "Live_In", ""),
    ]
    places = rows_of(tables["sentences"], "sentence", "begin", "end", "text_key", "sentence_text")
    assert places[3] == (0, 0, len(whole), text_key(whole), whole)
    assert [place[0] for place in places] == [0, 1, 2, 0]


def test_what_two_sentences_deny_is_marked():
    """Words between the ends tell how it is said, over the end of the sentence too."""
    document = said("d1", "[Peop Ada Byron] sang.", "She never saw [Loc London].")
    tables, _ = read_unit(document, links=[link(0, 1, (0, 1))])
    assert rows_of(tables["claims"], "row", "head", "tail", "stance") == [(2, 0, 1, "negated")]


def test_link_to_what_is_no_mention_claims_nothing():
    """An end that is junk ends no claim; then the run of sentences is no row."""
    document = said("d1", "[Peop Ada Byron] sang.", "She saw [Loc 42].")
    tables, _ = read_unit(document, links=[link(0, 1, (0, 1))])
    assert (tables["claims"].num_rows, rows_of(tables["sentences"], "sentence")) == (0, [(0,)])
