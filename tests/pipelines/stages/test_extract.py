"""Extract: documents to scored candidates, on a real Beam runner with a real model."""

import hashlib
import json
from dataclasses import replace
from functools import cache as cached

import pyarrow as pa
import pytest

from kgmill.extractor.candidates import Floors, empty
from kgmill.extractor.text.split import split_text
from kgmill.pipelines.stages import candidates, extract
from kgmill.pipelines.storage.scratch import Scratch
from kgmill.schemas.errors import CheckpointError
from kgmill.schemas.records import Document, Reject
from kgmill.schemas.tables import from_table, to_table

KEY = "ab" * 32
ADA = "Ada Byron worked for Acme Corp in Paris ."
GERMAN = (
    "Ada Byron arbeitete bei der Firma Acme in Paris, und ihr Bruder lebte in London, wo er an einer Schule am Hafen "
    "Mathematik lehrte und zwei Bücher über das Segeln schrieb."
)
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
    predictor = candidates.PredictorSettings(str(tiny_model), "cpu", "fp32", 1)
    return extract.Settings(candidates.Reading(predictor, Floors(-2.0, -2.0)), KEY, timeout_s=60.0)


def find(settings, documents, *suspects, **others):
    """What the model makes of documents, by these settings."""
    return candidates.find_candidates(documents, settings.reading, *suspects, **others)


@pytest.fixture
def run_extract(run, store, settings):
    """Extracts the parts' documents; returns the parts that were made, now live, and the receipts."""

    def run_extract(*ingested, key=KEY, languages=(), retry_rejects=False, **others):
        own = replace(settings, key=key, languages=languages, retry_rejects=retry_rejects)
        done, tasks = extract.plan(store, ingested, key, languages, retry_rejects=retry_rejects)
        receipts = run(store, "extract", tasks, own, **others) if tasks else {}
        parts = [store.find("extract", unit, receipt.fingerprint) for unit, receipt in receipts.items()]
        store.publish("extract", [*done, *parts], [])
        return parts, receipts

    return run_extract


class BrokenBy:
    """A model that fails on any call in which a sentence has the word."""

    def __init__(self, word):
        self.word = word
        self.calls = []

    def predict(self, sentences, floors, on_share):
        self.calls.append([" ".join(words) for words in sentences])
        if any(self.word in words for words in sentences):
            raise RuntimeError("index out of range in self")
        return [empty(3, 3) for _ in sentences]


@pytest.fixture
def broken_model(monkeypatch):
    """A model that the word `poison` breaks, in the place of the real one."""
    model = BrokenBy("poison")
    monkeypatch.setattr(candidates, "load_predictor", cached(lambda settings: model))
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
    assert (receipts["00-0000"].counts["sentences"], receipts["00-0000"].counts["reused"]) == (3, 0)


def test_spans_are_characters_of_the_text(store, run_extract):
    """A candidate span cuts whole words out of the stored text, whatever stands before the sentence."""
    text = f"\u00e9\U0001f600 . {ADA}"
    [part], _ = run_extract(commit(store, [document("a", text)]))
    spans = [span for row in part.read("sentences").to_pylist() for span in zip(*[iter(row["spans"])] * 2, strict=True)]
    assert "Acme Corp" in {text[begin:end] for begin, end in spans}


def test_progress_goes_on_from_call_to_call(settings):
    """The shares of a unit's text rise over all calls of the model, and end at the whole."""
    shares = []
    watch = candidates.Watch(on_share=shares.append)
    candidates.find_candidates([document(name, TWO) for name in "abcd"], settings.reading, [["b"], ["c"]], watch=watch)
    assert shares == sorted(shares)
    assert {0.25, 0.5, 1.0} <= set(shares)


def test_candidates_go_to_arrow_and_back(settings):
    """Candidates read back from the table are those that the model gave, in characters."""
    table = find(settings, [document("a", ADA)])["sentences"]
    [(_, back)] = candidates.sentence_candidates(table, (3, 3))
    [sentence] = split_text(ADA)
    [given] = candidates.load_predictor(settings.reading.predictor).predict([sentence.words], Floors(-2.0, -2.0))
    begins, ends = (pa.array(values).to_numpy() for values in (sentence.word_begins, sentence.word_ends))
    assert back.spans.tolist() == [[begins[a], ends[b - 1]] for a, b in given.spans]
    for name in ("entity_margin", "type_logits", "pairs", "pair_margin", "relation_logits"):
        assert getattr(back, name).tolist() == getattr(given, name).tolist()


def test_document_without_a_sentence_is_met(store, run_extract):
    """A document in which there is no word has a row and no sentence, and doesn't break its unit."""
    [part], receipts = run_extract(commit(store, [document("a", " \n")]))
    assert (part.rows("documents"), part.rows("sentences"), receipts["00-0000"].counts["sentences"]) == (1, 0, 0)


# What is new


def test_finished_unit_is_not_planned_again(store, run_extract):
    """A unit with the same documents and the same key is there already."""
    ingested = commit(store, [document("a", ADA)])
    run_extract(ingested)
    done, tasks = extract.plan(store, [ingested], KEY)
    assert ([part.unit for part in done], tasks) == (["00-0000"], [])


def test_empty_units_are_not_taken_for_one_another(store, run_extract):
    """Units without a document have equal fingerprints; each has a part of its own."""
    units = [commit(store, [], "01-0000"), commit(store, [], "01-0001")]
    run_extract(*units)
    done, tasks = extract.plan(store, units, KEY)
    assert ([part.unit for part in done], tasks) == (["01-0000", "01-0001"], [])


def test_only_a_changed_document_meets_the_model(store, run_extract):
    """Of three documents in a unit, the two that kept their text are reused row by row."""

    def others(part):
        return [row for row in part.read("sentences").to_pylist() if row["doc_id"] != "b"]

    [part], _ = run_extract(commit(store, [document("a", ADA), document("b", "Bob left."), document("c", "Hi.")]))
    before = others(part)
    [part], receipts = run_extract(commit(store, [document("a", ADA), document("b", TWO), document("c", "Hi.")]))
    assert (receipts["00-0000"].counts["sentences"], receipts["00-0000"].counts["reused"]) == (2, 2)
    assert others(part) == before


def test_document_whose_head_changed_meets_the_model(store, run_extract):
    """With another head the text is cut elsewhere: it is extracted anew, and no sentence goes over the border."""
    text = "OSLO (AP) - Ada Byron worked for Acme Corp in Paris ."
    before, kept = document("a", text), document("c", "Hi.")
    run_extract(commit(store, [before, kept]))
    ingested = store.commit(
        "ingest",
        "00-0000",
        "cd" * 32,
        {"documents": to_table("documents", [replace(before, head=12), kept]), "rejects": to_table("rejects", [])},
        {"kept": 2, "rejected": 0},
    )
    [part], receipts = run_extract(ingested)
    assert (receipts["00-0000"].counts["sentences"], receipts["00-0000"].counts["reused"]) == (2, 1)
    rows = [row for row in part.read("sentences").to_pylist() if row["doc_id"] == "a"]
    assert [(row["begin"], row["end"]) for row in rows] == [(0, 11), (12, len(text))]


def test_documents_are_reused_across_another_cutting(store, run_extract):
    """Documents that moved to finer units are reused from the coarser one: none meets the model."""
    first, second = document("d4", ADA), document("d3", TWO)
    run_extract(commit(store, [first, second]))
    _, receipts = run_extract(commit(store, [first], "01-0000"), commit(store, [second], "01-0001"))
    assert {unit: (r.counts["sentences"], r.counts["reused"]) for unit, r in receipts.items()} == {
        "01-0000": (0, 1),
        "01-0001": (0, 1),
    }


def test_another_key_reuses_nothing(store, run_extract):
    """Candidates of another model or floor are no candidates of this one."""
    run_extract(commit(store, [document("a", ADA)]))
    _, receipts = run_extract(commit(store, [document("a", ADA)]), key="cd" * 32)
    assert (receipts["00-0000"].counts["sentences"], receipts["00-0000"].counts["reused"]) == (1, 0)


# Languages


def test_document_in_another_language_is_a_reject(broken_model, store, run_extract):
    """It doesn't meet the model; the reject names the language, and the part counts it."""
    [part], _ = run_extract(commit(store, [document("a", ADA), document("b", GERMAN)]), languages=("en",))
    assert broken_model.calls == [["Ada Byron worked for Acme Corp in Paris ."]]
    assert list(from_table("rejects", part.read("rejects"))) == [
        Reject("extract", "", "b", "language", "de (1.00); the model reads en")
    ]
    assert (part.counts["rejected"], part.counts["languages"]) == (1, {"de": 1})


def test_other_languages_are_read_without_the_rest(broken_model, store, run_extract):
    """When any language is read, only what was passed over meets the model; when no longer, nothing does."""
    ingested = commit(store, [document("a", ADA), document("b", GERMAN)])
    [passed_over], _ = run_extract(ingested, languages=("en",))
    [everything], _ = run_extract(ingested)
    assert [len(call) for call in broken_model.calls] == [1, 1]
    assert everything.read("sentences")["doc_id"].to_pylist() == ["a", "b"]
    [again], receipts = run_extract(ingested, languages=("en",))
    assert [len(call) for call in broken_model.calls] == [1, 1]
    assert receipts["00-0000"].counts["reused"] == 1
    assert (again.fingerprint, again.read("sentences")) == (passed_over.fingerprint, passed_over.read("sentences"))


def test_unit_of_foreign_documents_needs_no_model(store, run_extract, monkeypatch):
    """Where nothing is to be read, the model isn't loaded."""
    monkeypatch.setattr(candidates, "load_predictor", cached(lambda settings: pytest.fail("the model was loaded")))
    [part], _ = run_extract(commit(store, [document("b", GERMAN)]), languages=("en",))
    assert (part.rows("documents"), part.rows("sentences")) == (1, 0)


def test_retry_leaves_foreign_documents(store, run_extract):
    """A document in another language was not broken on, so a unit that has no other reject is as finished as any."""
    ingested = commit(store, [document("a", ADA), document("b", GERMAN)])
    [part], _ = run_extract(ingested, languages=("en",))
    assert extract.plan(store, [ingested], KEY, ("en",), retry_rejects=True) == ([part], [])


# Faults


def test_document_that_breaks_the_model_costs_itself_alone(broken_model, settings):
    """When a call fails, its halves are tried: the others keep their sentences."""
    documents = [document("a", ADA), document("b", "A poison pill."), document("c", TWO)]
    tables = find(settings, documents)
    assert [(row["doc_id"], row["fault"]) for row in tables["documents"].to_pylist()] == [
        ("a", ""),
        ("b", "model_failed: RuntimeError: index out of range in self"),
        ("c", ""),
    ]
    assert tables["sentences"]["doc_id"].to_pylist() == ["a", "c", "c"]


def test_document_that_breaks_the_model_is_a_reject(broken_model, store, run_extract):
    """The ledger has it with its reason; the part counts it."""
    [part], _ = run_extract(commit(store, [document("a", ADA), document("b", "A poison pill.")]))
    assert list(from_table("rejects", part.read("rejects"))) == [
        Reject("extract", "", "b", "model_failed", "RuntimeError: index out of range in self")
    ]
    assert (part.counts["key"], part.counts["rejected"]) == (KEY, 1)


def test_document_that_broke_the_model_stays_rejected_at_no_cost(broken_model, store, run_extract):
    """When its unit is extracted anew, a rejected document doesn't meet the model again, and has its reject still."""
    broken = document("b", "A poison pill.")
    run_extract(commit(store, [document("a", ADA), broken]))
    broken_model.word, broken_model.calls = "", []
    [part], receipts = run_extract(commit(store, [document("a", ADA), broken, document("c", "Hi.")]))
    assert broken_model.calls == [["Hi ."]]
    assert (part.counts["rejected"], receipts["00-0000"].counts["reused"]) == (1, 2)


def test_finished_unit_with_rejects_is_not_planned_again(broken_model, store, run_extract):
    """A part with rejects is as finished as any other."""
    ingested = commit(store, [document("a", ADA), document("b", "A poison pill.")])
    [part], _ = run_extract(ingested)
    assert extract.plan(store, [ingested], KEY) == ([part], [])


def test_retry_tries_the_rejected_document_alone(broken_model, store, run_extract, settings):
    """The others are reused; the part that comes of it has what a model would have made that never failed."""
    ingested = commit(store, [document("a", ADA), document("b", "A poison pill."), document("c", "Hi.")])
    [failed], _ = run_extract(ingested)
    broken_model.word, broken_model.calls = "", []
    [part], receipts = run_extract(ingested, retry_rejects=True)
    assert broken_model.calls == [["A poison pill ."]]
    assert (part.counts["rejected"], receipts["00-0000"].counts["reused"]) == (0, 2)
    assert part.fingerprint != failed.fingerprint
    remade = candidates.find_candidates(list(from_table("documents", ingested.read("documents"))), settings.reading)
    assert {name: part.read(name).to_pylist() for name in remade} == {n: t.to_pylist() for n, t in remade.items()}


def test_retry_that_fails_again_leaves_the_part(broken_model, store, run_extract):
    """The same fault in the same document is the same part."""
    ingested = commit(store, [document("a", ADA), document("b", "A poison pill.")])
    [failed], _ = run_extract(ingested)
    [part], _ = run_extract(ingested, retry_rejects=True)
    assert part == failed


def test_faulty_documents_are_not_tried(broken_model, store, run_extract):
    """A document that is known to kill its worker is rejected with what is known, and no call has it."""
    documents = [document("a", ADA), document("b", TWO)]
    [part], _ = run_extract(commit(store, documents), faults={"b": "timeout: it took too long"})
    assert broken_model.calls == [["Ada Byron worked for Acme Corp in Paris ."]]
    assert list(from_table("rejects", part.read("rejects"))) == [
        Reject("extract", "", "b", "timeout", "it took too long")
    ]


def test_suspects_are_called_first_and_by_themselves(broken_model, settings):
    """Each group of suspects has a call of its own, before the others; the rows keep the documents' order."""
    documents = [document(name, f"{name} left.") for name in "abcde"]
    tables = candidates.find_candidates(documents, settings.reading, [["c", "d"], ["b"], ["unknown"]])
    assert broken_model.calls == [["c left .", "d left ."], ["b left ."], ["a left .", "e left ."]]
    assert tables["sentences"]["doc_id"].to_pylist() == [*"abcde"]


@pytest.mark.slow
def test_mark_names_the_documents_of_the_call(monkeypatch, settings, tmp_path):
    """While the model works a file says on what and for how long it may; afterwards it is gone."""
    mark = tmp_path / candidates.mark_of("00-0000")
    marks = []

    class Model:
        def predict(self, sentences, floors, on_share):
            marks.append(json.loads(mark.read_text()))
            return [empty(3, 3) for _ in sentences]

    monkeypatch.setattr(candidates, "load_predictor", cached(lambda settings: Model()))
    documents = [document("a", ADA), document("b", "Hi. " * 50_000)]
    watch = candidates.Watch(shared=Scratch(tmp_path), unit="00-0000", timeout_s=60.0)
    candidates.find_candidates(documents, settings.reading, [["a"]], watch=watch)
    assert marks == [
        {"documents": ["a"], "n_done": 0, "limit_s": 60.0},
        {"documents": ["b"], "n_done": 1, "limit_s": 120.0},
    ]
    assert list(mark.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out_of_memory"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), "out_of_memory"),
        (IndexError("index out of range"), "model_failed"),
    ],
)
def test_want_of_memory_has_a_reason_of_its_own(monkeypatch, settings, error, reason):
    """Python's, torch's CPU and torch's GPU error all count as out of memory; others as failures of the model."""

    class Model:
        def predict(self, sentences, floors, on_share):
            raise error

    monkeypatch.setattr(candidates, "load_predictor", cached(lambda settings: Model()))
    [row] = find(settings, [document("a", ADA)])["documents"].to_pylist()
    assert row["fault"].startswith(f"{reason}: {type(error).__name__}:")


def test_model_that_cannot_be_loaded_stops_the_job(store, run, settings, tmp_path):
    """A missing model folder is no fault of the documents: the job fails and commits nothing."""
    ingested = commit(store, [document("a", ADA)])
    _, tasks = extract.plan(store, [ingested], KEY)
    predictor = candidates.PredictorSettings(str(tmp_path), "cpu", "fp32", 1)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        run(store, "extract", tasks, replace(settings, reading=replace(settings.reading, predictor=predictor)))
    assert store.committed("extract") == []
