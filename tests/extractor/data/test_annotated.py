"""The reader of SpERT's JSON."""

import json

import pytest

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, check_types, read_spert
from kgmill.extractor.data.readers import read_annotated
from kgmill.schemas.errors import DataError
from kgmill.schemas.ontology import parse_ontology

GOOD = {
    "tokens": ["Ada", "left", "Paris"],
    "entities": [{"type": "Peop", "start": 0, "end": 1}, {"type": "Loc", "start": 2, "end": 3}],
    "relations": [{"type": "Live_In", "head": 0, "tail": 1}],
    "orig_id": 17,
}
SENTENCE = AnnotatedSentence(
    ("Ada", "left", "Paris"),
    (EntitySpan(0, 1, "Peop"), EntitySpan(2, 3, "Loc")),
    (RelationPair(0, 1, "Live_In"),),
    "17",
)


@pytest.fixture
def written(tmp_path):
    """Writes a file and gives its path."""

    def write(text, name="data.json"):
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
        return path

    return write


def entity(start, end):
    """A record with one entity."""
    return GOOD | {"entities": [{"type": "Loc", "start": start, "end": end}], "relations": []}


def relation(head, tail):
    """A record with one relation between its two entities."""
    return GOOD | {"relations": [{"type": "Live_In", "head": head, "tail": tail}]}


def test_good_sentence(written):
    """A record becomes words, typed spans and typed pairs, with its `orig_id` as key."""
    assert read_spert(written([GOOD])) == [SENTENCE]


@pytest.mark.parametrize("kind", ["spert", "dygie"])
def test_lone_surrogate_in_a_word(written, kind):
    """A lone surrogate, which JSON can hold and no tokenizer reads, becomes U+FFFD."""
    spert = '[{"tokens": ["a\\ud83d"], "entities": [], "relations": []}]'
    dygie = '{"doc_key": "x", "sentences": [["a\\ud83d"]], "ner": [[]], "relations": [[]]}'

    (sentence,) = read_annotated([written(spert if kind == "spert" else dygie)], kind)

    assert sentence.words == ("a\ufffd",)


def test_several_files_in_order(written):
    """Files are read one after another."""
    paths = [str(written([GOOD, GOOD], "a.json")), str(written([entity(0, 3)], "b.json"))]

    sentences = read_annotated(paths, "spert")

    assert [len(s.entities) for s in sentences] == [2, 2, 1]


def test_unknown_format():
    """A format that is not known is refused with those that are."""
    with pytest.raises(DataError, match=r"^unknown format 'tacred'; known: spert, dygie, conll"):
        read_annotated([], "tacred")


def test_missing_file(tmp_path):
    """A file that is not there is named."""
    with pytest.raises(DataError, match=rf"^{tmp_path}/gone\.json: No such file"):
        read_spert(tmp_path / "gone.json")


@pytest.mark.parametrize("text", ['[{"tokens": ', "", "[" * 100_000, "[" + "1" * 5000 + "]"])
def test_not_json(written, text):
    """A file that is no JSON is named."""
    path = written(text)

    with pytest.raises(DataError, match=rf"^{path}: not JSON: "):
        read_spert(path)


def test_not_utf8(tmp_path):
    """A file in another encoding is named."""
    path = tmp_path / "data.json"
    path.write_bytes(b'[{"tokens": ["caf\xe9"]}]')

    with pytest.raises(DataError, match=rf"^{path}:1: byte 0xe9 is not UTF-8; save the file as UTF-8$"):
        read_spert(path)


def test_not_a_list(written):
    """A file that holds one object instead of a list is refused with what came."""
    path = written(GOOD)

    with pytest.raises(DataError, match=rf"^{path}: wanted a JSON list of sentences, got dict$"):
        read_spert(path)


@pytest.mark.parametrize(("start", "end"), [(-1, 1), (0, 4), (1, 1), (2, 1)])
def test_bad_offsets(written, start, end):
    """An entity outside of its sentence, or empty, is refused with file, sentence and offsets."""
    path = written([GOOD, entity(start, end)])

    with pytest.raises(DataError, match=rf"^{path}: sentence 1: entity {start}:{end} lies outside of 3 tokens$"):
        read_spert(path)


@pytest.mark.parametrize(("head", "tail"), [(0, 2), (-1, 0)])
def test_relation_index_out_of_range(written, head, tail):
    """A relation to an entity that is not there is refused with file and sentence."""
    path = written([relation(head, tail)])

    with pytest.raises(DataError, match=rf"^{path}: sentence 0: relation {head} -> {tail} with 2 entities$"):
        read_spert(path)


def test_relation_to_itself(written):
    """A relation whose head is its tail is refused (the paper's pairs have e1 != e2)."""
    path = written([GOOD, GOOD, relation(1, 1)])

    with pytest.raises(DataError, match=rf"^{path}: sentence 2: relation 1 -> 1 with 2 entities$"):
        read_spert(path)


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        "text",
        {"tokens": ["a"], "relations": []},
        entity(0, 1.5),
        GOOD | {"entities": [{"start": 0, "end": 1}]},
        entity("x", 1),
        entity(0, float("inf")),
        entity(0, float("nan")),
        GOOD | {"tokens": []},
        GOOD | {"tokens": "Ada left Paris"},
        GOOD | {"tokens": ["Ada", 1815, None]},
        GOOD | {"entities": [{"type": 7, "start": 0, "end": 1}], "relations": []},
        GOOD | {"relations": [{"type": ["Live_In"], "head": 0, "tail": 1}]},
    ],
)
def test_record_of_another_form(written, record):
    """A record that is not of SpERT's form is refused with file and sentence."""
    path = written([GOOD, record])

    with pytest.raises(DataError, match=rf"^{path}: sentence 1: "):
        read_spert(path)


@pytest.mark.parametrize("relations", [{}, {"relations": None}, {"relations": []}])
def test_sentence_without_relations(written, relations):
    """A sentence may lack the key `relations`, as data of entities alone does: it has none."""
    (sentence,) = read_spert(
        written([{"tokens": ["Rome"], "entities": [{"type": "L", "start": 0, "end": 1}]} | relations])
    )

    assert (sentence.entities, sentence.relations) == ((EntitySpan(0, 1, "L"),), ())


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("spert", json.dumps([{"tokens": ["Zoë"], "entities": []}], ensure_ascii=False)),
        ("dygie", json.dumps({"doc_key": "d", "sentences": [["Zoë"]]}, ensure_ascii=False)),
    ],
)
def test_byte_order_mark(tmp_path, encoding, kind, text):
    """A byte order mark says the encoding, and is no part of the data."""
    (tmp_path / "data").write_bytes(text.encode(encoding))

    assert [s.words for s in read_annotated([str(tmp_path / "data")], kind)] == [("Zoë",)]


@pytest.mark.parametrize(
    ("name", "message"),
    [("two\nlines", "is not a line of text"), (" Loc", "is not a line of text"), (7, "type 7 is no string")],
)
def test_type_name_that_is_none(written, name, message):
    """A type whose name no ontology can have is refused where it stands."""
    path = written([GOOD | {"entities": [{"type": name, "start": 0, "end": 1}], "relations": []}])

    with pytest.raises(DataError, match=rf"^{path}: sentence 0: .*{message}"):
        read_spert(path)


def test_unknown_types():
    """Types that the ontology lacks are all named, with those that it has."""
    ontology = parse_ontology(
        {"entities": {"Peop": {}}, "relations": {"Kill": {"head": ["Peop"], "tail": ["Peop"]}}}, "o"
    )

    with pytest.raises(DataError, match=r"^t\.json: types Loc, Live_In are not in the ontology \(known: Peop, Kill\)$"):
        check_types([SENTENCE], ontology, "t.json")


def test_public_data_is_read(shared_data):
    """The public CoNLL04 files are read whole."""
    files = [str(shared_data / "conll04" / name) for name in ("conll04_train.json", "conll04_dev.json")]

    sentences = read_annotated(files, "spert")

    assert len(sentences) == 1153
    assert sum(len(s.relations) for s in sentences) == 1626
