"""The Python API, and what importing the package takes."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kgmill import extractor
from kgmill.extractor import Extractor
from kgmill.extractor.candidates import EVERYTHING, Candidates, empty

TEXT = "Ada  Byron worked for “Acme Corp” in Paris. Carl May killed Dora Lane in Rome."
NAMES = {"Ada  Byron", "Acme Corp", "Paris", "Carl May", "Dora Lane", "Rome"}


@pytest.fixture(scope="module")
def tiny(predictor):
    """An extractor with the tiny model."""
    return Extractor(predictor)


def test_offsets_give_the_text_of_mentions(tiny):
    """A mention's offsets are characters of its text, over several sentences."""
    (found,) = tiny.extract([TEXT], min_confidence=0.3)

    assert [TEXT[m.begin : m.end] for m in found.mentions] == [m.text for m in found.mentions]
    assert [m.begin for m in found.mentions] == sorted(m.begin for m in found.mentions)
    assert {"Carl May", "Dora Lane"} <= {m.text for m in found.mentions}
    assert {m.text for m in found.mentions} <= NAMES


def test_relations_join_mentions(tiny):
    """A relation holds its two mentions, with their types."""
    (found,) = tiny.extract(["Ada Byron worked for Acme Corp in Paris ."])

    assert [(r.head.text, r.head.type, r.type, r.tail.text, r.tail.type) for r in found.relations] == [
        ("Ada Byron", "Peop", "Work_For", "Acme Corp", "Org")
    ]
    assert all(r.head in found.mentions and r.tail in found.mentions for r in found.relations)
    assert all(0.5 <= r.confidence <= 1 for r in found.relations)


def test_one_extraction_a_text_in_order(tiny):
    """Each text has its extraction, in order; a text without words has an empty one."""
    texts = ["", "Bob Stone lives in London .", " \n ", "Initech hired Eve Moss ."]

    found = list(tiny.extract(texts))

    assert [[m.text for m in f.mentions] for f in found] == [[], ["Bob Stone", "London"], [], ["Initech", "Eve Moss"]]
    assert [[(r.head.text, r.type) for r in f.relations] for f in found] == [
        [],
        [("Bob Stone", "Live_In")],
        [],
        [("Eve Moss", "Work_For")],
    ]


def test_lone_surrogate_in_a_text(tiny):
    """A lone surrogate moves no offset, and no raw error comes of it."""
    (found,) = tiny.extract(["Bob Stone \ud83d lives in London ."], min_confidence=0.3)

    assert ("London", 21) in {(m.text, m.begin) for m in found.mentions}


def test_texts_in_chunks(tiny, monkeypatch):
    """Texts are read as they are needed, and the chunks they are predicted in change nothing."""
    texts = ["Bob Stone lives in London .", "", "Initech hired Eve Moss ."] * 2
    together = list(tiny.extract(texts))
    monkeypatch.setattr("kgmill.extractor.api.SENTENCES_A_CHUNK", 1)
    taken = []

    one_by_one = tiny.extract(text for text in texts if not taken.append(text))

    assert next(one_by_one) == together[0]
    assert taken in (texts[:1], texts[:2], texts[:3])  # a chunk ahead, and an empty text fills none
    assert [together[0], *one_by_one] == together


def test_next_chunk_is_read_while_this_one_is_used(tiny, monkeypatch):
    """One chunk ahead and no more; a broken source of texts breaks where its text would come."""
    monkeypatch.setattr("kgmill.extractor.api.SENTENCES_A_CHUNK", 1)
    read, is_read = [], threading.Event()

    def texts():
        for i in range(3):
            read.append(i)
            if i == 1:
                is_read.set()
            yield "Ada worked for Acme ."
        raise OSError("the disk is gone")

    found = tiny.extract(texts())
    next(found)
    assert is_read.wait(10)
    assert read == [0, 1]
    next(found), next(found)
    with pytest.raises(OSError, match="the disk is gone"):
        next(found)


def test_who_stops_early_need_not_wait(tiny, monkeypatch):
    """A source that gives no further text, as a stream may, keeps nobody who has what was wanted."""
    monkeypatch.setattr("kgmill.extractor.api.SENTENCES_A_CHUNK", 1)
    is_over, has_ended = threading.Event(), threading.Event()

    def texts():
        yield "Ada worked for Acme ."
        is_over.wait(30)
        has_ended.set()

    found = tiny.extract(texts())
    next(found)
    found.close()
    assert not has_ended.is_set()
    is_over.set()


def test_threshold(tiny):
    """A higher threshold keeps fewer mentions, all of them as sure."""
    everything, sure = (next(tiny.extract([TEXT], min_confidence=p)).mentions for p in (0.0, 0.9))

    assert len(everything) > len(sure)
    assert all(mention.confidence >= 0.9 for mention in sure)


def test_one_text(tiny):
    """An extractor that is called has one text's extraction; `extract` refuses one, each character of which would be
    a text.
    """
    text = "Bob Stone lives in London ."

    assert tiny(text) == next(tiny.extract([text]))
    assert tiny(text, min_confidence=1.0).mentions == ()
    with pytest.raises(TypeError, match=r"extractor\(text\)"):
        tiny.extract(text)


def test_extractor_says_what_it_is(tiny):
    """Its repr has the ontology's name, how many types it knows, and the device."""
    assert repr(tiny) == "<Extractor tiny: 3 types of mentions, 3 of relations, on cpu>"


def test_extraction_as_values(tiny):
    """`to_dict` is JSON; the ends of a relation are numbers of mentions."""
    found = tiny("Ada Byron worked for Acme Corp in Paris .")

    said = found.to_dict()

    assert json.loads(json.dumps(said)) == said
    assert [said["text"][m["begin"] : m["end"]] for m in said["mentions"]] == [m.text for m in found.mentions]
    (relation,) = said["relations"]
    ends = [said["mentions"][relation[end]]["text"] for end in ("head", "tail")]
    assert (ends, relation["type"]) == (["Ada Byron", "Acme Corp"], "Work_For")
    assert relation["confidence"] == round(found.relations[0].confidence, 6)


def test_no_texts(tiny):
    """No texts give no extractions."""
    assert list(tiny.extract([])) == []


def test_from_pretrained_reads_a_folder(tiny_model):
    """An extractor is made from a model folder's path."""
    found = Extractor.from_pretrained(str(tiny_model), device="cpu", n_threads=1)

    assert found.predictor.ontology.entity_names == ("Peop", "Org", "Loc")


def test_unknown_attribute_of_the_package():
    """The package has the names that it has."""
    with pytest.raises(AttributeError, match=r"module 'kgmill\.extractor' has no attribute 'Extraktor'"):
        _ = extractor.Extraktor


def test_imports():
    """No module of the extractor pulls in Beam, Prefect, rdflib or networkx: it runs alone on a GPU box."""
    modules = [f"kgmill.extractor.{path.stem}" for path in Path(extractor.__file__).parent.glob("*.py")]
    code = (
        "import importlib, json, sys\n"
        f"for name in {sorted(modules)!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.removeprefix('kgmill.').split('.')[0] for name in sys.modules})))\n"
    )

    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    loaded = set(json.loads(output))
    assert {"torch", "transformers", "extractor", "schemas"} <= loaded
    assert loaded.isdisjoint({"apache_beam", "prefect", "rdflib", "networkx", "pyoxigraph", "pipelines", "flows"})


def test_candidates_in_characters(predictor):
    """Spans of words become spans of characters, row by row, also where there are none."""
    from kgmill.extractor.api import to_characters
    from kgmill.extractor.text.split import split_text

    (sentence,) = split_text("  Ada  Byron slept.")
    words = predictor.predict([sentence.words], EVERYTHING)[0]

    characters = to_characters(sentence, words)

    assert isinstance(characters, Candidates)
    bounds = {(0, 1): [2, 5], (0, 2): [2, 12], (1, 2): [7, 12]}
    for word_span, expected in bounds.items():
        row = words.spans.tolist().index(list(word_span))
        assert characters.spans[row].tolist() == expected
    assert to_characters(sentence, empty(3, 3)).spans.shape == (0, 2)
