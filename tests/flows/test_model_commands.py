"""The commands that are asked of a model, and that fit it: what they say, and where they write."""

import gzip
import json
import re
import shutil

import pytest

from kgmill.extractor import modelfolder
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.modelfolder import SHIPPED, model_fingerprint
from kgmill.extractor.training.lineage import n_seen


@pytest.fixture
def fresh(tiny_sentences, tmp_path):
    """Sentences that the model is unsure of: its own, with other types and some entities less by turns."""
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    rows = []
    for turn in range(3):
        for i, record in enumerate(json.loads(json.dumps(records))):
            if turn == 1 and i % 2:
                record["entities"][0]["type"] = "Org"
            if turn == 2 and i % 2:
                record["relations"], record["entities"] = [], record["entities"][1:]
            for relation in record["relations"]:
                relation["type"] = "Live_In" if turn == 1 and relation["type"] == "Work_For" else relation["type"]
            rows.append(record | {"orig_id": f"{turn}-{i}"})
    path = tmp_path / "fresh.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.fixture
def own_model(tiny_model, tmp_path):
    """A user's model folder."""
    return shutil.copytree(tiny_model, tmp_path / "own")


def test_evaluate_says_what_cannot_be_found(kgmill, data, unused, tiny_model):
    """The lines name kinds, counts and places; what they name counts as missed, in the table and in JSON."""
    command = ("evaluate", "--model", tiny_model, "--data", data, "--format", "dygie", "--device", "cpu")

    done, report = kgmill(*command), json.loads(kgmill(*command, "--json").out)

    assert (done.code, done.errors) == (
        0,
        [
            *unused,
            "kgmill: 2 of 5 entities and 2 of 3 relations can't be found; they count as missed",
        ],
    )
    assert [line.split()[-1] for line in done.out.splitlines() if " strict " in line] == ["5", "3"]
    assert report["relations"]["strict"]["recall"] == pytest.approx(1 / 3)
    assert report["unused"]["outside_sentence"] == {
        "entities": 2,
        "relations": 1,
        "first": f"{data}:1: sentence 2: entity 0-1 'Peop'",
    }


def test_sentences_that_a_model_was_trained_on_are_said(kgmill, tiny_model, own_model, tiny_sentences, fresh):
    """Evaluating and calibrating on training data is possible, and told."""
    evaluated = kgmill("evaluate", "--model", tiny_model, "--data", tiny_sentences, "--device", "cpu")
    calibrated = kgmill("calibrate", "--model", own_model, "--data", fresh, "--device", "cpu")

    assert evaluated.errors == ["kgmill: 8 of 8 sentences were in this model's training data"]
    assert (calibrated.code, calibrated.errors) == (
        0,
        ["kgmill: 24 of 24 sentences were in this model's training data"],
    )


def test_shipped_models_know_their_training_data(shared_data):
    """models/conll04 says that it saw CoNLL04 dev; sci was not trained on SciERC dev, nor the default on UNER dev."""
    conll04 = read_annotated([str(shared_data / "conll04" / "conll04_dev.json")], "spert")
    scierc = read_annotated([str(shared_data / "scierc" / "dev.jsonl")], "dygie")

    uner = read_annotated([str(shared_data / "general" / "uner_dev.json")], "spert")
    in_repository = {folder.name: folder for folder in modelfolder.IN_REPOSITORY}

    assert (n_seen(in_repository["conll04"], conll04), len(conll04)) == (231, 231)
    assert n_seen(in_repository["sci"], scierc) == 0
    assert n_seen(SHIPPED / "default", uner) == 0


def test_calibrate_writes_into_the_users_model(kgmill, own_model, fresh):
    """A model of the user's gets its calibration, the path is printed, and its scores stay what they were."""
    before = model_fingerprint(own_model)

    done = kgmill("calibrate", "--model", own_model, "--data", fresh, "--device", "cpu")

    assert done.code == 0
    assert f"calibration written to {own_model}/calibration.json" in done.out.splitlines()
    assert (own_model / "calibration.json").is_file()
    assert model_fingerprint(own_model) == before


def test_calibrate_into_a_new_folder_copies_the_model(kgmill, own_model, fresh, tmp_path):
    """A folder that is not there becomes the model with its new calibration; the model keeps what it had."""
    done = kgmill(
        *("calibrate", "--model", own_model, "--into", tmp_path / "new" / "m", "--data", fresh),
        *("--device", "cpu"),
    )

    assert done.code == 0
    assert f"calibration written to {tmp_path}/new/m/calibration.json" in done.out.splitlines()
    assert model_fingerprint(tmp_path / "new" / "m") == model_fingerprint(own_model)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["m"]
    assert not (own_model / "calibration.json").exists()


@pytest.mark.parametrize("model", ["default", SHIPPED / "default", modelfolder.IN_REPOSITORY[0]])
@pytest.mark.parametrize("into", [None, "default", SHIPPED / "default", SHIPPED / "new", modelfolder.IN_REPOSITORY[0]])
def test_shipped_models_are_never_written_to(kgmill, tiny_sentences, model, into):
    """Neither without --into nor with it does a shipped model get another calibration."""
    folders = (SHIPPED / "default", modelfolder.IN_REPOSITORY[0])
    before = [(folder / "calibration.json").read_bytes() for folder in folders]

    done = kgmill("calibrate", "--model", model, "--data", tiny_sentences, *(("--into", into) if into else ()))

    assert (done.code, len(done.errors)) == (2, 1)
    assert ("give --into FOLDER" in done.errors[0]) == (into is None)
    assert [(folder / "calibration.json").read_bytes() for folder in folders] == before


def test_into_a_folder_that_is_no_model_is_refused(kgmill, own_model, tiny_sentences, tmp_path):
    """A folder with other things in it, a file, and a model of other types stay as they are."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    into = {
        tmp_path / "notes": "model.safetensors is missing, so this is no kgmill model folder",
        tiny_sentences: "no folder",
    }
    for target, message in into.items():
        done = kgmill("calibrate", "--model", own_model, "--into", target, "--data", tiny_sentences)
        assert (done.code, len(done.errors)) == (2, 1)
        assert message in done.errors[0]
    other = shutil.copytree(own_model, tmp_path / "other")
    _rename(other, {"Peop": "Person"})

    done = kgmill("calibrate", "--model", own_model, "--into", other, "--data", tiny_sentences)

    assert (done.code, done.errors) == (2, [f"kgmill: --into {other}: a model with other types than '{own_model}'"])


@pytest.mark.slow
def test_types_of_any_name_go_all_the_way(kgmill, own_model, tiny_sentences, tmp_path):
    """Names with spaces, slashes and colons, one of both kinds, are scored, built, exported and asked for."""
    names = {
        "Peop": "natural person",
        "Org": "org:company/firm",
        "Loc": "Seat",
        "Live_In": "Seat",
        "Work_For": "works for",
    }
    _rename(own_model, names)
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    for record in records:
        for item in (*record["entities"], *record["relations"]):
            item["type"] = names.get(item["type"], item["type"])
    (tmp_path / "named.json").write_text(json.dumps(records), encoding="utf-8")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("Bob Stone lives in London . Initech hired Eve Moss .")

    scored = kgmill("evaluate", "--model", own_model, "--data", tmp_path / "named.json", "--device", "cpu", "--json")
    built = kgmill("build", tmp_path / "corpus", "--out", tmp_path / "out", "--model", own_model)
    query = "SELECT ?p ?t WHERE { GRAPH ?g { ?a ?p ?b . ?b a ?t . ?a a <{v}natural%20person> } }"
    quads = gzip.decompress((tmp_path / "out" / "graph" / "graph.nq.gz").read_bytes()).decode()
    vocabulary = re.search(r"<([^>]*vocab#)Seat_relation>", quads)[1]
    asked = kgmill("query", tmp_path / "out", query.replace("{v}", vocabulary), "--format", "csv")

    by_type = {task: json.loads(scored.out)[task]["strict"]["by_type"] for task in ("entities", "relations")}
    assert by_type["entities"]["Seat"]["f1"] == by_type["relations"]["Seat"]["f1"] == 1.0
    assert (built.code, built.errors) == (0, [])
    rows = {tuple(row.replace(vocabulary, "").split(",")) for row in asked.out.split()[1:]}
    assert {("Seat_relation", "Seat"), ("works%20for", "org%3Acompany%2Ffirm")} <= rows


def test_models_of_the_repository_are_all_known_as_shipped():
    """What git keeps below models/ is what is never written to."""
    root = SHIPPED.parents[1]
    kept = [
        line.strip("!/").removeprefix("models/")
        for line in (root / ".gitignore").read_text().splitlines()
        if line.startswith("!/models/")
    ]
    assert [path.name for path in modelfolder.IN_REPOSITORY] == kept


def _rename(folder, names):
    """Gives types of a model folder other names."""
    config = json.loads((folder / "config.json").read_text())
    text = (folder / "ontology.toml").read_text()
    for old, new in names.items():
        for key in ("entity_types", "relation_types"):
            config[key] = [new if name == old else name for name in config[key]]
        for table in ("entities", "relations"):
            text = text.replace(f"[{table}.{old}]", f"[{table}.{json.dumps(new)}]")
        text = text.replace(f'"{old}"', json.dumps(new))
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "ontology.toml").write_text(text)


def test_evaluate_says_what_is_not_counted(kgmill, tiny_model, tiny_sentences, tmp_path):
    """Predictions of what the sentences don't mark are told, and are no errors."""
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    for record in records:
        record |= {"entities": [], "relations": [], "annotated": {"types": ["Loc"], "relations": []}}
    (tmp_path / "part.json").write_text(json.dumps(records), encoding="utf-8")

    done = kgmill("evaluate", "--model", tiny_model, "--data", tmp_path / "part.json", "--device", "cpu")

    assert "not counted: 14 entities and 9 relations of types that their sentences do not mark completely" in done.out


def test_predict_in_the_form_of_annotated_data(kgmill, tiny_model, tiny_sentences, tmp_path):
    """Of annotated sentences and of text, as SpERT and DyGIE write predictions; the words of the data stay."""
    text = tmp_path / "a.txt"
    text.write_text("Bob Stone lives in London .\n\nEve Moss left.")
    command = ("predict", "--model", tiny_model, "--device", "cpu")

    done = kgmill(*command, "--data", tiny_sentences)
    lines = kgmill(*command, text, "--to", "dygie").out.splitlines()

    gold = [{"entities": r["entities"], "tokens": r["tokens"]} for r in json.loads(tiny_sentences.read_text())]
    found = json.loads(done.out)
    for row in (e for record in found for e in record["entities"]):
        assert 0.4 <= row.pop("confidence") <= 1
    assert [{"tokens": r["tokens"], "entities": r["entities"]} for r in found] == [
        {"tokens": r["tokens"], "entities": r["entities"]} for r in gold
    ]
    (document,) = map(json.loads, lines)
    assert (document["doc_key"], len(document["sentences"])) == (str(text), 2)
    assert [row[:3] for row in document["predicted_ner"][0]] == [[0, 1, "Peop"], [4, 4, "Loc"]]
    assert [row[:5] for row in document["predicted_relations"][0]] == [[0, 1, 4, 4, "Live_In"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "a.json", "--text", "Ida"), "--data and texts exclude one another"),
        (("--data", "a.json", "b.txt"), "--data and texts exclude one another"),
        (("--data", "a.json", "--to", "lines"), "--to lines is for texts, as --data has no characters"),
    ],
)
def test_predictions_of_nothing_in_particular(kgmill, arguments, message):
    """What can't go together is said before a model is loaded."""
    done = kgmill("predict", *arguments)

    assert (done.code, len(done.errors)) == (2, 1)
    assert done.errors[0].startswith(f"kgmill: {message}")


def test_evaluate_writes_a_page_of_errors(kgmill, data, tiny_model, tmp_path):
    """With the scores, of the same predictions; a folder that isn't there is told before the model is loaded."""
    command = ("evaluate", "--model", tiny_model, "--data", data, "--format", "dygie", "--device", "cpu", "--errors")

    done = kgmill(*command, tmp_path / "errors.html")
    refused = kgmill(*command, tmp_path / "nowhere" / "errors.html")

    text = (tmp_path / "errors.html").read_text(encoding="utf-8")
    assert (done.code, done.errors[-1]) == (0, f"kgmill: errors written to {tmp_path}/errors.html")
    assert "2 of 2 sentences have an error." in text
    assert "Org lies outside of its sentence" in text
    assert (refused.code, refused.errors) == (2, [f"kgmill: --errors {tmp_path}/nowhere/errors.html: no such folder"])


def test_calibrate_says_it_in_80_columns_and_in_json(kgmill, own_model, fresh):
    """No line is wider than a terminal; programs get the calibration, what was found, and where it was written."""
    told = ("calibrate", "--model", own_model, "--data", fresh, "--device", "cpu", "--wanted-precision", "0.9")
    lines = kgmill(*told).out.splitlines()[1:]  # the first names a file
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("mentions at 0.4 and above,") for line in lines)
    said = json.loads(kgmill(*told, "--json").out)
    assert sorted(said) == ["calibration", "outcomes", "precision", "promises", "written_to"]
    assert said["calibration"] == json.loads((own_model / "calibration.json").read_text())
    assert {row["task"] for row in said["outcomes"]} == {"mentions", "relations"}
    assert said["written_to"] == str(own_model / "calibration.json")
