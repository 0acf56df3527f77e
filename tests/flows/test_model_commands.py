"""The commands around a model: what they say of data, and where they write."""

import gzip
import json
import re
import shutil
import tomllib
from dataclasses import dataclass

import pytest

from kgmill.extractor import modelfolder
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.modelfolder import SHIPPED, model_fingerprint
from kgmill.extractor.training.lineage import n_seen
from kgmill.flows import cli

# Offsets of the second sentence begin anew at 0, which is wrong; the last relation is over two sentences.
DOCUMENT = {
    "doc_key": "d",
    "sentences": [["Bob", "Stone", "lives", "in", "London", "!"], ["Eve", "Moss", "left", "Initech", "."]],
    "ner": [[[0, 1, "Peop"], [4, 4, "Loc"]], [[0, 1, "Peop"], [3, 3, "Org"], [9, 9, "Org"]]],
    "relations": [[[0, 1, 4, 4, "Live_In"], [0, 1, 9, 9, "Work_For"]], [[0, 1, 3, 3, "Work_For"]]],
}
CROSSING = (
    "1 relation joins entities of different sentences (first: {data}:1: sentence 1: relation 0-1 to 9-9 'Work_For')"
)
OUTSIDE = "2 entities and 1 relation lie outside of their sentence (first: {data}:1: sentence 2: entity 0-1 'Peop')"
UNUSED = [f"kgmill: not used: {line}" for line in (CROSSING, OUTSIDE)]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    errors: list[str]


@pytest.fixture
def run(capsys):
    """Runs a command line in this process."""

    def run(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err.splitlines())

    return run


@pytest.fixture
def data(tmp_path):
    """A DyGIE file with annotations that no sentence can hold."""
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(DOCUMENT) + "\n", encoding="utf-8")
    return path


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


def test_evaluate_says_what_cannot_be_found(run, data, tiny_model):
    """The lines name kinds, counts and places; what they name counts as missed, in the table and in JSON."""
    command = ("evaluate", "--model", tiny_model, "--data", data, "--format", "dygie", "--device", "cpu")

    done, report = run(*command), json.loads(run(*command, "--json").out)

    assert (done.code, done.errors) == (
        0,
        [
            *(line.format(data=data) for line in UNUSED),
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


def test_stats_convert_and_train_say_what_they_do_not_use(run, data, tiny_encoder, tmp_path):
    """Each says the same lines, and goes on."""
    config = tmp_path / "t.toml"
    config.write_text(
        f'encoder = "{tiny_encoder}"\ntrain = "{data}"\nformat = "dygie"\nout = "{tmp_path}/m"\nepochs = 1\n'
    )
    expected = [line.format(data=data) for line in UNUSED]

    stats = run("stats", data, "--format", "dygie")
    converted = run("convert", data, tmp_path / "d.json", "--from", "dygie", "--to", "spert")
    trained = run("train", config)

    assert (stats.code, stats.errors) == (0, expected)
    assert (converted.code, converted.errors) == (0, expected)
    assert (trained.code, [line for line in trained.errors if not line.startswith("{")]) == (0, expected)


def test_train_takes_settings(run, tiny_sentences, tiny_encoder, tmp_path):
    """A value of the command line stands before the file's: numbers, words and lists, as TOML writes them."""
    config = tmp_path / "t.toml"
    config.write_text(f'encoder = "{tiny_encoder}"\ntrain = "{tiny_sentences}"\nout = "{tmp_path}/m"\nepochs = 30\n')

    trained = run(
        *("train", config, "--set", "epochs=1", "--set", f"out={tmp_path}/other", "--set", 'languages=["en"]')
    )

    assert trained.code == 0
    written = tomllib.loads((tmp_path / "other" / "training.toml").read_text())
    assert (written["epochs"], written["languages"]) == (1, ["en"])
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("epochs", "--set epochs: not KEY=VALUE"),
        ("=3", "--set =3: not KEY=VALUE"),
        ("epochs=some", "epochs: "),
        ("eopchs=3", "unknown key"),
    ],
)
def test_wrong_settings_are_refused(run, tiny_sentences, tmp_path, setting, message):
    """They are refused as they are in the file."""
    config = tmp_path / "t.toml"
    config.write_text(f'train = "{tiny_sentences}"\nout = "{tmp_path}/m"\n')

    refused = run("train", config, "--set", setting)

    assert (refused.code, len(refused.errors)) == (2, 1)
    assert message in refused.errors[0]


def test_stats_say_what_is_too_wide_to_be_learnt(run, tmp_path):
    """An entity of more than ten words is counted, and told: training leaves it out by default."""
    record = {"tokens": ["in"] * 12, "entities": [{"type": "A", "start": 0, "end": 11}], "relations": []}
    (tmp_path / "a.json").write_text(json.dumps([record]))

    done = run("stats", tmp_path / "a.json")

    wide = f"wider than the spans of the model (first: {tmp_path}/a.json: sentence 0: entity 0:11 'A')"
    told = f"kgmill: counted, but not trained on with max_span_width = 10: 1 entity is, or joins, an entity {wide}"
    assert done.errors == [told]
    assert "A                                1" in done.out.splitlines()


def test_foreign_data_is_named(run, tmp_path):
    """Data of another tool is one line and exit code 2."""
    (tmp_path / "t.conll").write_text("Ida B-PER\nleft O\n")

    done = run("stats", tmp_path / "t.conll")

    assert (done.code, len(done.errors)) == (2, 1)
    assert done.errors[0].startswith(f"kgmill: {tmp_path}/t.conll: looks like columns in the manner of CoNLL: give ")


def test_sentences_that_a_model_was_trained_on_are_said(run, tiny_model, own_model, tiny_sentences, fresh):
    """Evaluating and calibrating on training data is possible, and told."""
    evaluated = run("evaluate", "--model", tiny_model, "--data", tiny_sentences, "--device", "cpu")
    calibrated = run("calibrate", "--model", own_model, "--data", fresh, "--device", "cpu")

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


def test_calibrate_writes_into_the_users_model(run, own_model, fresh):
    """A model of the user's gets its calibration, the path is printed, and its scores stay what they were."""
    before = model_fingerprint(own_model)

    done = run("calibrate", "--model", own_model, "--data", fresh, "--device", "cpu")

    assert done.code == 0
    assert f"calibration written to {own_model}/calibration.json" in done.out.splitlines()
    assert (own_model / "calibration.json").is_file()
    assert model_fingerprint(own_model) == before


def test_calibrate_into_a_new_folder_copies_the_model(run, own_model, fresh, tmp_path):
    """A folder that is not there becomes the model with its new calibration; the model keeps what it had."""
    done = run(
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
def test_shipped_models_are_never_written_to(run, tiny_sentences, model, into):
    """Neither without --into nor with it does a shipped model get another calibration."""
    folders = (SHIPPED / "default", modelfolder.IN_REPOSITORY[0])
    before = [(folder / "calibration.json").read_bytes() for folder in folders]

    done = run("calibrate", "--model", model, "--data", tiny_sentences, *(("--into", into) if into else ()))

    assert (done.code, len(done.errors)) == (2, 1)
    assert ("give --into FOLDER" in done.errors[0]) == (into is None)
    assert [(folder / "calibration.json").read_bytes() for folder in folders] == before


def test_into_a_folder_that_is_no_model_is_refused(run, own_model, tiny_sentences, tmp_path):
    """A folder with other things in it, a file, and a model of other types stay as they are."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    into = {
        tmp_path / "notes": "model.safetensors is missing, so this is no kgmill model folder",
        tiny_sentences: "no folder",
    }
    for target, message in into.items():
        done = run("calibrate", "--model", own_model, "--into", target, "--data", tiny_sentences)
        assert (done.code, len(done.errors)) == (2, 1)
        assert message in done.errors[0]
    other = shutil.copytree(own_model, tmp_path / "other")
    _rename(other, {"Peop": "Person"})

    done = run("calibrate", "--model", own_model, "--into", other, "--data", tiny_sentences)

    assert (done.code, done.errors) == (2, [f"kgmill: --into {other}: a model with other types than '{own_model}'"])


@pytest.mark.slow
def test_types_of_any_name_go_all_the_way(run, kgmill, own_model, tiny_sentences, tmp_path):
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

    scored = run("evaluate", "--model", own_model, "--data", tmp_path / "named.json", "--device", "cpu", "--json")
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


@pytest.fixture
def partly_annotated(tiny_sentences, tmp_path):
    """The tiny sentences with persons alone, under labels of their own, in a training that completes them."""
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    for record in records:
        record["entities"] = [e | {"type": "human"} for e in record["entities"] if e["type"] == "Peop"]
        record |= {"relations": [], "annotated": {"types": ["human"], "relations": []}}
    (tmp_path / "part.json").write_text(json.dumps(records), encoding="utf-8")
    config = tmp_path / "t.toml"
    config.write_text(
        f'out = "{tmp_path}/m"\n[labels]\nhuman = "Peop"\n[[train]]\nfiles = "{tmp_path}/part.json"\n'
        f'unknown = "completed"\ncompleted = "{tmp_path}/more/part.json"\n'
    )
    return config


def test_complete(run, tiny_model, partly_annotated, tmp_path):
    """The sets of a training are completed under the ontology's labels, counted, and the same each time."""
    command = ("complete", "--model", tiny_model, "--device", "cpu", "--config", partly_annotated)

    done = run(*command)
    first = (tmp_path / "more" / "part.json").read_bytes()
    again = run(*command)

    records = json.loads(first)
    by = [(e["type"], e.get("by", "gold")) for r in records for e in r["entities"]]
    assert (done.code, again.out) == (0, done.out)
    assert (tmp_path / "more" / "part.json").read_bytes() == first
    assert by.count(("Peop", "gold")) == 10
    assert {kind for kind, who in by if who == "completed"} == {"Loc", "Org"}
    assert [line.split() for line in done.out.splitlines() if "Peop" in line] == [["Peop", "10", "0"]]
    assert re.search(r"^doubtful: \d+ spans and \d+ pairs$", done.out, re.MULTILINE)


def test_complete_one_file(run, tiny_model, tiny_sentences, tmp_path):
    """A file alone is written to another; nothing is added where everything is annotated."""
    out = tmp_path / "out.json"

    done = run("complete", "--model", tiny_model, "--data", tiny_sentences, "--out", out, "--device", "cpu")

    assert (done.code, done.errors) == (0, ["kgmill: 8 of 8 sentences were in this model's training data"])
    assert [s.entities for s in read_annotated([str(out)], "spert")] == [
        s.entities for s in read_annotated([str(tiny_sentences)], "spert")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--data", "a.json"),
            "complete: --data and --out go together; with --config the sets name their files",
        ),
        (("--config", "{config}"), "{config}: no set names a file under `completed`, so there is nothing to complete"),
    ],
)
def test_complete_without_a_file(run, tiny_model, tmp_path, arguments, message):
    """What is missing is said."""
    config = tmp_path / "t.toml"
    config.write_text('train = "a.json"\n')
    arguments = [argument.format(config=config) for argument in arguments]

    done = run("complete", "--model", tiny_model, *arguments)

    assert (done.code, done.errors) == (2, [f"kgmill: {message.format(config=config)}"])


def test_hashes_exclude(run, tiny_sentences, tiny_encoder, tmp_path):
    """The list of hashes that stats writes keeps sentences out of a training."""
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    (tmp_path / "three.json").write_text(json.dumps(records[:3]), encoding="utf-8")
    config = tmp_path / "t.toml"
    config.write_text(f'encoder = "{tiny_encoder}"\ntrain = "{tiny_sentences}"\nout = "{tmp_path}/m"\nepochs = 1\n')

    stats = run("stats", tmp_path / "three.json", "--hashes", tmp_path / "h.toml")
    trained = run("train", config, "--exclude", tmp_path / "h.toml")

    assert (stats.code, trained.code) == (0, 0)
    assert trained.errors[0].startswith("kgmill: set eight_sentences: 5 sentences, 5 an epoch, ")
    assert trained.errors[0].endswith("; left out: 3 sentences in dev or excluded")
    assert n_seen(tmp_path / "m", read_annotated([str(tiny_sentences)], "spert")) == 5


def test_evaluate_says_what_is_not_counted(run, tiny_model, tiny_sentences, tmp_path):
    """Predictions of what the sentences don't mark are told, and are no errors."""
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    for record in records:
        record |= {"entities": [], "relations": [], "annotated": {"types": ["Loc"], "relations": []}}
    (tmp_path / "part.json").write_text(json.dumps(records), encoding="utf-8")

    done = run("evaluate", "--model", tiny_model, "--data", tmp_path / "part.json", "--device", "cpu")

    assert "not counted: 14 entities and 9 relations of types that their sentences do not mark completely" in done.out


def test_predict_in_the_form_of_annotated_data(run, tiny_model, tiny_sentences, tmp_path):
    """Of annotated sentences and of text, as SpERT and DyGIE write predictions; the words of the data stay."""
    text = tmp_path / "a.txt"
    text.write_text("Bob Stone lives in London .\n\nEve Moss left.")
    command = ("predict", "--model", tiny_model, "--device", "cpu")

    done = run(*command, "--data", tiny_sentences)
    lines = run(*command, text, "--to", "dygie").out.splitlines()

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
def test_predictions_of_nothing_in_particular(run, arguments, message):
    """What can't go together is said before a model is loaded."""
    done = run("predict", *arguments)

    assert (done.code, len(done.errors)) == (2, 1)
    assert done.errors[0].startswith(f"kgmill: {message}")


def test_evaluate_writes_a_page_of_errors(run, data, tiny_model, tmp_path):
    """With the scores, of the same predictions; a folder that isn't there is told before the model is loaded."""
    command = ("evaluate", "--model", tiny_model, "--data", data, "--format", "dygie", "--device", "cpu", "--errors")

    done = run(*command, tmp_path / "errors.html")
    refused = run(*command, tmp_path / "nowhere" / "errors.html")

    text = (tmp_path / "errors.html").read_text(encoding="utf-8")
    assert (done.code, done.errors[-1]) == (0, f"kgmill: errors written to {tmp_path}/errors.html")
    assert "2 of 2 sentences have an error." in text
    assert "Org lies outside of its sentence" in text
    assert (refused.code, refused.errors) == (2, [f"kgmill: --errors {tmp_path}/nowhere/errors.html: no such folder"])


def test_sets_of_a_training_are_scored_one_by_one(run, tiny_model, tiny_sentences, tmp_path):
    """With a training's configuration each of its dev sets has scores of its own, under the ontology's labels."""
    (tmp_path / "t.toml").write_text(
        f'train = "{tiny_sentences}"\n'
        f'[[dev]]\nname = "whole"\nfiles = "{tiny_sentences}"\n'
        f'[[dev]]\nname = "people"\nfiles = "{tiny_sentences}"\nlabels = {{ Org = "", Loc = "" }}\ntypes = ["Peop"]\n'
    )
    done = run("evaluate", "--model", tiny_model, "--config", tmp_path / "t.toml", "--json")
    found = json.loads(done.out)
    assert [sorted(found[name]["entities"]["strict"]["by_type"]) for name in found] == [
        ["Loc", "Org", "Peop"],
        ["Peop"],
    ]
    assert found["people"]["not_counted"]["entities"] > 0

    shown = run("evaluate", "--model", tiny_model, "--config", tmp_path / "t.toml").out.splitlines()
    assert [line for line in shown if line in ("whole", "people")] == ["whole", "people"]
    assert run("evaluate", "--model", tiny_model).errors == ["kgmill: wanted --data or --config"]
    (tmp_path / "t.toml").write_text(f'train = "{tiny_sentences}"\n')
    assert run("evaluate", "--model", tiny_model, "--config", tmp_path / "t.toml").errors == [
        f"kgmill: {tmp_path / 't.toml'}: names no set under `dev`"
    ]
