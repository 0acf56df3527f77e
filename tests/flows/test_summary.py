"""What a person sees of a build."""

import shutil

import pyarrow.parquet as pq
import pytest

from kgmill.flows.summary import BestFact, best_facts, facts_markdown, ledger_rows, plan_parts, summary
from kgmill.flows.terminal import rendered
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.records import Document, Entity, Evidence, Fact
from kgmill.schemas.tables import to_table
from kgmill.schemas.units import Unit

TEXT = "Ada lives\nin  London. Bob lives in Rome. Ada works for Acme."
NAME = "00-0000.0123456789abcdef.parquet"
REPORT = {
    "documents": {"read": 3, "kept": 2, "rejected": 1, "reused": 1, "added": 2, "changed": 0, "removed": 0},
    "rejects": {"empty": 1},
    "left_out": {"bytes_replaced": 2},
    "model_calls": {"sentences": 7},
    "stages": {"ingest": {"seconds": 1.25, "peak_rss_mb": 90.4}, "extract": {"seconds": 2.0, "peak_rss_mb": 512.6}},
    "graph": {"entities": 4, "facts": 3, "quads": 60},
}


def shown(parts):
    return "\n".join(map(rendered, parts)).splitlines()


def evidence(fact_id, statement_id, begin, end, confidence):
    return Evidence(fact_id, statement_id, "d1", begin, end, begin, begin + 3, end - 5, end - 1, confidence)


def write_tables(folder, tables):
    for name, rows in tables.items():
        (folder / "tables" / name).mkdir(parents=True)
        pq.write_table(to_table(name, rows), folder / "tables" / name / NAME)
    return folder


@pytest.fixture
def folder(tmp_path):
    """The tables of a build with three facts: two of one relation, one of another."""
    tables = {
        "documents": [Document("d1", "d1.txt", "", TEXT, "{}", "00" * 32)],
        "entities": [Entity(name.lower(), "T", name, 1, 1, 0.9) for name in ("Ada", "Bob", "London", "Rome", "Acme")],
        "facts": [
            Fact("f1", "ada", "Live_In", "london", 0.8, 2, 1),
            Fact("f2", "bob", "Live_In", "rome", 0.9, 1, 1),
            Fact("f3", "ada", "Work_For", "acme", 0.6, 1, 1),
        ],
        "evidence": [
            evidence("f1", "s1", 23, 41, 0.5),
            evidence("f1", "s2", 0, 21, 0.7),
            evidence("f2", "s3", 22, 40, 0.9),
            evidence("f3", "s4", 41, 60, 0.6),
        ],
    }
    return write_tables(tmp_path, tables)


def test_best_facts_come_the_surest_first(folder):
    """Each with its surest sentence, in which spaces are made one, and where its ends are in that."""
    assert best_facts(Store(folder), 12) == [
        BestFact("Bob", "Live_In", "Rome", 0.9, 1, "d1", "Bob lives in Rome.", (0, 3), (13, 17)),
        BestFact("Ada", "Live_In", "London", 0.8, 2, "d1", "Ada lives in London.", (0, 3), (15, 19)),
        BestFact("Ada", "Work_For", "Acme", 0.6, 1, "d1", "Ada works for Acme.", (0, 3), (14, 18)),
    ]


def test_best_facts_are_chosen_from_relations_in_turn(folder):
    """At most n, of as many relations as there are."""
    assert [fact.tail for fact in best_facts(Store(folder), 2)] == ["Rome", "Acme"]


def test_best_facts_read_no_more_than_they_need(folder, monkeypatch):
    """Of evidence, entities and documents only the files whose names say that they can have what is shown."""
    wanted = {"evidence": ["f1", "f2", "f3"], "entities": ["ada", "bob", "london", "rome", "acme"], "documents": ["d1"]}
    names = {f"tables/facts/{NAME}"}
    for table, ids in wanted.items():
        whole = folder / "tables" / table / NAME
        for unit in Unit.each(4):
            shutil.copy(whole, whole.with_name(f"{unit}.0123456789abcdef.parquet"))
        whole.unlink()
        names |= {f"tables/{table}/{Unit.of(key, 4)}.0123456789abcdef.parquet" for key in ids}
    read = []
    store = Store(folder)
    whole_read = store.storage.read
    monkeypatch.setattr(store.storage, "read", lambda name: read.append(name) or whole_read(name))
    assert [fact.tail for fact in best_facts(store, 12)] == ["Rome", "London", "Acme"]
    assert sorted(read) == sorted(names)


def test_best_facts_equally_sure_come_by_support(tmp_path):
    """Of facts as sure in two places, those of more documents come first, then those of more sentences."""
    facts = [
        Fact(f"f{i}", "ada", f"r{i}", "bob", c, n, m)
        for i, (c, n, m) in enumerate([(0.912, 1, 1), (0.908, 3, 2), (0.907, 9, 1), (0.92, 1, 1)])
    ]
    tables = {
        "documents": [Document("d1", "d1.txt", "", TEXT, "{}", "00" * 32)],
        "entities": [Entity(name, "T", name, 1, 1, 0.9) for name in ("ada", "bob")],
        "facts": facts,
        "evidence": [evidence(fact.fact_id, fact.fact_id, 0, 21, 0.7) for fact in facts],
    }
    found = best_facts(Store(write_tables(tmp_path, tables)), 12)
    assert [fact.relation for fact in found] == ["r3", "r1", "r2", "r0"]


def test_best_fact_shows_its_value(tmp_path):
    """A value stands where the label of an entity would."""
    tables = {
        "documents": [Document("d1", "d1.txt", "", "Ada was born in 1815.", "{}", "00" * 32)],
        "entities": [Entity("ada", "T", "Ada", 1, 1, 0.9)],
        "facts": [Fact("f1", "ada", "Born_On", "", 0.8, 1, 1, "1815", "http://www.w3.org/2001/XMLSchema#gYear")],
        "evidence": [evidence("f1", "s1", 0, 21, 0.8)],
    }
    [fact] = best_facts(Store(write_tables(tmp_path, tables)), 12)
    assert (fact.head, fact.relation, fact.tail) == ("Ada", "Born_On", "1815")


def test_summary_is_for_a_terminal(folder):
    """The ledger, a line of the stages, the graph's size, and a table of facts."""
    assert shown(summary(Store(folder), REPORT, 1)) == [
        "3 documents read = 2 kept + 1 rejected; 1 reused",
        "  rejected: 1 empty",
        "  left out or replaced: 2 bytes_replaced",
        "7 sentences met the model; peak memory 513 MB",
        "ingest 1.2 s, extract 2.0 s",
        f"4 entities, 3 facts, 60 quads in {folder}/graph",
        "",
        "conf.  sent.  best facts (document), each with its surest sentence",
        "─" * 66,
        " 0.90      1  Bob --Live_In-> Rome (d1)",
        "              [Bob] lives in [Rome].",
    ]


def test_summary_says_what_formats_leave_out(folder):
    """A line a format that can't tell all, the most first."""
    told = {"wikidata": {"no class: Misc": 2, "no property: award": 12}}
    lines = shown(summary(Store(folder), REPORT | {"graph": REPORT["graph"] | {"left_out": told}}, 1))
    assert lines[6] == "  wikidata leaves out: no property: award 12, no class: Misc 2"


def test_summary_of_other_languages(folder):
    """How many documents were passed over, in which languages, and the way to have them read."""
    left_out = {"bytes_replaced": 2, "language.de": 1, "language.fr": 3}
    lines = shown(summary(Store(folder), REPORT | {"left_out": left_out, "rejects": {"language": 4}}, 1))
    assert lines[1:4] == [
        "  rejected: 4 language",
        "  left out or replaced: 2 bytes_replaced",
        "  passed over: 4 not in the model's language (fr 3, de 1); --any-language reads them",
    ]


def test_summary_where_all_is_in_other_languages(folder):
    """A build that read nothing says so."""
    report = REPORT | {"documents": REPORT["documents"] | {"kept": 0}, "left_out": {"language.de": 3}}
    assert shown(summary(Store(folder), report, 1))[2] == (
        "  nothing was read: no document is in the model's language (de 3); --any-language reads them"
    )


def test_ledger_is_rows_of_name_and_value():
    """run.json as a table for Prefect."""
    assert ledger_rows(REPORT)[6:] == [
        {"what": "documents removed", "value": 0},
        {"what": "rejected: empty", "value": 1},
        {"what": "left out: bytes_replaced", "value": 2},
        {"what": "sentences that met the model", "value": 7},
        {"what": "entities", "value": 4},
        {"what": "facts", "value": 3},
        {"what": "quads", "value": 60},
    ]


@pytest.fixture
def hostile(tmp_path):
    """The tables of a fact whose names, sentence and id hold colours, a window title, bells, HTML and overrides."""
    text = "<b>Ola\x1b[31m Berg</b> of *Nord*."
    tables = {
        "documents": [Document("d\x9b", "d1.txt", "", text, "{}", "00" * 32)],
        "entities": [
            Entity("e1", "Peop", "Ola\x1b[31m Berg", 1, 1, 0.9),
            Entity("e2", "Org", "Nord\x1b]0;mine\x07 AG\u202e", 1, 1, 0.9),
        ],
        "facts": [Fact("f1", "e1", "Work_For", "e2", 0.5, 1, 1)],
        "evidence": [Evidence("f1", "s1", "d\x9b", 0, len(text), 3, 16, 24, 30, 0.5)],
    }
    return write_tables(tmp_path / "o\x1b[1m", tables)


def test_summary_shows_no_control_of_the_corpus(hostile):
    """A fact is two lines, whatever its labels, sentence and id hold; so are rules that name a file's suffix."""
    report = REPORT | {"rejects": {"bad\x07": 1}, "left_out": {"other_files.\x1b[2J": 2}}
    lines = shown(summary(Store(hostile), report, 1))
    assert lines[1:3] == ["  rejected: 1 bad\\x07", "  left out or replaced: 2 other_files.\\x1b[2J"]
    assert lines[5] == f"4 entities, 3 facts, 60 quads in {hostile.parent}/o\\x1b[1m/graph"
    assert lines[-2:] == [
        " 0.50      1  Ola\\x1b[31m Berg --Work_For-> Nord\\x1b]0;mine\\x07 AG\\u202e (d\\x9b)",
        "              <b>[Ola\\x1b[31m Berg]</b> of [*Nord*].",
    ]


def test_plan_shows_no_control_of_the_corpus():
    """The reasons and the line that says why a build would stop are text of others too."""
    plan = {"documents": {"new": 1}, "rejects": {"a\x1b": 1}, "left_out": {}, "stages": {}, "seconds": 1}
    plan |= {"changed_settings": None}
    told = shown(plan_parts(plan | {"guessed": [], "stops": "\x07"}))
    assert [line for line in told if "x" in line] == ["  rejected: 1 a\\x1b", "a build would stop: \\x07"]


def test_artifact_has_no_markup_of_the_corpus(hostile):
    """In Prefect's page a fact is a line, and its text neither HTML nor Markdown."""
    assert facts_markdown(best_facts(Store(hostile), 20)) == (
        r"- **Ola\\x1b\[31m Berg - Work\_For - Nord\\x1b\]0;mine\\x07 AG\\u202e** (0.50): "
        r"&lt;b&gt;Ola\\x1b\[31m Berg&lt;/b&gt; of \*Nord\*\."
    )
    assert facts_markdown([]) == "No facts."
