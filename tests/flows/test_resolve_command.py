"""`kgmill resolve`: what people decided, pinned and linked, on a finished build, without sources or model."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest


def rows(folder, table):
    """The rows of a published table."""
    paths = sorted((folder / "tables" / table).glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def labels(folder):
    return {row["label"]: row["entity_id"] for row in rows(folder, "entities")}


def run_json(folder):
    return json.loads((folder / "run.json").read_text())


@pytest.fixture
def resolve(kgmill, copy):
    """Resolves the names of a copy of the build anew; returns what was printed."""

    def resolve(*options):
        done = kgmill("resolve", copy, *options)
        assert (done.code, done.errors) == (0, [])
        return done.out

    return resolve


def write(folder, name, text):
    path = Path(folder) / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_decision_nothing_changes(resolve, copy):
    """All is reused, no sentence meets the model, and the graph has the bytes it had."""
    before = run_json(copy)
    resolve()
    after = run_json(copy)
    assert after["graph"]["sha256"] == before["graph"]["sha256"]
    assert after["model_calls"]["sentences"] == 0
    assert [stage["n_done"] for stage in after["stages"].values()] == [0, 0, 0]


def test_names_that_people_call_the_same_are_one(kgmill, resolve, copy, tmp_path):
    """Both are known by the first; the rule is said, and the other's own IRI leads there."""
    before = labels(copy)
    decided = '[[same]]\nnames = ["Ada Byron", "Bob Stone"]\nby = "desk"\nwhy = "test"\n'
    resolve("--decisions", write(tmp_path, "d.toml", decided))
    names = {(row["name"], row["rule"]): row["entity_id"] for row in rows(copy, "names")}
    assert names["Ada Byron", ""] == names["Bob Stone", "decision"]
    assert len(labels(copy)) == len(before) - 1
    asked = "SELECT ?s ?o WHERE { GRAPH ?g { ?s <http://purl.org/dc/terms/isReplacedBy> ?o } }"
    [led] = json.loads(kgmill("query", copy, asked, "--format", "json").out)["results"]["bindings"]
    ids = [led[end]["value"].rsplit("/", 1)[1] for end in "so"]
    assert ids == [before["Bob Stone"], before["Ada Byron"]]


def test_rejected_fact_leaves_and_unknown_ones_are_counted(resolve, copy, tmp_path):
    """What is wrong is left out; a decision on a fact that there isn't any more is not passed over in silence."""
    facts = rows(copy, "facts")
    wrong, right = facts[0]["fact_id"], facts[1]["fact_id"]
    decided = f'[[reject]]\nfact = "{wrong}"\n[[confirm]]\nfact = "{right}"\n[[reject]]\nfact = "{"0" * 16}"\n'
    out = resolve("--decisions", write(tmp_path, "d.toml", decided))
    after = {row["fact_id"]: row for row in rows(copy, "facts")}
    left_out = run_json(copy)["left_out"]
    assert (wrong in after, after[right]["confidence"], after[right]["asserted"]) == (False, 1.0, True)
    assert (left_out["facts.rejected"], left_out["decisions.no_such_fact"]) == (1, 1)
    assert "1 decisions.no_such_fact" in out


def test_facts_are_decided_on_by_what_they_say(resolve, copy, tmp_path):
    """The labels of the ends and the relation are as good as the id; what no document has is counted."""
    label = {row["entity_id"]: row["label"] for row in rows(copy, "entities")}
    wrong, right = rows(copy, "facts")[:2]
    lines = [
        f'[[{verb}]]\nhead = "{label[fact["head"]]}"\nrelation = "{fact["relation"]}"\ntail = "{label[fact["tail"]]}"\n'
        for verb, fact in (("reject", wrong), ("confirm", right))
    ]
    lines += ['[[reject]]\nhead = "Nobody"\nrelation = "Live_In"\ntail = "London"\n']
    lines += ['[[same]]\nnames = ["London", "Londinium"]\n']
    out = resolve("--decisions", write(tmp_path, "d.toml", "".join(lines)))
    after = {row["fact_id"]: row for row in rows(copy, "facts")}
    assert (wrong["fact_id"] in after, after[right["fact_id"]]["confidence"]) == (False, 1.0)
    left_out = run_json(copy)["left_out"]
    assert {rule: n for rule, n in left_out.items() if rule.startswith(("decisions", "facts"))} == {
        "decisions.no_such_fact": 1,
        "decisions.no_such_name": 1,
        "facts.rejected": 1,
    }
    assert "1 decisions.no_such_name" in out


@pytest.mark.slow
def test_one_of_each_head_where_the_ontology_says_so(kgmill, tiny_ontology, tmp_path):
    """With a functional relation the strongest fact of each head stands; run.json counts those that it overrules."""
    functional = tiny_ontology.read_text().replace("[relations.Live_In]", "[relations.Live_In]\nfunctional = true")
    ontology = write(tmp_path, "o.toml", functional)
    decisions = write(tmp_path, "d.toml", '[[same]]\nnames = ["Bob Stone", "Frank Hill"]\n')
    (tmp_path / "texts").mkdir()
    for name, text in (("a", "Bob Stone lives in London ."), ("b", "Frank Hill of Globex lives in Berlin .")):
        write(tmp_path / "texts", f"{name}.txt", text)
    out = tmp_path / "out"
    built = kgmill("build", tmp_path / "texts", "--out", out, "--ontology", ontology, "--decisions", decisions)
    assert (built.code, built.errors) == (0, [])
    label = {row["entity_id"]: row["label"] for row in rows(out, "entities")}
    lives = {label[row["tail"]]: row for row in rows(out, "facts") if row["relation"] == "Live_In"}
    assert sorted(lives) == ["Berlin", "London"]
    [lost], [kept] = (
        [row for row in lives.values() if bool(row["overruled_by"]) is is_lost] for is_lost in (True, False)
    )
    assert (lost["overruled_by"], lost["asserted"]) == (kept["fact_id"], False)
    assert kept["conflict_share"] >= 0.5 >= lost["conflict_share"] > 0
    assert run_json(out)["left_out"] == {"facts.overruled": 1}
    asked = "SELECT ?a ?b WHERE { GRAPH ?g { ?a <urn:kgmill:ns:overruledBy> ?b } }"
    [found] = json.loads(kgmill("query", out, asked, "--format", "json").out)["results"]["bindings"]
    assert [found[end]["value"][-16:] for end in "ab"] == [lost["fact_id"], kept["fact_id"]]


def test_links_say_what_others_call_an_entity(kgmill, resolve, copy, tmp_path):
    """skos:exactMatch, for the entity of this name and type alone."""
    resolve("--links", write(tmp_path, "l.csv", "name,type,iri\nACME  corp,Org,urn:x:acme\nAcme Corp,Loc,urn:x:no\n"))
    asked = "SELECT ?s ?o WHERE { GRAPH ?g { ?s <http://www.w3.org/2004/02/skos/core#exactMatch> ?o } }"
    found = json.loads(kgmill("query", copy, asked, "--format", "json").out)["results"]["bindings"]
    assert [row["o"]["value"] for row in found] == ["urn:x:acme"]


def test_pinned_names_keep_their_ids(resolve, copy, tmp_path):
    """An entity whose longest name changes keeps the id of the build whose names are pinned."""
    pinned = tmp_path / "pinned"
    (copy / "tables" / "names").rename(pinned)
    table = pq.read_table(next(pinned.glob("*.parquet")))
    ids = [f"mine-{n}" for n in range(table.num_rows)]
    column = table.schema.get_field_index("entity_id")
    pq.write_table(table.set_column(column, "entity_id", [ids]), next(pinned.glob("*.parquet")))
    resolve("--pin", pinned)
    assert set(labels(copy).values()) <= set(ids)


@pytest.mark.parametrize(
    ("option", "name", "text", "said"),
    [
        ("--decisions", "d.toml", "[[same]]\nnames = ['a']\n", "names"),
        ("--decisions", "d.toml", "[[sam]]\n", "unknown key 'sam'; known keys: same, apart, reject, confirm"),
        (
            "--decisions",
            "d.toml",
            "[[same]]\nnames = ['a', 'b']\n[[apart]]\nnames = ['A', 'b']\n",
            "A and b are both the same and apart",
        ),
        ("--decisions", "d.toml", "[[reject]]\nfact = 'x'\n", "fact"),
        (
            "--decisions",
            "d.toml",
            "[[reject]]\nhead = 'a'\ntail = 'b'\n",
            "wanted either fact, an id, or head, relation",
        ),
        (
            "--decisions",
            "d.toml",
            "[[reject]]\nhead = 'a'\nrelation = 'Kil'\ntail = 'b'\n",
            "d.toml: no relation 'Kil' in the ontology; it has Work_For, Live_In, Kill",
        ),
        ("--links", "l.csv", "name,iri\na,urn:x:a\n", "wanted a first line with the columns name, type, iri"),
        ("--links", "l.csv", "name,type,iri\na,Org,nothing\n", "l.csv:2: 'nothing' is not an absolute IRI"),
        ("--pin", "p.parquet", "no parquet", "not a Parquet file"),
    ],
)
def test_wrong_file_is_one_line_and_touches_nothing(kgmill, copy, tmp_path, option, name, text, said):
    """The line names the file and the fault, the exit code is 2, and the graph is as it was."""
    before = (copy / "run.json").read_bytes()
    done = kgmill("resolve", copy, option, write(tmp_path, name, text))
    assert (done.code, len(done.errors)) == (2, 1)
    assert name in done.errors[0]
    assert said in done.errors[0]
    assert (copy / "run.json").read_bytes() == before


def test_missing_file_is_one_line(kgmill, copy, tmp_path):
    """So is one that isn't there."""
    for option in ("--decisions", "--links", "--pin"):
        done = kgmill("resolve", copy, option, tmp_path / "nowhere")
        assert (done.code, len(done.errors)) == (2, 1)
        assert "nowhere" in done.errors[0]


def test_folder_without_a_build_is_refused(kgmill, tmp_path):
    """There is nothing to resolve."""
    done = kgmill("resolve", tmp_path / "none")
    assert (done.code, len(done.errors)) == (2, 1)
