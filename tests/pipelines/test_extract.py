"""Extract: documents to scored candidates, on a real Beam runner with a real model."""

import hashlib

import pyarrow as pa
import pytest

from extractor.candidates import empty
from extractor.text import split_text
from pipelines import extract
from schemas.errors import CheckpointError
from schemas.records import Document, Reject
from schemas.tables import from_table, to_table

KEY = "ab" * 32
ADA = "Ada Byron worked for Acme Corp in Paris ."
TWO = "Bob Stone lives in London. The weather in Oslo was cold."


def document(doc_id, text):
    return Document(doc_id, f"{doc_id}.txt", "", text, "{}", hashlib.sha256(text.encode()).hexdigest())


def commit(store, documents, unit="00-0000"):
    """An ingest part, made by hand; equal documents have an equal fingerprint."""
    fingerprint = hashlib.sha256("".join(d.doc_id + d.sha256 for d in documents).encode()).hexdigest()
    tables = {"documents": to_table("documents", documents), "rejects": to_table("rejects", [])}
    return store.commit("ingest", unit, fingerprint, tables, {"kept": len(documents), "rejected": 0})


@pytest.fixture
def settings(tiny_model):
    predictor = {"folder": str(tiny_model), "device": "cpu", "precision": "fp32", "n_threads": 1}
    return {"predictor": predictor, "floor": 0.1}


@pytest.fixture
def run_extract(run, store, settings):
    """Extracts the parts' documents; returns the parts that were made, now live, and the receipts."""

    def run_extract(*ingested, key=KEY):
        done, tasks = extract.plan(store, ingested, key)
        receipts = run(store, "extract", tasks, settings) if tasks else {}
        parts = [store.find("extract", unit, receipt["fingerprint"]) for unit, receipt in receipts.items()]
        store.publish("extract", [*done, *parts], [])
        return parts, receipts

    return run_extract


class BrokenBy:
    """A model that fails on any call in which a sentence has the word."""

    def __init__(self, word):
        self.word = word
        self.calls = []

    def predict(self, sentences, floor):
        self.calls.append([" ".join(words) for words in sentences])
        if any(self.word in words for words in sentences):
            raise RuntimeError("index out of range in self")
        return [empty(3, 3) for _ in sentences]


@pytest.fixture
def broken_model(monkeypatch):
    """A model that the word `poison` breaks, in the place of the real one."""
    model = BrokenBy("poison")
    monkeypatch.setattr(extract, "load_predictor", lambda **settings: model)
    return model


# The job


def test_part_has_a_row_a_document_and_a_row_a_sentence(store, run_extract):
    """Sentences have their offsets in the stored text; the receipt counts those that met the model."""
    [part], receipts = run_extract(commit(store, [document("a", ADA), document("b", f"  {TWO}\n")]))
    sentences = part.read("sentences").to_pylist()
    assert [(row["doc_id"], row["n_sentences"], row["fault"]) for row in part.read("documents").to_pylist()] == [
        ("a", 1, ""),
        ("b", 2, ""),
    ]
    assert [(row["doc_id"], row["sentence"], row["begin"], row["end"]) for row in sentences] == [
        ("a", 0, 0, 41),
        ("b", 0, 2, 28),
        ("b", 1, 29, 58),
    ]
    assert (receipts["00-0000"]["sentences"], receipts["00-0000"]["reused"]) == (3, 0)


def test_spans_are_characters_of_the_text(store, run_extract):
    """A candidate span cuts whole words out of the stored text, whatever stands before the sentence."""
    text = f"\u00e9\U0001f600 . {ADA}"
    [part], _ = run_extract(commit(store, [document("a", text)]))
    spans = [span for row in part.read("sentences").to_pylist() for span in zip(*[iter(row["spans"])] * 2, strict=True)]
    assert "Acme Corp" in {text[begin:end] for begin, end in spans}


def test_candidates_go_to_arrow_and_back(settings):
    """Candidates read back from the table are those that the model gave, in characters."""
    table = extract.extract([document("a", ADA)], settings)["sentences"]
    [(_, back)] = extract.sentence_candidates(table, (3, 3))
    [sentence] = split_text(ADA)
    [given] = extract.load_predictor(**settings["predictor"]).predict([sentence.words], 0.1)
    begins, ends = (pa.array(values).to_numpy() for values in (sentence.word_begins, sentence.word_ends))
    assert back.spans.tolist() == [[begins[a], ends[b - 1]] for a, b in given.spans]
    for name in ("entity_prob", "type_prob", "pairs", "pair_prob", "relation_prob"):
        assert getattr(back, name).tolist() == getattr(given, name).tolist()


def test_document_without_a_sentence_is_met(store, run_extract):
    """A document in which there is no word has a row and no sentence, and doesn't break its unit."""
    [part], receipts = run_extract(commit(store, [document("a", " \n")]))
    assert (part.rows("documents"), part.rows("sentences"), receipts["00-0000"]["sentences"]) == (1, 0, 0)


# What is new


def test_finished_unit_is_not_planned_again(store, run_extract):
    """A unit with the same documents and the same key is there already."""
    ingested = commit(store, [document("a", ADA)])
    run_extract(ingested)
    done, tasks = extract.plan(store, [ingested], KEY)
    assert ([part.unit for part in done], tasks) == (["00-0000"], [])


def test_only_a_changed_document_meets_the_model(store, run_extract):
    """Of three documents in a unit, the two that kept their text are reused row by row."""

    def others(part):
        return [row for row in part.read("sentences").to_pylist() if row["doc_id"] != "b"]

    [part], _ = run_extract(commit(store, [document("a", ADA), document("b", "Bob left."), document("c", "Hi.")]))
    before = others(part)
    [part], receipts = run_extract(commit(store, [document("a", ADA), document("b", TWO), document("c", "Hi.")]))
    assert (receipts["00-0000"]["sentences"], receipts["00-0000"]["reused"]) == (2, 2)
    assert others(part) == before


def test_documents_are_reused_across_another_cutting(store, run_extract):
    """Documents that moved to finer units are reused from the coarser one: none meets the model."""
    first, second = document("d4", ADA), document("d3", TWO)
    run_extract(commit(store, [first, second]))
    _, receipts = run_extract(commit(store, [first], "01-0000"), commit(store, [second], "01-0001"))
    assert {unit: (r["sentences"], r["reused"]) for unit, r in receipts.items()} == {
        "01-0000": (0, 1),
        "01-0001": (0, 1),
    }


def test_another_key_reuses_nothing(store, run_extract):
    """Candidates of another model or floor are no candidates of this one."""
    run_extract(commit(store, [document("a", ADA)]))
    _, receipts = run_extract(commit(store, [document("a", ADA)]), key="cd" * 32)
    assert (receipts["00-0000"]["sentences"], receipts["00-0000"]["reused"]) == (1, 0)


@pytest.mark.parametrize(
    "other",
    [("n", "cpu", "fp32", 0.1), ("m", "cuda", "fp32", 0.1), ("m", "cpu", "bf16", 0.1), ("m", "cpu", "fp32", 0.2)],
)
def test_key_depends_on_all_that_decides(other):
    """Model, kind of device, precision and floor each make another key."""
    assert extract.extract_key(*other) != extract.extract_key("m", "cpu", "fp32", 0.1)


# Faults


def test_document_that_breaks_the_model_costs_itself_alone(broken_model, settings):
    """When a batch fails, each document is tried alone: the others keep their sentences."""
    documents = [document("a", ADA), document("b", "A poison pill."), document("c", TWO)]
    tables = extract.extract(documents, settings)
    assert [(row["doc_id"], row["fault"]) for row in tables["documents"].to_pylist()] == [
        ("a", ""),
        ("b", "RuntimeError: index out of range in self"),
        ("c", ""),
    ]
    assert tables["sentences"]["doc_id"].to_pylist() == ["a", "c", "c"]


def test_document_that_breaks_the_model_is_a_reject(broken_model, store, run_extract):
    """The ledger has it with its reason; the part counts it."""
    [part], _ = run_extract(commit(store, [document("a", ADA), document("b", "A poison pill.")]))
    assert list(from_table("rejects", part.read("rejects"))) == [
        Reject("extract", "", "b", "model_failed", "RuntimeError: index out of range in self")
    ]
    assert part.counts == {"key": KEY, "rejected": 1}


def test_document_that_broke_the_model_is_tried_again(broken_model, store, run_extract):
    """When its unit is extracted anew, a broken document meets the model again; the others don't."""
    broken = document("b", "A poison pill.")
    run_extract(commit(store, [document("a", ADA), broken]))
    broken_model.word, broken_model.calls = "", []
    [part], receipts = run_extract(commit(store, [document("a", ADA), broken, document("c", "Hi.")]))
    assert broken_model.calls == [["A poison pill .", "Hi ."]]
    assert (part.counts["rejected"], receipts["00-0000"]["reused"]) == (0, 1)


def test_model_that_cannot_be_loaded_stops_the_job(store, run, tmp_path):
    """A missing model folder is no fault of the documents: the job fails and commits nothing."""
    ingested = commit(store, [document("a", ADA)])
    _, tasks = extract.plan(store, [ingested], KEY)
    predictor = {"folder": str(tmp_path), "device": "cpu", "precision": "fp32", "n_threads": 1}
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        run(store, "extract", tasks, {"predictor": predictor, "floor": 0.1})
    assert store.find("extract", "00-0000", tasks[0]["fingerprint"]) is None
