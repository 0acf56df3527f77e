"""DyGIE's JSONL, read and written."""

import json

import pytest

from kgmill.extractor.data.annotated import AnnotatedSentence, EntitySpan, RelationPair, read_spert
from kgmill.extractor.data.convert import convert
from kgmill.extractor.data.dygie import read_documents
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.data.unused import format_unused, summarise
from kgmill.schemas.errors import DataError

# Offsets count through the document, ends are inclusive.
DOCUMENT = {
    "doc_key": "d1",
    "sentences": [["Ada", "Byron", "slept", "."], [], ["She", "left", "New", "York"]],
    "ner": [[[0, 1, "Peop"]], [], [[4, 4, "Peop"], [6, 7, "Loc"]]],
    "relations": [[], [], [[4, 4, 6, 7, "Live_In"]]],
}
SENTENCES = [
    AnnotatedSentence(("Ada", "Byron", "slept", "."), (EntitySpan(0, 2, "Peop"),), (), "d1#0"),
    AnnotatedSentence(
        ("She", "left", "New", "York"),
        (EntitySpan(0, 1, "Peop"), EntitySpan(2, 4, "Loc")),
        (RelationPair(0, 1, "Live_In"),),
        "d1#1",
    ),
]


@pytest.fixture
def written(tmp_path):
    """Writes documents as lines and gives the path."""

    def write(*documents):
        path = tmp_path / "data.jsonl"
        lines = (d if isinstance(d, str) else json.dumps(d, ensure_ascii=False) for d in documents)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


def test_offsets_become_those_of_the_sentence(written):
    """Offsets of the document, ends inclusive, become offsets of the sentence, ends exclusive; empty sentences go."""
    assert read_annotated([str(written(DOCUMENT))], "dygie") == SENTENCES


def test_document_without_annotations(written):
    """A document may have words alone; blank lines are no documents."""
    path = written({"doc_key": 7, "sentences": [["a"]]}, "", "  ")

    assert read_annotated([str(path)], "dygie") == [AnnotatedSentence(("a",), (), (), "7#0")]


def test_what_a_sentence_cannot_hold_is_counted(written):
    """Entities and relations over a sentence's end, clusters and events are kept apart, by kind, with a place."""
    document = DOCUMENT | {
        "ner": [[[0, 1, "Peop"], [3, 4, "Loc"]], [], [[4, 4, "Peop"], [6, 7, "Loc"]]],
        "relations": [
            [[0, 1, 4, 4, "Same"], [0, 1, 0, 1, "Same"], [0, 1, 3, 3, "Same"], [4, 4, 6, 7, "Same"]],
            [],
            [[4, 4, 6, 7, "Live_In"], [4, 4, 99, 99, "Live_In"]],
        ],
        "clusters": [[[0, 1], [4, 4]]],
        "events": [[], [], [[[1, "Sleep"]], [[2, "Leave"]]]],
    }
    path = written(document)

    found = read_annotated([str(path)], "dygie")

    unused = [one for sentence in found for one in sentence.unused]
    where = f"{path}:1: sentence"
    assert [len(s.relations) for s in found] == [0, 1]
    assert summarise(unused) == {
        "not_modelled": {"first": f"{path}:1", "coreference clusters": 1, "events": 2},
        "outside_sentence": {"first": f"{where} 1: entity 3-4 'Loc'", "entities": 1, "relations": 2},
        "across_sentences": {"first": f"{where} 1: relation 0-1 to 4-4 'Same'", "relations": 1},
        "one_entity": {"first": f"{where} 1: relation 0-1 to 0-1 'Same'", "relations": 1},
        "no_entity": {"first": f"{where} 1: relation 0-1 to 3-3 'Same'", "relations": 1},
    }
    assert format_unused(unused)[:2] == [
        f"1 coreference cluster and 2 events are no entities or relations (first: {path}:1)",
        f"1 entity and 2 relations lie outside of their sentence (first: {where} 1: entity 3-4 'Loc')",
    ]


def test_annotations_of_a_sentence_without_words(written):
    """What is annotated of an empty sentence is the first sentence's; a document without any word is refused."""
    empty = {"doc_key": "e", "sentences": [[], ["a"]], "ner": [[[0, 0, "Loc"]], []]}

    (sentence,) = read_annotated([str(written(empty))], "dygie")

    assert [(one.kind, one.type) for one in sentence.unused] == [("outside_sentence", "Loc")]
    with pytest.raises(DataError, match=r"data\.jsonl:1: has annotations, but no words$"):
        read_annotated([str(written(empty | {"sentences": [[], []]}))], "dygie")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        {"sentences": []},
        {"doc_key": "d"},
        DOCUMENT | {"ner": [[]]},
        DOCUMENT | {"ner": [[[0, "x", "Peop"]], [], []]},
        DOCUMENT | {"ner": [[[0]], [], []]},
        DOCUMENT | {"ner": [[[0, 1.5, "Peop"]], [], []]},
        DOCUMENT | {"ner": [[[0, 1, "Pe\x1bop"]], [], []]},
        DOCUMENT | {"ner": [[[0, float("inf"), "Peop"]], [], []]},
        DOCUMENT | {"sentences": [["a", 1], [], []]},
        "[" * 100_000,
    ],
)
def test_line_of_another_form(written, line):
    """A line that is not of DyGIE's form is refused with file and line."""
    path = written(DOCUMENT, line)

    with pytest.raises(DataError, match=rf"^{path}:2: wanted doc_key, sentences, ner and relations"):
        read_annotated([str(path)], "dygie")


def test_missing_file(tmp_path):
    """A file that is not there is named."""
    with pytest.raises(DataError, match=r"gone\.jsonl: No such file"):
        read_annotated([str(tmp_path / "gone.jsonl")], "dygie")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_mark(written, encoding):
    """A file that a Windows tool saved is read as what its mark says."""
    path = written(DOCUMENT)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))

    assert read_annotated([str(path)], "dygie") == SENTENCES


def test_not_utf8(tmp_path):
    """A file in another encoding is named, with the byte."""
    (tmp_path / "d.jsonl").write_bytes(b'{"doc_key": "caf\xe9"}')

    with pytest.raises(DataError, match=r"d\.jsonl:1: byte 0xe9 is not UTF-8; save the file as UTF-8"):
        read_annotated([str(tmp_path / "d.jsonl")], "dygie")


def test_round_trip(written, tmp_path):
    """DyGIE to SpERT and back keeps words, entities, relations and documents, and says that nothing was lost."""
    spert, dygie = tmp_path / "data.json", tmp_path / "again.jsonl"

    first = convert(written(DOCUMENT), "dygie", spert, "spert")
    second = convert(spert, "spert", dygie, "dygie")

    assert (first, second) == ((2, []), (2, []))
    assert read_spert(spert) == SENTENCES
    assert read_annotated([str(dygie)], "dygie") == SENTENCES
    assert len(read_documents(dygie, dygie.read_text())) == 1


@pytest.mark.parametrize("space", ["\u2028", "\x85", "\x0b", "\x1c"])
def test_word_with_a_line_separator(tmp_path, space):
    """A word that holds what some call a line's end is still one word of one line."""
    spert, dygie = tmp_path / "data.json", tmp_path / "data.jsonl"
    spert.write_text(json.dumps([{"tokens": [f"a{space}b"], "entities": [], "relations": []}]))

    convert(spert, "spert", dygie, "dygie")

    assert read_annotated([str(dygie)], "dygie")[0].words == (f"a{space}b",)


def test_sentences_without_a_key_are_documents(tmp_path):
    """Sentences without a key are one document each; neighbours with the same key are one."""
    spert, dygie = tmp_path / "data.json", tmp_path / "data.jsonl"
    record = {"tokens": ["a"], "entities": [], "relations": []}
    keyed = record | {"orig_id": 5}
    spert.write_text(json.dumps([record, record, keyed, keyed]))

    convert(spert, "spert", dygie, "dygie")

    documents = read_documents(dygie, dygie.read_text())
    assert [(d.key, len(d.sentences)) for d in documents] == [
        ("sentence-0", 1),
        ("sentence-1", 1),
        ("5", 2),
    ]
