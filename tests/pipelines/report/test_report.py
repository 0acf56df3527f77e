"""report.html as a file: what is on it, that it is one piece, that nothing of the corpus becomes more than text."""

import base64
import doctest
import gzip
import hashlib
import json
import re
from contextlib import contextmanager
from html.parser import HTMLParser

import fsspec
import pytest

from benchmarks.report import synthetic, write_output
from kgmill.extractor.calibration import load_calibration
from kgmill.extractor.modelfolder import find_model
from kgmill.pipelines.output.ledger import last_run, write_run
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report import data, excerpts, tables
from kgmill.pipelines.report.data import Limits
from kgmill.pipelines.report.excerpts import excerpt
from kgmill.pipelines.report.picture import picture
from kgmill.pipelines.report.report import write_report
from kgmill.schemas.errors import LockError, UsageError
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.records import Fact

from .conftest import HOSTILE, PEOPLE


class Parsed(HTMLParser):
    """A page as a browser sees it: its elements, the text of each kind, and what its scripts and styles are."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.blocks = [], "", []
        self._within = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._within = tag
            self.blocks.append((tag, dict(attrs), ""))

    def handle_endtag(self, tag):
        self._within = "" if tag == self._within else self._within

    def handle_data(self, text):
        if self._within:
            tag, attributes, before = self.blocks[-1]
            self.blocks[-1] = (tag, attributes, before + text)
        else:
            self.text += f"{text} "


def page_of(store, limits=None):
    write_report(store, limits)
    return Parsed(store.storage.read("report.html").decode())


def data_of(page, name):
    return next(json.loads(text) for _, attributes, text in page.blocks if attributes.get("id") == name)


def test_ledger_is_told(people):
    """The numbers of run.json and of the asserted facts are tiles; a reject is there with its reason and detail."""
    page = page_of(people)
    said = " ".join(page.text.split())
    for tile in (
        "documents read 4",
        "kept 3",
        "rejected 1",
        "entities 4",
        "facts 4",
        "asserted facts 3",
        "time 1 min 30 s",
    ):
        assert tile in said
    assert "empty 1" in said
    assert "d.jsonl:7" in said
    assert "a text without a visible character" in said


def test_data_has_facts_best_first_with_sentences(people):
    """Facts are in order of confidence, with ends, values and sentences, which are marked as JavaScript counts."""
    page = page_of(people)
    graph, sentences = data_of(page, "graph-data"), data_of(page, "sentence-data")
    facts, labels = graph["facts"], graph["entities"]["label"]
    assert facts["id"] == ["f1", "f2", "f3", "f4"]
    assert facts["confidence"] == [950, 900, 700, 400]
    assert facts["asserted"] == [1, 1, 1, 0]
    assert [labels[e] for e in facts["head"]] == ["Ada Lovelace", "Ada Lovelace", "Ada Lovelace", "Charles Babbage"]
    assert facts["tail"][1] == -1
    assert facts["values"] == {"1": "1815"}
    assert graph["entities"]["aliases"] == {"0": ["Countess of Lovelace"]}
    assert "Lonely Island" in labels
    second = sentences["evidence"]["0"][1]
    text = sentences["texts"][second[0]].encode("utf-16-le")
    marked = [text[2 * begin : 2 * end].decode("utf-16-le") for begin, end in (second[2:4], second[4:6])]
    assert marked == ["Ada Lovelace", "London"]
    assert sentences["documents"][second[1]] == ["b.txt", "", "2001-05-04"]


def test_page_needs_nothing_else(people):
    """No element names another file, and the policy has the hash of each block of script and style, and of no other."""
    page = page_of(people)
    links = {value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")}
    assert {link for link in links if not link.startswith("#")} == {"data:,"}
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; ")
    wanted = {
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for _, attributes, text in page.blocks
        if attributes.get("type") != "application/json"
    }
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == wanted
    assert len(wanted) == 4
    assert not [
        name for _, attributes in page.elements for name in attributes if name.startswith("on") or name == "style"
    ]


def test_hostile_text_stays_text(hostile_store, people):
    """Names, titles, ids, sentences, relations and rejects that hold markup add no element and end no script."""
    plain, page = page_of(people), page_of(hostile_store)
    kinds = {tag for tag, _ in plain.elements}
    assert {tag for tag, _ in page.elements} - kinds == set()
    assert [(tag, a) for tag, a, _ in page.blocks] == [(tag, a) for tag, a, _ in plain.blocks]
    assert [text for _, a, text in page.blocks if "type" not in a] == [t for _, a, t in plain.blocks if "type" not in a]
    labels = data_of(page, "graph-data")["entities"]["label"]
    assert labels[:2] == [HOSTILE["script"], HOSTILE["end"]]
    assert labels[2] == "x" * 200 + "…"
    assert HOSTILE["script"] in page.text
    raw = hostile_store.storage.read("report.html").decode()
    assert not re.search("[\u2028\u2029\u202a-\u202e\u2066-\u2069]", raw)
    assert data_of(page, "sentence-data")["texts"][0].endswith("Ada\\u202eecalevoL \\u2066x.")


def test_equal_outputs_are_equal_bytes(tmp_path):
    """The page depends on the output alone."""
    pages = []
    for name in ("one", "other"):
        store = write_output(tmp_path / name / "out", synthetic(60))
        write_report(store)
        pages.append(store.storage.read("report.html"))
    assert pages[0] == pages[1]


def test_what_is_cut_is_said(people):
    """With room for two facts the two best are there, and the page says of how many."""
    page = page_of(people, Limits(n_facts=2, n_entities=1, n_sentences=1))
    said = " ".join(page.text.split())
    assert data_of(page, "graph-data")["facts"]["id"] == ["f1", "f2"]
    assert "This page holds the 2 surest and best supported of 4 facts" in said
    assert "3 of 4 entities" in said
    assert "2 of the 3 sentences behind these facts" in said


def test_room_decides_how_much_is_there(tmp_path):
    """Bytes that are spent end first the facts, then the sentences; each has its surest before any has a second."""
    store = write_output(tmp_path / "out", synthetic(400))
    found = data.page_data(store, Limits(graph_bytes=40_000, all_bytes=60_000))
    graph, sentences = (len(data.script_json(part).encode()) for part in (found.graph, found.sentences))
    assert 0 < found.cut.facts < 400
    assert graph < 45_000
    assert graph + sentences < 65_000
    whole = data.page_data(store, Limits(all_bytes=110_000))
    assert whole.cut.facts == 400
    assert 0 < whole.cut.sentences < whole.cut.of_sentences
    counts = [len(whole.sentences["evidence"].get(i, ())) for i in range(400)]
    assert set(counts) <= {0, 1}
    assert counts == sorted(counts, reverse=True)


def test_memory_of_best_rows_is_bounded(tmp_path, monkeypatch):
    """The best facts of many small batches are those of one sort, also where equally sure ones are cut."""
    store = write_output(tmp_path / "out", synthetic(300))
    whole, counts = tables.best_facts(store, 300)
    monkeypatch.setattr(tables, "_ROWS_A_BATCH", 7)
    some, again = tables.best_facts(store, 20)
    assert some == whole[:20]
    assert again == counts
    assert counts.facts.total() == sum(map(sum, counts.bins)) == 300


def test_documents_are_counted_by_relation(people):
    """A document that states a relation twice counts once."""
    assert tables.documents_by_relation(people) == {"born_in": 2, "born_on": 1, "knows": 1, "residence": 1}


@pytest.mark.parametrize(
    ("text", "offsets", "wanted"),
    [
        ("Ada, of Rome", [0, 3, 8, 12], ["Ada", "Rome"]),
        ("😀 Ada\tof 😀Rome", [2, 5, 9, 14], ["Ada", "😀Rome"]),
        ("University of Rome", [0, 18, 14, 18], ["University of Rome", "Rome"]),
        (f"{'w ' * 500}Ada{' w' * 500} of Rome", [1000, 1003, 2007, 2011], ["Ada", "Rome"]),
        (f"\x1b[0m\u202e {'y' * 900} of Rome", [6, 906, 910, 914], ["y" * 120 + "…" + "y" * 120, "Rome"]),
    ],
)
def test_excerpts_mark_what_was_marked(text, offsets, wanted):
    """Marks are in UTF-16 units of what is shown, whatever was escaped or left out before them; long text is cut."""
    shown, marks = excerpt(text, offsets)
    units = shown.encode("utf-16-le")
    assert [units[2 * b : 2 * e].decode("utf-16-le") for b, e in (marks[:2], marks[2:])] == wanted
    assert len(shown) < 900
    assert "\x1b" not in shown


def test_map_has_the_best_joined_and_is_the_same_again():
    """Each entity has one place, pairs aside are left out, and equal facts give equal places."""
    facts = [Fact(f"f{i}", f"e{i}", "knows", "hub", 0.9, 1, 1) for i in range(12)]
    facts += [Fact("g", "aside", "knows", "beside", 0.9, 1, 1), Fact("v", "e1", "born_on", "", 0.9, 1, 1, "1815", "x")]
    place = {name: i for i, name in enumerate(dict.fromkeys(end for f in facts for end in (f.head, f.tail) if end))}
    found = picture(facts, place)
    assert sorted(found.nodes) == sorted(place[name] for name in ("hub", *(f"e{i}" for i in range(12))))
    assert len(set(zip(found.x, found.y, strict=True))) == 13
    assert picture(facts, place) == found
    assert picture([], {}).nodes == []


def test_changes_are_told_by_name(people):
    """Facts that a run added and removed are told with the names of their ends, also of an entity that is gone."""
    base = "urn:kgmill:dataset:news:"
    kg = f"<{base}news/graph/kg>"

    def quads(fact, head, tail):
        statement = f"<{base}news/statement/a-{fact}>"
        rdf, ends = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", (f"<{base}news/entity/{head}>", tail)
        yield f"{statement} <{rdf}type> <urn:kgmill:ns:AggregatedStatement> {kg} .\n"
        for name, term in zip(("subject", "object"), ends, strict=True):
            yield f"{statement} <{rdf}{name}> {term} {kg} .\n"
        yield f"{statement} <{rdf}predicate> <{base}vocab#born_on> {kg} .\n"

    gone = f'<{base}news/entity/byron> <http://www.w3.org/2000/01/rdf-schema#label> "Lord <b>Byron</b>" {kg} .\n'
    both = list(quads("f4", "babbage", f"<{base}news/entity/london>"))
    sides = {
        "added": [*quads("f2", "ada", '"1815"'), *both],
        "removed": [*quads("f9", "byron", '"1788"'), gone, *both],
    }
    for side, lines in sides.items():
        data = gzip.compress("".join(lines).encode(), mtime=0)
        people.storage.write(f"changes/2026-01-01T000000Z.{side}.nq.gz", data)
    said = " ".join(page_of(people).text.split())
    assert "Facts: 1 added, 1 removed." in said
    assert "Facts added 1 Ada Lovelace born_on 1815" in said
    assert "Facts removed 1 Lord <b>Byron</b> born_on 1788" in said


def test_first_build_says_that_all_is_new(people):
    """Without changes of the run there is a sentence instead of lists."""
    assert "Facts: all 4 are new, as this is the first build." in " ".join(page_of(people).text.split())


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"added_quads": 0, "removed_quads": 0}, "Facts: no change."),
        ({"added_quads": 3, "removed_quads": 0}, "Facts: they changed (3 quads added, 0 removed), but DIR/changes"),
        ({}, "Facts: DIR/changes does not tell what changed."),
    ],
)
def test_changes_that_are_not_kept_are_not_said_to_be_none(people, counts, said):
    """kgmill gc and kgmill forget remove changes: what the ledger counts is told."""
    run = last_run(people)
    run["graph"] |= counts
    write_run(people, run | {"graph_before": "0" * 64})
    assert said in " ".join(page_of(people).text.split())


def test_run_that_ends_before_the_lock_is_the_one_that_is_told(people):
    """What is read is what is there when the folder is held."""

    class Late(Store):
        """A store in which a build ends just before it is held."""

        @contextmanager
        def lock(self, *, clear=True):
            write_run(self, last_run(self) | {"started": "2026-02-03T00:00:00Z", "finished": "2026-02-03T00:00:09Z"})
            with super().lock(clear=clear):
                yield

    assert "run of 2026-02-03T00:00:00Z" in " ".join(page_of(Late(people.where)).text.split())


def test_calibration_is_shown_while_it_is_that_of_the_run(tmp_path):
    """The chart is there where the model's fit of facts is the one that the run had, and nowhere else."""
    key = fingerprint(load_calibration(find_model("default")).facts)
    for name, has_chart in ((key, True), ("another", False)):
        store = write_output(tmp_path / name[:8], PEOPLE, {"fingerprints": {"facts": name}})
        assert ("This build asserts facts from 0.62 on, where 80% were right" in page_of(store).text) == has_chart


def test_without_a_finished_build_nothing_is_written(tmp_path):
    """A folder without a build, and one whose last build failed, are refused with the way out."""
    with pytest.raises(UsageError, match="no finished build here; run kgmill build SOURCE"):
        write_report(Store(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    failed = write_output(tmp_path / "failed", PEOPLE, {"status": "failed"})
    with pytest.raises(UsageError, match="did not finish; run kgmill build SOURCE"):
        write_report(failed)
    assert not (tmp_path / "failed" / "report.html").exists()


def test_while_a_build_runs_nothing_is_written(people):
    """Tables that may change under it are not read."""
    with people.lock(), pytest.raises(LockError):
        write_report(Store(people.where))


@pytest.mark.parametrize("module", [data, excerpts])
def test_doctests(module):
    """The examples in the docstrings are true."""
    assert doctest.testmod(module).failed == 0


def test_report_of_an_output_elsewhere_lies_there(people):
    """An output that is no folder of this machine gets the same page."""
    memory = fsspec.filesystem("memory")
    memory.put(f"{people.where}/", "/report-elsewhere/", recursive=True)
    try:
        far = Store("memory://report-elsewhere")
        written = write_report(far)
        write_report(people)
        assert far.storage.read("report.html") == people.storage.read("report.html")
        assert written.n_bytes == len(people.storage.read("report.html"))
    finally:
        memory.rm("/report-elsewhere", recursive=True)
