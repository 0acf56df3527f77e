"""Explanations of a real build by the tiny model, held to its tables."""

import json
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kgmill.extractor.calibration import load_calibration
from kgmill.pipelines.explaining.explain import Explainer
from kgmill.pipelines.output.forgotten import read_forgotten, write_forgotten
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.errors import UsageError

LINES = [
    {"id": "a", "text": "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London .", "date": "1901-02-03"},
    {"id": "b", "text": "Bob Stone lives in London .", "date": "1902-02-03"},
    {"id": "c", "text": "BOB STONE lives in London !"},
    {"id": "d", "text": "It rains and rains ."},
    {"id": "e", "text": ""},
    {"id": "twin", "text": "It rains and rains ."},
    {"id": "https://news.example/doc/a", "text": "The weather in Oslo was cold ."},
]


@pytest.fixture(scope="module")
def out(build_here, tmp_path_factory):
    """A finished build; only read."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "letters.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    build_here(folder / "letters.jsonl", folder / "out", candidate_floor=0.001)
    return folder / "out"


@pytest.fixture(scope="module")
def ask(out):
    """Explains a thing."""
    explainer = Explainer(str(out))

    def ask(*words):
        return explainer.explain(explainer.find(words))

    return ask


def cut(sentence):
    """The words that are marked in a sentence."""
    return [sentence["text"][m["begin"] : m["end"]] for m in sentence["marks"]]


def test_entity_by_name_id_and_iri(ask):
    """Each way leads to the same thing, with its names, facts and sentences."""
    told = ask("bob stone")
    assert (told["kind"], told["entity"]["label"], told["n_facts"]) == ("entity", "Bob Stone", 1)
    assert ask(told["id"]) == ask(f"e:{told['id']}") == ask(f"https://kg.example.org/kg/entity/{told['id']}") == told
    assert {tuple(cut(s)) for s in told["sentences"]} <= {("Bob Stone",), ("BOB STONE",)}
    assert told["n_mentions"] == told["entity"]["n_mentions"] >= 2


def test_fact_by_words_id_and_iri(ask):
    """Its sentences have both mentions marked; copies of one text count once."""
    told = ask("Bob Stone", "Live_In", "London")
    assert ask(told["id"]) == ask(f"https://kg.example.org/kg/statement/a-{told['id']}") == told
    statement = told["sentences"][0]["statement_id"]
    assert ask(f"https://kg.example.org/kg/statement/x-{statement}") == told
    assert all(len(s["marks"]) == 2 for s in told["sentences"])
    assert {tuple(cut(s)) for s in told["sentences"]} == {("Bob Stone", "London"), ("BOB STONE", "London")}
    assert [s["counted"] for s in told["sentences"]].count(True) == told["confidence"]["sentences"]
    assert "another sentence has the same words" in {s["why"] for s in told["sentences"]}


def test_ids_may_look_like_iris(ask):
    """An id is taken as it stands; only an IRI that this dataset mints is taken apart."""
    name = "https://news.example/doc/a"
    told = ask(name)
    assert (told["kind"], told["id"], cut(told["sentences"][0])) == ("document", name, ["Oslo"])
    quoted = "https%3A%2F%2Fnews.example%2Fdoc%2Fa"
    for iri in (f"doc/{quoted}", f"doc/{quoted}#char=0,3", f"graph/doc/{quoted}"):
        assert ask(f"https://kg.example.org/kg/{iri}") == ask(f"<https://kg.example.org/kg/{iri}>") == told
    bob = ask("Bob Stone")["id"]
    for other in (f"https://kg.example.org/other/entity/{bob}", "https://kg.example.org/kg/doc/", "urn:x:/doc/a"):
        with pytest.raises(UsageError, match="holds nothing called"):
            ask(other)


def test_confidence_and_its_parts(ask):
    """A model without a fit to facts: the mean, and the wanted precision is the threshold."""
    told = ask("Bob Stone", "Live_In", "London")
    parts, fact = told["confidence"], told["fact"]
    assert (fact["confidence"], told["least"]) == (min(parts["mean"], 0.98), 0.8)
    verdict = "asserted: " if fact["asserted"] else "not asserted: "
    assert told["asserted"].startswith(verdict)
    assert "0.8" in told["asserted"]


def test_document_has_its_candidates(ask, out, tiny_model):
    """Each candidate span has its score and what decided; the mentions are those of the tables."""
    told = ask("a")
    assert told["why"] == ""
    assert cut(told["sentences"][0]) == ["Ada Byron", "Acme Corp", "Paris"]
    spans = [span for s in told["sentences"] for span in s["spans"]]
    least = load_calibration(tiny_model).cuts
    mentions = {span["text"] for span in spans if span["verdict"] == "mention"}
    assert {"Ada Byron", "Acme Corp", "Paris", "Bob Stone", "London"} == mentions
    below = [span for span in spans if span["verdict"].startswith("below the threshold of ")]
    assert below
    assert all(span["score"] < least.get(span["type"], 0.4) for span in below)
    pairs = [pair for s in told["sentences"] for pair in s["pairs"]]
    assert ("Bob Stone", "Live_In", "London", "relation") in {
        (p["head"], p["relation"], p["tail"], p["verdict"]) for p in pairs
    }


def test_document_that_gave_nothing(ask):
    """Why: the surest candidate, or none at all; a reject with its reason."""
    assert re.match(r"no mention: of \d+ candidates|mentions: \d+, and no relation: of \d+ candidates", ask("d")["why"])
    assert ask("e")["why"].startswith("rejected: empty: ")
    assert ask("twin")["why"] == "rejected: duplicate: has the text of d"


def test_forgotten_document_is_said_to_be(out, tmp_path):
    """What is kept out is known by its id."""
    copy = shutil.copytree(out, tmp_path / "out")
    store = Store(copy)
    write_forgotten(store, read_forgotten(store).with_ids(["zz"]))
    explainer = Explainer(str(copy))
    assert explainer.explain(explainer.find(["zz"]))["why"].startswith("it was forgotten, and is kept out")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nobody"], "holds nothing called 'nobody'"),
        (["Bob Stone", "Kill", "London"], "no sentence says 'Bob Stone' Kill 'London'"),
        (["Bob Stones"], r"holds nothing called 'Bob Stones' \(did you mean 'Bob Stone'\?\): no id"),
        (["Bob Sone", "Kill", "Xyz"], r"no sentence says 'Bob Sone' \(did you mean 'Bob Stone'\?\) Kill 'Xyz'; ask"),
        (["a", "b"], "wanted one id, IRI or name, or a fact as"),
    ],
)
def test_what_is_not_there_is_one_line(ask, words, line):
    """The message says what was looked for, and where names are."""
    with pytest.raises(UsageError, match=line):
        ask(*words)


def test_decisions_on_facts_are_told(out, ask, build_here, tmp_path):
    """A fact that people rejected or confirmed, by its names or its id, is explained with who and why.

    What they have decided since is told as such.
    """
    fact = {"head": "Bob Stone", "relation": "Live_In", "tail": "London"}
    wrong, right = ask(*fact.values())["id"], ask("Ada Byron", "Work_For", "Acme Corp")["id"]
    decisions = tmp_path / "decisions.toml"
    named = "".join(f'{key} = "{value}"\n' for key, value in fact.items())
    decisions.write_text(f'[[reject]]\n{named}by = "desk"\nwhy = "he moved"\n[[confirm]]\nfact = "{right}"\n')
    copy = shutil.copytree(out, tmp_path / "out")
    source = out.parent / "letters.jsonl"
    build_here(source, copy, candidate_floor=0.001, decisions=str(decisions), started="2026-01-01T00:01:00Z")

    def decided(fact):
        explainer = Explainer(str(copy))
        told = explainer.explain(explainer.find([fact]))
        return told["asserted"], [(d["is"], d["by"], d["why"]) for d in told["decisions"]]

    why, told = decided(wrong)
    assert why.startswith("a decision of people rejects this fact")
    assert told == [("rejected", "desk", "he moved")]
    assert decided(right) == ("asserted: people have confirmed it", [("confirmed", "", "")])
    decisions.write_text(f'[[reject]]\nfact = "{right}"\n')
    assert decided(right) == ("asserted: people have confirmed it", [("rejected by the next build", "", "")])
    assert decided(wrong)[1] == []


def test_overruled_fact_says_by_which(out, ask, tmp_path):
    """A fact that a surer one contradicts says by which, and that one says what it overrules."""
    first, second = ask("Bob Stone", "Live_In", "London"), ask("Ada Byron", "Work_For", "Acme Corp")
    copy = shutil.copytree(out, tmp_path / "out")
    for path in (copy / "tables" / "facts").glob("*.parquet"):
        rows = pq.read_table(path)
        changed = [
            row | {"asserted": False, "conflict_share": 0.25, "overruled_by": second["id"], "confidence": 0.9}
            if row["fact_id"] == first["id"]
            else row
            for row in rows.to_pylist()
        ]
        path.unlink()
        pq.write_table(pa.Table.from_pylist(changed, rows.schema), path)
    explainer = Explainer(str(copy))
    told, other = (explainer.explain(explainer.find([fact["id"]])) for fact in (first, second))
    why = "Ada Byron  --Work_For->  Acme Corp"
    assert told["asserted"].startswith(f"not asserted: it is overruled by {why} (")
    assert f"), fact {second['id']}: of both only one can be right" in told["asserted"]
    assert told["confidence"]["share_against_rivals"] == 0.25
    assert [fact["fact_id"] for fact in other["overrules"]] == [first["id"]]
    assert told["overrules"] == []


def test_other_model_tells_no_scores(out, tmp_path):
    """Where the model's folder is not that of the build, what the tables hold is told, and no scores."""
    copy = shutil.copytree(out, tmp_path / "out")
    change_ledger(copy, fingerprints={"calibration": "0" * 64})
    explainer = Explainer(str(copy))
    told = explainer.explain(explainer.find(["a"]))
    assert cut(told["sentences"][0]) == ["Ada Byron", "Acme Corp", "Paris"]
    assert "spans" not in told["sentences"][0]
    assert told["notes"] == [
        "the model's folder, or its settings, are not those of the build any more: no scores of candidates are told"
    ]


def test_other_fit_of_facts_judges_none(out, tiny_model, tmp_path):
    """A model that was fitted to facts since the build still has the build's candidates, but not its thresholds."""
    copy, model = shutil.copytree(out, tmp_path / "out"), shutil.copytree(tiny_model, tmp_path / "model")
    calibration = json.loads((model / "calibration.json").read_text()) if (model / "calibration.json").exists() else {}
    fit = {"weights": [1.0, 0.5, 0.5, 0.1, 1.0], "bias": 0.2, "thresholds": [[0.8, 0.3]]}
    (model / "calibration.json").write_text(json.dumps(calibration | {"facts": fit}))
    change_ledger(copy, config={"model": str(model)})
    explainer = Explainer(str(copy))
    told = explainer.explain(explainer.find(["Bob Stone", "Live_In", "London"]))
    assert (told["least"], "log_odds" in told["confidence"]) == (None, False)
    assert told["notes"] == ["the model's fit of facts is not that of the build any more: no threshold is told"]
    assert explainer.explain(explainer.find(["a"]))["sentences"][0]["spans"]


def change_ledger(folder, **parts):
    """Puts values into tables of run.json."""
    ledger = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(ledger | {name: ledger[name] | new for name, new in parts.items()}))
