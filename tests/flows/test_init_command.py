"""What `kgmill init` writes is what a build and a training take, as it is."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from kgmill.extractor.data.annotated import check_types
from kgmill.extractor.data.readers import read_annotated
from kgmill.flows.scaffold import build_text, ontology_text, parse_types
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.ontology import load_ontology
from kgmill.schemas.training import TrainConfig

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TYPES = (
    "--types",
    "Person,Company,Work of art",
    "--relations",
    "works_for:Person>Company,made:Person|Company>Work of art",
)


def test_configuration_is_the_default(tmp_path):
    """As it is, and with every key taken out of its comment."""
    (tmp_path / "a.toml").write_text(build_text())
    (tmp_path / "b.toml").write_text(re.sub(r"^#(\w+ = )", r"\1", build_text(), flags=re.MULTILINE))
    assert BuildConfig.load(tmp_path / "a.toml", {}) == BuildConfig()
    assert BuildConfig.load(tmp_path / "b.toml", {}) == BuildConfig()
    said = set(tomllib.loads((tmp_path / "b.toml").read_text()))
    assert said == set(BuildConfig.model_fields)


def test_types_make_an_ontology_and_a_training(kgmill, tmp_path):
    """The training's files are there, and its sentences are of the ontology."""
    done = kgmill("init", tmp_path / "new", *TYPES)
    assert (done.code, done.errors) == (0, [])
    config = TrainConfig.load(tmp_path / "new" / "train.toml", {})
    ontology = load_ontology(tmp_path / "new" / "ontology.toml")
    assert (config.ontology, ontology) == (str(tmp_path / "new" / "ontology.toml"), parse_types(TYPES[1], [TYPES[3]]))
    assert ontology.relations["made"].head == ("Person", "Company")
    sentences = read_annotated(list(config.train_files), config.format)
    check_types(sentences, ontology, "train.json")
    assert {r.type for s in sentences for r in s.relations} == {"works_for", "made"}


def test_annotated_corpus_makes_an_ontology(kgmill, tiny_sentences, tmp_path):
    """Its types, and which of them each relation joins."""
    done = kgmill("init", tmp_path / "new", "--from", tiny_sentences, "--json")
    written = json.loads(done.out)["written"]
    assert [path.rpartition("/")[2] for path in written] == ["kgmill.toml", "train.toml", "ontology.toml"]
    ontology = load_ontology(tmp_path / "new" / "ontology.toml")
    assert (set(ontology.entities), ontology.relations["Kill"].tail) == ({"Peop", "Org", "Loc"}, ("Peop",))
    assert TrainConfig.load(tmp_path / "new" / "train.toml", {}).train_files == (str(tiny_sentences),)


def test_training_as_it_is_written_trains(kgmill, tmp_path, tiny_encoder):
    """The command that init names ends with a model; an encoder of two layers stands in for the default model."""
    assert kgmill("init", tmp_path / "new", *TYPES).code == 0
    text = (tmp_path / "new" / "train.toml").read_text().replace('start = "default"', f'encoder = "{tiny_encoder}"')
    (tmp_path / "new" / "train.toml").write_text(text)
    assert kgmill("train", tmp_path / "new" / "train.toml", "--set", "epochs=1").code == 0
    assert (tmp_path / "new" / "model" / "model.safetensors").is_file()


def test_build_takes_the_configuration(kgmill, source, first, tmp_path):
    """A plan by it, over what was built by the defaults, has nothing to do."""
    assert kgmill("init", tmp_path / "new").code == 0
    done = kgmill("plan", source, "--out", first.folder, "--config", tmp_path / "new" / "kgmill.toml", "--json")
    assert (done.code, json.loads(done.out)["changed_settings"]) == (0, [])


def test_nothing_is_overwritten(kgmill, tmp_path):
    """One file that is there keeps all others from being written."""
    (tmp_path / "train.toml").write_text("mine")
    done = kgmill("init", tmp_path, *TYPES)
    assert (done.code, done.errors) == (
        2,
        [f"kgmill: {tmp_path}/train.toml: there already; give another folder, or move it away"],
    )
    assert [path.name for path in tmp_path.iterdir()] == ["train.toml"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--relations", "a:B>C"), "--relations goes with --types"),
        (("--types", "A", "--from", "x.json"), "--types and --from exclude one another"),
        (("--types", " , "), "--types: wanted names with commas between them, such as Person,Company"),
        (
            ("--types", "A", "--relations", "a-b"),
            "--relations a-b: wanted NAME:HEAD>TAIL, such as works_for:Person>Company",
        ),
        (("--types", "A", "--relations", "r:A>B"), "--relations r:A>B: B is not among --types A"),
    ],
)
def test_wrong_types_are_refused(kgmill, tmp_path, options, line):
    """In one line, and nothing is written."""
    done = kgmill("init", tmp_path / "new", *options)
    assert (done.code, done.errors) == (2, [f"kgmill: {line}"])
    assert not (tmp_path / "new").exists()


def test_names_of_any_kind_come_back(tmp_path):
    """Quotes, brackets and other scripts in a type's name survive being written."""
    ontology = parse_types('Größe "x",作品,a]b', ["r=1:作品>a]b"])
    (tmp_path / "o.toml").write_text(ontology_text(ontology), encoding="utf-8")
    assert load_ontology(tmp_path / "o.toml") == ontology


def test_sample_is_the_corpus_of_the_examples(kgmill, tmp_path):
    """All of its documents, byte for byte, and the question; a second time nothing is overwritten."""
    done = kgmill("init", tmp_path / "sample", "--sample")
    written = {path.name: path.read_bytes() for path in (tmp_path / "sample" / "corpus").iterdir()}
    assert (done.code, len(written)) == (0, 66)
    assert written == {path.name: path.read_bytes() for path in (EXAMPLES / "corpus").iterdir()}
    assert (tmp_path / "sample" / "new-jersey.rq").read_bytes() == (EXAMPLES / "new-jersey.rq").read_bytes()
    assert f"kgmill build {tmp_path}/sample/corpus --out demo" in done.out
    assert kgmill("init", tmp_path / "sample", "--sample").code == 2
