"""The commands around a training: what they say of annotated data, and what they make of it."""

import json
import re
import tomllib

import pytest

from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.training.lineage import n_seen


def test_stats_convert_and_train_say_what_they_do_not_use(kgmill, data, unused, tiny_encoder, tmp_path):
    """Each says the same lines, and goes on."""
    config = tmp_path / "t.toml"
    config.write_text(
        f'encoder = "{tiny_encoder}"\ntrain = "{data}"\nformat = "dygie"\nout = "{tmp_path}/m"\nepochs = 1\n'
    )

    stats = kgmill("stats", data, "--format", "dygie")
    converted = kgmill("convert", data, tmp_path / "d.json", "--from", "dygie", "--to", "spert")
    trained = kgmill("train", config)

    assert (stats.code, stats.errors) == (0, unused)
    assert (converted.code, converted.errors) == (0, unused)
    assert (trained.code, trained.errors) == (0, unused)


def test_train_takes_settings(kgmill, tiny_sentences, tiny_encoder, tmp_path):
    """A value of the command line stands before the file's: numbers, words and lists, as TOML writes them."""
    config = tmp_path / "t.toml"
    config.write_text(f'encoder = "{tiny_encoder}"\ntrain = "{tiny_sentences}"\nout = "{tmp_path}/m"\nepochs = 30\n')

    trained = kgmill(
        *("train", config, "--set", "epochs=1", "--set", f"out={tmp_path}/other", "--set", 'languages=["en"]', "--json")
    )

    assert trained.code == 0
    said = json.loads(trained.out)
    assert (said["kept"], said["written_to"]) == (1, f"{tmp_path}/other")
    assert [one["epoch"] for one in said["epochs"]] == [1]
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
def test_wrong_settings_are_refused(kgmill, tiny_sentences, tmp_path, setting, message):
    """They are refused as they are in the file."""
    config = tmp_path / "t.toml"
    config.write_text(f'train = "{tiny_sentences}"\nout = "{tmp_path}/m"\n')

    refused = kgmill("train", config, "--set", setting)

    assert (refused.code, len(refused.errors)) == (2, 1)
    assert message in refused.errors[0]


def test_stats_say_what_is_too_wide_to_be_learnt(kgmill, tmp_path):
    """An entity of more than ten words is counted, and told: training leaves it out by default."""
    record = {"tokens": ["in"] * 12, "entities": [{"type": "A", "start": 0, "end": 11}], "relations": []}
    (tmp_path / "a.json").write_text(json.dumps([record]))

    done = kgmill("stats", tmp_path / "a.json")

    wide = f"wider than the spans of the model (first: {tmp_path}/a.json: sentence 0: entity 0:11 'A')"
    told = f"kgmill: counted, but not trained on with max_span_width = 10: 1 entity is, or joins, an entity {wide}"
    assert done.errors == [told]
    assert "A                                1" in done.out.splitlines()


def test_foreign_data_is_named(kgmill, tmp_path):
    """Data of another tool is one line and exit code 2."""
    (tmp_path / "t.conll").write_text("Ida B-PER\nleft O\n")

    done = kgmill("stats", tmp_path / "t.conll")

    assert (done.code, len(done.errors)) == (2, 1)
    assert done.errors[0].startswith(f"kgmill: {tmp_path}/t.conll: looks like columns in the manner of CoNLL: give ")


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


def test_complete(kgmill, tiny_model, partly_annotated, tmp_path):
    """The sets of a training are completed under the ontology's labels, counted, and the same each time."""
    command = ("complete", "--model", tiny_model, "--device", "cpu", "--config", partly_annotated)

    done = kgmill(*command)
    first = (tmp_path / "more" / "part.json").read_bytes()
    again = kgmill(*command)

    records = json.loads(first)
    by = [(e["type"], e.get("by", "gold")) for r in records for e in r["entities"]]
    assert (done.code, again.out) == (0, done.out)
    assert (tmp_path / "more" / "part.json").read_bytes() == first
    assert by.count(("Peop", "gold")) == 10
    assert {kind for kind, who in by if who == "completed"} == {"Loc", "Org"}
    assert [line.split() for line in done.out.splitlines() if "Peop" in line] == [["Peop", "10", "0"]]
    [doubtful] = re.findall(r"^doubtful: (\d+) spans and (\d+) pairs$", done.out, re.MULTILINE)
    [said] = json.loads(kgmill(*command, "--json").out)
    assert (said["entities"]["Peop"], said["written_to"]) == (
        {"gold": 10, "completed": 0},
        f"{tmp_path}/more/part.json",
    )
    assert said["doubtful"] == {"spans": int(doubtful[0]), "pairs": int(doubtful[1])}


def test_complete_one_file(kgmill, tiny_model, tiny_sentences, tmp_path):
    """A file alone is written to another; nothing is added where everything is annotated."""
    out = tmp_path / "out.json"

    done = kgmill("complete", "--model", tiny_model, "--data", tiny_sentences, "--out", out, "--device", "cpu")

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
def test_complete_without_a_file(kgmill, tiny_model, tmp_path, arguments, message):
    """What is missing is said."""
    config = tmp_path / "t.toml"
    config.write_text('train = "a.json"\n')
    arguments = [argument.format(config=config) for argument in arguments]

    done = kgmill("complete", "--model", tiny_model, *arguments)

    assert (done.code, done.errors) == (2, [f"kgmill: {message.format(config=config)}"])


def test_hashes_exclude(kgmill, tiny_sentences, tiny_encoder, tmp_path):
    """The list of hashes that stats writes keeps sentences out of a training."""
    records = json.loads(tiny_sentences.read_text(encoding="utf-8"))
    (tmp_path / "three.json").write_text(json.dumps(records[:3]), encoding="utf-8")
    config = tmp_path / "t.toml"
    config.write_text(f'encoder = "{tiny_encoder}"\ntrain = "{tiny_sentences}"\nout = "{tmp_path}/m"\nepochs = 1\n')

    stats = kgmill("stats", tmp_path / "three.json", "--hashes", tmp_path / "h.toml")
    trained = kgmill("train", config, "--exclude", tmp_path / "h.toml")

    assert (stats.code, trained.code) == (0, 0)
    assert trained.errors[0].startswith("kgmill: set eight_sentences: 5 sentences, 5 an epoch, ")
    assert trained.errors[0].endswith("; left out: 3 sentences in dev or excluded")
    assert n_seen(tmp_path / "m", read_annotated([str(tiny_sentences)], "spert")) == 5


def test_sets_of_a_training_are_scored_one_by_one(kgmill, tiny_model, tiny_sentences, tmp_path):
    """With a training's configuration each of its dev sets has scores of its own, under the ontology's labels."""
    (tmp_path / "t.toml").write_text(
        f'train = "{tiny_sentences}"\n'
        f'[[dev]]\nname = "whole"\nfiles = "{tiny_sentences}"\n'
        f'[[dev]]\nname = "people"\nfiles = "{tiny_sentences}"\nlabels = {{ Org = "", Loc = "" }}\ntypes = ["Peop"]\n'
    )
    done = kgmill("evaluate", "--model", tiny_model, "--config", tmp_path / "t.toml", "--json")
    found = json.loads(done.out)
    assert [sorted(found[name]["entities"]["strict"]["by_type"]) for name in found] == [
        ["Loc", "Org", "Peop"],
        ["Peop"],
    ]
    assert found["people"]["not_counted"]["entities"] > 0

    shown = kgmill("evaluate", "--model", tiny_model, "--config", tmp_path / "t.toml").out.splitlines()
    assert [line for line in shown if line in ("whole", "people")] == ["whole", "people"]
    assert kgmill("evaluate", "--model", tiny_model).errors == ["kgmill: wanted --data or --config"]
    (tmp_path / "t.toml").write_text(f'train = "{tiny_sentences}"\n')
    assert kgmill("evaluate", "--model", tiny_model, "--config", tmp_path / "t.toml").errors == [
        f"kgmill: {tmp_path / 't.toml'}: names no set under `dev`"
    ]
