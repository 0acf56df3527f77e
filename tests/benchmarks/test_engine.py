"""The engine benchmark: its corpora, its table, and the committed tiny model."""

import json
from pathlib import Path

import pytest

from benchmarks import engine
from kgmill.extractor.api import Extractor
from kgmill.extractor.text.split import split_text

RECORDS = [
    {
        "id": "a1",
        "section": "world",
        "title": "Obama visits Berlin",
        "text": "Obama went to Berlin. The Mayor met him.",
    },
    {"id": "a2", "section": "world", "title": "the mayor", "text": "prices rose again in may."},
    *({"id": f"b{i}", "section": "world", "title": "", "text": f"Berlin has {i} parks."} for i in range(98)),
]


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Writes a corpus of 100 records at a scale; returns the records before, after, and what changed as it became."""
    source = tmp_path / "agnews.jsonl"
    source.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    monkeypatch.setattr(engine, "AG_NEWS", source)

    def corpus(scale, of=engine.DOCUMENTS):
        paths = tmp_path / "before" / "x.jsonl", tmp_path / "after" / "x.jsonl"
        changed = engine.write_corpus(scale, *paths, of)
        return *(
            [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] for path in paths
        ), changed

    return corpus


def test_copies_are_distinct_documents(corpus):
    """Ids, texts and names differ between copies; words that are no names, and lengths, stay."""
    before, _, _ = corpus(3)
    assert len(before) == 300
    for field in ("id", "text"):
        assert len({record[field] for record in before}) == 300
    first = [record for record in before if record["id"].endswith("-a1")]
    assert len({record["text"].split()[0] for record in first}) == 3
    assert {record["text"][5:13] + record["text"][20:] for record in first} == {" went to. The Mayor met him."}
    assert {len(record["text"]) for record in first} == {len(RECORDS[0]["text"])}


def test_name_is_the_same_throughout_its_copy(corpus):
    """A name that comes back in AG News comes back in the copy, and not in another."""
    before, _, _ = corpus(2)
    names = [{record["text"].split()[0] for record in before if record["id"].startswith(f"00{n}-b")} for n in (0, 1)]
    assert [len(found) for found in names] == [1, 1]
    assert names[0] != names[1]


def test_one_in_a_hundred_is_changed(corpus):
    """The second corpus has the same ids in the same places, and one text in a hundred is another."""
    before, after, changed = corpus(4)
    assert [record["id"] for record in before] == [record["id"] for record in after]
    assert [b for a, b in zip(before, after, strict=True) if a != b] == changed
    assert len(changed) == 4


def test_sentences_are_documents_of_their_own(corpus):
    """Two of the first record, one of each other; none has a title, and equal ones are one."""
    before, _, _ = corpus(1, engine.SENTENCES)
    assert [record["id"] for record in before[:3]] == ["000-a1-0", "000-a1-1", "000-a2-0"]
    assert (len(before), {record["title"] for record in before}) == (101, {""})
    assert before[1]["text"].endswith(" met him.")


@pytest.mark.parametrize(("text", "n"), [("Prices rose. They fell.", 2), ("BERLIN (AP) - Prices rose. They fell.", 3)])
def test_head_of_a_text_is_a_sentence_of_its_own(text, n):
    """As a build has it, whose count the benchmark holds against this."""
    assert engine.n_sentences({"text": text, "title": ""}) == n


def test_corpus_is_the_same_each_time(corpus):
    """Rows of different days are of the same corpus."""
    assert corpus(2) == corpus(2)


def row(scale, run, seconds, extract, rss, sentences=0):
    stages = {
        stage: {"seconds": extract if stage == "extract" else 0.5, "model_seconds": 0.0, "peak_rss_mb": rss}
        for stage in engine.STAGES
    }
    return {
        "model": "tiny",
        "of": engine.DOCUMENTS,
        "scale": scale,
        "run": run,
        "wall_s": seconds,
        "cpu_s": seconds,
        "documents": max(1, 3800 * scale),
        "sentences": sentences,
        "stages": stages,
    }


def test_findings_leave_start_up_out():
    """Share, reuse, memory and growth, worked by hand: start-up is 10 s, of which 6 s in extract."""
    rows = [
        row(0, "first", 10.0, 6.0, 500),
        row(1, "first", 30.0, 25.0, 600, 5000),
        row(10, "first", 220.0, 195.0, 660, 50000),
        row(10, "nothing changed", 15.0, 0.0, 100),
        row(10, "1 % changed", 20.0, 8.0, 600, 500),
    ]
    found = engine.findings(rows)
    assert found[1] == "- 10x, tiny model: 90.0% of the first build's time after start-up is extract."
    assert found[2].startswith("- 10x, tiny model beside 1x: peak memory ingest 1.10, extract 1.10,")
    assert found[2].endswith("time a document after start-up 1.05 times, CPU time 1.05 times.")
    assert "6.8% of the first's time, start-up included, 2.4% without" in found[3]
    assert "4.8% of the first's time; 500 of 50,000 sentences" in found[4]


def test_page_keeps_what_stands_around_the_rows(tmp_path, monkeypatch):
    """A row replaces the one of its kind; text before and after the marks stays."""
    page, rows = tmp_path / "benchmarks.md", tmp_path / "benchmarks.jsonl"
    monkeypatch.setattr(engine, "PAGE", page)
    monkeypatch.setattr(engine, "ROWS", rows)
    page.write_text(f"# Above\n\n{engine.BEGIN}\n{engine.END}\n\nBelow\n", encoding="utf-8")
    for seconds in (30.0, 31.5):
        engine.add_row(row(1, "first", seconds, 25.0, 600))
    assert [found["wall_s"] for found in engine.read_rows()] == [31.5]
    text = page.read_text(encoding="utf-8")
    assert (text.startswith("# Above\n\n"), text.endswith("\n\nBelow\n"), text.count("| 31.5 |")) == (True, True, 1)
    assert "CPU: the model (extract, 79%)" in text


def test_without_the_corpus_there_is_a_message(tmp_path, monkeypatch, capsys):
    """A checkout without the shared data says so and ends well."""
    monkeypatch.setattr(engine, "AG_NEWS", tmp_path / "none.jsonl")
    monkeypatch.setattr("sys.argv", ["engine"])
    engine.main()
    assert "nothing to measure with" in capsys.readouterr().out


def test_tiny_model_finds_names():
    """The committed model loads as any other; what it finds are names, a few a sentence, some of them related."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(Path("examples/corpus").glob("*.txt"))[:8]]
    found = list(Extractor.from_pretrained(str(engine.TINY_MODEL)).extract(texts))
    mentions = [mention for extraction in found for mention in extraction.mentions]
    n_sentences = sum(len(split_text(text)) for text in texts)
    assert 1 < len(mentions) / n_sentences < 5
    assert sum(mention.text[0].isupper() for mention in mentions) > 0.9 * len(mentions)
    assert sum(len(extraction.relations) for extraction in found) > 0.2 * n_sentences
