"""Names: candidates to mentions, claims and the names of each document, on a real Beam runner, without a model."""

import math

import pyarrow as pa
import pytest

from kgmill.pipelines.stages import names
from kgmill.pipelines.stages.candidates import LINKS, SENTENCES
from kgmill.schemas.identity import text_key
from kgmill.schemas.records import Document
from kgmill.schemas.tables import to_table

TEXT = "Ada Byron lives in London. Bob left."
DOCUMENT = Document("d1", "d1.txt", "", TEXT, "{}", "00" * 32, "1843-07-10")
ONTOLOGY = {
    "entities": {"Peop": {}, "Loc": {}},
    "relations": {"Live_In": {"head": ["Peop"], "tail": ["Loc"]}},
}
PEOP, LOC = 0, 1


def log_odds(*probabilities):
    """The margins of probabilities."""
    return [math.log(p / (1 - p)) for p in probabilities]


def logs(*probabilities):
    """Logits whose softmax are the probabilities, of which those of a row sum to one."""
    return [math.log(p) if p else -100.0 for p in probabilities]


# "Ada", "Ada Byron" and "London"; London lives in Ada Byron almost as surely as she in it, and "Ada" more surely.
FIRST = {
    "doc_id": "d1",
    "sentence": 0,
    "begin": 0,
    "end": 26,
    "spans": [0, 3, 0, 9, 19, 25],
    "entity_margin": log_odds(0.6, 0.9, 0.8),
    "type_logits": logs(0.9, 0.1, 0.9, 0.1, 0.25, 0.75),
    "pairs": [0, 2, 1, 2, 2, 1],
    "pair_margin": log_odds(0.95, 0.9, 0.85),
    "relation_logits": [0.0, 0.0, 0.0],
}
SECOND = {
    "doc_id": "d1",
    "sentence": 1,
    "begin": 27,
    "end": 36,
    "spans": [27, 30],
    "entity_margin": log_odds(0.75),
    "type_logits": logs(1.0, 0.0),
    "pairs": [],
    "pair_margin": [],
    "relation_logits": [],
}


@pytest.fixture
def inputs(store):
    """The ingest and the extract part of the document; its sentences lie in the table in no order."""
    documents = {"documents": to_table("documents", [DOCUMENT]), "rejects": to_table("rejects", [])}
    sentences = {"sentences": pa.Table.from_pylist([SECOND, FIRST], SENTENCES), "links": LINKS.empty_table()}
    return (
        [store.commit("ingest", "00-0000", "aa" * 32, documents, {"kept": 1, "rejected": 0})],
        [store.commit("extract", "00-0000", "bb" * 32, sentences, {})],
    )


@pytest.fixture
def run_names(run, store, inputs):
    """Reads the names with an ontology and a threshold; returns a function that gives columns of a table's rows."""

    def run_names(min_confidence=0.5, ontology=ONTOLOGY, **others):
        settings = names.Settings(ontology, min_confidence, **others)
        _, tasks = names.plan(store, *inputs, settings)
        receipts = run(store, "names", tasks, settings)
        part = store.find("names", "00-0000", receipts["00-0000"].fingerprint)
        return lambda table, *columns: rows_of(part.read(table), *columns)

    return run_names


def rows_of(table, *columns):
    return [tuple(row[name] for name in columns or table.schema.names) for row in table.to_pylist()]


def test_sentences_become_mentions(run_names):
    """Confidences are phase one times phase two; offsets cut the mention's text out of the document's."""
    assert run_names()("mentions") == [
        (0, 0, 9, "Ada Byron", "Peop", 0.81, "ada byron", "", PEOP),
        (0, 19, 25, "London", "Loc", 0.6, "london", "", LOC),
        (1, 27, 30, "Bob", "Peop", 0.75, "bob", "", PEOP),
    ]


def test_sentences_know_their_document(run_names):
    """Each sentence that holds a mention has its place, the key of its words, and the date of its document.

    Its words go along where it says something.
    """
    text = "Ada Byron lives in London."
    assert run_names()("sentences") == [
        ("d1", 0, 0, 26, text_key(text), "1843-07-10", text),
        ("d1", 1, 27, 36, text_key("Bob left."), "1843-07-10", ""),
    ]


def test_words_of_a_long_sentence_stay_in_its_document(run_names, monkeypatch):
    """A list of thousands of names has as many relations, with each of which its words would go."""
    monkeypatch.setattr(names, "_LONGEST", 25)
    assert [row[-1] for row in run_names()("sentences")] == ["", ""]


def test_both_directions_are_claimed(run_names):
    """What is sure enough is claimed, whatever the types of its ends: of two directions none is chosen yet."""
    assert run_names()("claims") == [(0, 0, 1, "Live_In", 0.9, ""), (0, 1, 0, "Live_In", 0.85, "")]


def test_ontology_does_not_decide_what_is_claimed(run_names):
    """With head and tail turned round, the claims are the same."""
    turned = {"Live_In": {"head": ["Loc"], "tail": ["Peop"]}}
    assert run_names(ontology=ONTOLOGY | {"relations": turned})("claims") == run_names()("claims")


def test_names_have_votes_for_their_types(run_names):
    """A row for each name and type: in how many documents, and the log probabilities, in thousandths, to a floor."""
    assert run_names()("names") == [
        ("ada byron", PEOP, "Ada Byron", 1, [-105, -2303]),
        ("bob", PEOP, "Bob", 1, [0, -4000]),
        ("london", LOC, "London", 1, [-1386, -288]),
    ]


def test_threshold_drops_mentions_with_their_claims(run_names):
    """A claim of mentions one of which is not sure enough goes with it, and so does the name."""
    read = run_names(min_confidence=0.7)
    assert (read("mentions", "text"), read("claims")) == ([("Ada Byron",), ("Bob",)], [])
    assert read("names", "key") == [("ada byron",), ("bob",)]


def test_lower_threshold_finds_more_without_a_model(run_names):
    """The candidates are still there: a lower threshold keeps what a higher one dropped, but no overlap."""
    assert run_names(min_confidence=0.1)("mentions", "text") == [("Ada Byron",), ("London",), ("Bob",)]


def test_calibration_scales_confidence(run_names):
    """With half the slope odds of 9 become odds of 3; a bias of log 3 makes 9 of them again."""
    scaled = run_names(calibration={"relation": {"slope": 0.5, "bias": 0.0}})("claims", "head", "confidence")
    raised = run_names(calibration={"relation": {"slope": 0.5, "bias": math.log(3)}})("claims", "head", "confidence")
    assert (scaled[0], raised[0]) == ((0, 0.75), (0, 0.9))


def test_threshold_of_a_type_goes_before_the_general_one(run_names):
    """A relation type with a threshold of its own keeps only what reaches it."""
    read = run_names(calibration={"thresholds": {"Live_In": 0.875}})
    assert (len(read("mentions")), read("claims", "head", "tail")) == (3, [(0, 1)])
    assert run_names(calibration={"thresholds": {"Live_In": 0.95}})("claims") == []


def test_overlapping_entities_stay_where_the_ontology_lets_them(run_names):
    """An ontology of overlapping entities keeps "Ada" inside "Ada Byron", with its claim; both are called the same."""
    read = run_names(ontology=ONTOLOGY | {"overlapping_entities": True})
    assert read("mentions", "text", "key", "rule") == [
        ("Ada", "ada byron", "short"),
        ("Ada Byron", "ada byron", ""),
        ("London", "london", ""),
        ("Bob", "bob", ""),
    ]
    assert read("claims", "head", "tail", "confidence") == [(0, 2, 0.95), (1, 2, 0.9), (2, 1, 0.85)]


def test_finished_unit_is_not_planned_again(store, inputs, run_names):
    """Equal settings find the part; another threshold, ontology or calibration plans the unit."""
    run_names()
    same = names.Settings(ONTOLOGY, 0.5)
    others = [
        names.Settings(ONTOLOGY, 0.6),
        names.Settings(ONTOLOGY | {"overlapping_entities": True}, 0.5),
        names.Settings(ONTOLOGY, 0.5, {"thresholds": {"Live_In": 0.95}}),
    ]
    planned = [[len(found) for found in names.plan(store, *inputs, settings)] for settings in (same, *others)]
    assert planned == [[1, 0], [0, 1], [0, 1], [0, 1]]


def test_version_plans_the_unit_again(store, inputs, run_names, monkeypatch):
    """A job that was programmed anew finds nothing of before."""
    run_names()
    monkeypatch.setattr(names, "VERSION", names.VERSION + 1)
    done, tasks = names.plan(store, *inputs, names.Settings(ONTOLOGY, 0.5))
    assert (done, len(tasks)) == ([], 1)


# Units of documents, by the function that the job calls


def said(doc_id, *sentences):
    """A document of sentences, each words with entities in brackets as [Type Name], and its rows of candidates.

    Each pair of a sentence's entities is related.
    """
    text, rows = "", []
    for number, sentence in enumerate(sentences):
        begin, spans, logits = len(text), [], []
        for piece in sentence.replace("[", "\0[").replace("]", "\0").split("\0"):
            if piece.startswith("["):
                kind, _, name = piece[1:].partition(" ")
                spans += [len(text), len(text) + len(name)]
                logits += {"Peop": logs(0.9, 0.1), "Loc": logs(0.1, 0.9)}[kind]
                text += name
            else:
                text += piece
        n = len(spans) // 2
        pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
        rows.append(
            {
                "doc_id": doc_id,
                "sentence": number,
                "begin": begin,
                "end": len(text),
                "spans": spans,
                "entity_margin": [4.0] * n,
                "type_logits": logits,
                "pairs": [i for pair in pairs for i in pair],
                "pair_margin": [4.0] * len(pairs),
                "relation_logits": [0.0] * len(pairs),
            }
        )
        text += " "
    return Document(doc_id, f"{doc_id}.txt", "", text, "{}", "00" * 32), rows


def read_unit(*documents, ontology=ONTOLOGY, links=()):
    """The tables of a unit of documents, given as `said` makes them, and what was left out."""
    rows = pa.Table.from_pylist([row for _, rows in documents for row in rows], SENTENCES)
    joined = pa.Table.from_pylist(list(links), LINKS)
    return names.Reader.of(names.Settings(ontology, 0.5)).read_unit({d.doc_id: d for d, _ in documents}, rows, joined)


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
    for name in ("citizenship", "residence"):
        ontology = ONTOLOGY | {"relations": {name: {"head": ["Peop"], "tail": ["Loc"]}}}
        stances[name] = rows_of(read_unit(document, ontology=ontology)[0]["claims"], "head", "tail", "stance")
    assert stances == {"citizenship": [(0, 1, ""), (1, 0, "placed")], "residence": [(0, 1, ""), (1, 0, "")]}


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


# Passages


def link(first, second, *pairs, margin=4.0):
    """A row of links: two sentences, and pairs of rows of the spans of both."""
    return {
        "doc_id": "d1",
        "sentence": first,
        "second": second,
        "pairs": [row for pair in pairs for row in pair],
        "pair_margin": [margin] * len(pairs),
        "relation_logits": [0.0] * len(pairs),
    }


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


def test_parts_of_before_have_no_links(run_names, store, inputs, run):
    """Where documents are forgotten, parts that an earlier version extracted are read as they are: without links."""
    ingested, _ = inputs
    sentences = {"sentences": pa.Table.from_pylist([SECOND, FIRST], SENTENCES)}
    before = [store.commit("extract", "00-0000", "cc" * 32, sentences, {})]
    settings = names.Settings(ONTOLOGY, 0.5)
    _, tasks = names.plan(store, ingested, before, settings)
    receipts = run(store, "names", tasks, settings)
    part = store.find("names", "00-0000", receipts["00-0000"].fingerprint)
    assert rows_of(part.read("claims")) == run_names()("claims")
