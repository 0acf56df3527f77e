"""spaCy's binary of documents."""

import zlib

import pytest
import srsly
from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

from kgmill.extractor.data.annotated import EntitySpan, RelationPair, document
from kgmill.extractor.data.partial import Partial
from kgmill.extractor.data.readers import read_annotated
from kgmill.schemas.errors import DataError

VOCAB = Vocab()
WORDS = ["Ida", "Voss", "left", "Oslo", ".", "\n", "She", "works", "for", "Acme", "."]
ENTITIES = ["B-Person", "I-Person", "O", "B-Place", "O", "O", "O", "O", "O", "B-Org", "O"]
STARTS = [i in (0, 6) for i in range(len(WORDS))]


@pytest.fixture(autouse=True)
def extension():
    """The extension of spaCy's tutorial for relations."""
    Doc.set_extension("rel", default=None, force=True)
    yield
    Doc.remove_extension("rel")


def doc(words=WORDS, ents=ENTITIES, sent_starts=STARTS, **more):
    """A document."""
    return Doc(VOCAB, words=words, ents=ents, sent_starts=sent_starts, **more)


def read(folder, *docs, **more):
    """The sentences of a file of documents."""
    path = folder / "train.spacy"
    DocBin(docs=docs, store_user_data=True, **more).to_disk(path)
    return read_annotated([str(path)], "spacy")


def told(sentences):
    """What is not used."""
    return [(one.kind, one.task, one.type) for s in sentences for one in s.unused]


def test_words_sentences_and_entities(tmp_path):
    """As spaCy has them, but for spaces; relations count as not annotated."""
    found = read(tmp_path, doc(), doc(["Bob"], ["B-Person"], [True]))

    assert [(s.words, s.key) for s in found] == [
        (("Ida", "Voss", "left", "Oslo", "."), "train.spacy:0#0"),
        (("She", "works", "for", "Acme", "."), "train.spacy:0#1"),
        (("Bob",), "train.spacy:1#0"),
    ]
    assert [s.entities for s in found] == [
        (EntitySpan(0, 2, "Person"), EntitySpan(3, 4, "Place")),
        (EntitySpan(3, 4, "Org"),),
        (EntitySpan(0, 1, "Person"),),
    ]
    assert {s.partial for s in found} == {Partial(relations=())}
    assert told(found) == []


def test_relations_of_the_tutorial(tmp_path):
    """By the first tokens of both entities; what joins no two of a sentence is told."""
    one = doc()
    one._.rel = {(0, 3): {"left": 1.0, "stayed": 0.0}, (0, 9): {"at": 1.0}, (0, 4): {"is": 1.0}, (3, 3): {"is": 1.0}}

    found = read(tmp_path, one)

    assert [s.relations for s in found] == [(RelationPair(0, 1, "left"),), ()]
    assert {s.partial for s in found} == {None}
    assert told(found) == [
        ("across_sentences", "relation", "at"),
        ("no_entity", "relation", "is"),
        ("one_entity", "relation", "is"),
    ]


def test_what_is_not_annotated_is_not_known(tmp_path):
    """Tokens without a word on entities leave their sentence's types open."""
    found = read(tmp_path, doc(ents=["B-Person", "I-Person", *[""] * 3, *["O"] * 6]), Doc(VOCAB, words=["Bob"]))

    assert [s.partial for s in found] == [
        Partial(types=(), relations=()),
        Partial(relations=()),
        Partial(types=(), relations=()),
    ]
    assert found[0].entities == (EntitySpan(0, 2, "Person"),)


def test_sentences_that_are_not_annotated_are_made(tmp_path):
    """Of the text with the spaces that it had; a token belongs where it begins."""
    words = ["Ida", "left", "Oslo", ".", "She", "'s", "gone", "."]
    spaces = [True, True, False, True, False, True, False, False]

    found = read(tmp_path, Doc(VOCAB, words=words, spaces=spaces, ents=["O"] * 8))

    assert [s.words for s in found] == [("Ida", "left", "Oslo", "."), ("She", "'s", "gone", ".")]
    assert [document(s) for s in found] == ["train.spacy:0"] * 2


def test_what_is_lost_is_told(tmp_path):
    """Entities over a sentence's end or of spaces alone, groups of spans, categories."""
    one = doc(ents=["O"] * 4 + ["B-Place", "I-Place", "I-Place", *["O"] * 4])
    one.spans["sc"] = [Span(one, 0, 2, "Person"), Span(one, 0, 1, "Person")]
    one.cats = {"news": 1.0, "sport": 0.0}
    two = doc(ents=[*["O"] * 5, "B-Place", *["O"] * 5])

    found = read(tmp_path, one, two)

    assert told(found) == [
        *[("not_modelled", "label", "sc")] * 2,
        ("not_modelled", "label", "news"),
        ("outside_sentence", "entity", "Place"),
        ("unaligned", "entity", "Place"),
    ]
    assert "document 0: tokens 4 to 7" in found[0].unused[3].place


def test_files_with_few_attributes(tmp_path):
    """A file may hold words alone, or no word at all."""
    found = read(tmp_path, doc(), Doc(VOCAB, words=[]), attrs=["ORTH"])

    assert [len(s.words) for s in found] == [5, 5]
    assert {s.entities for s in found} == {()}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not zlib",
        zlib.compress(b"\xc1"),
        zlib.compress(srsly.msgpack_dumps([])),
        zlib.compress(srsly.msgpack_dumps({"attrs": [65], "tokens": b"\0" * 7, "lengths": b"", "spaces": b""})),
    ],
)
def test_what_is_no_docbin_is_refused(tmp_path, data):
    """In a line that names the file."""
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(DataError, match=rf"^{tmp_path}/x: ") as caught:
        read_annotated([str(tmp_path / "x")], "spacy")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rel", [7, {7: {"at": 1.0}}, {(0, 3): "at"}])
def test_another_rel_is_refused(tmp_path, rel):
    """An extension of that name may be anything."""
    one = doc()
    one._.rel = rel

    with pytest.raises(DataError, match=r"document 0: wanted doc\._\.rel as "):
        read(tmp_path, one)


def test_annotations_without_words_are_refused(tmp_path):
    """No sentence could tell them."""
    one = Doc(VOCAB, words=["\n"])
    one.cats = {"news": 1.0}

    with pytest.raises(DataError, match="document 0: has annotations, but no words"):
        read(tmp_path, one)
