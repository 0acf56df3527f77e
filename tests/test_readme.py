"""What README.md and examples/ promise is there, is understood, and runs."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from kgmill.extractor.data.annotated import check_types
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.neural.checkpoint import encoder_source
from kgmill.flows import cli
from kgmill.flows.commands import find
from kgmill.flows.parser import parse
from kgmill.schemas.decisions import Decisions
from kgmill.schemas.ontology import load_ontology
from kgmill.schemas.training import TrainConfig

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    \.venv/bin/kgmill (.+)$", README, re.MULTILINE)


def test_readme_has_commands():
    """There are commands to check."""
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_command_is_understood(command):
    """The parser takes each command of the README."""
    name, *arguments = shlex.split(command)
    call = parse(find(name), arguments, ())
    assert call.func.__name__ == name


@pytest.mark.parametrize("target", re.findall(r"^    make (\w[\w-]*)", README, re.MULTILINE))
def test_readme_make_target_exists(target):
    """The Makefile has each target that the README names."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("folder", re.findall(r"^    (\w+)/      *\S", README, re.MULTILINE))
def test_readme_file_tree_exists(folder):
    """Each folder of the README's file tree is there."""
    assert (ROOT / folder).is_dir()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", README))
def test_readme_link_leads_somewhere(link):
    """Each relative link of the README leads to a file."""
    assert link.startswith("https://") or (ROOT / link).exists()


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*.ontology.toml")), ids=lambda p: p.name)
def test_example_ontology_loads(path):
    """Each ontology in examples/ is valid."""
    assert load_ontology(path).entities


def test_example_decisions_load():
    """The decisions in examples/ are ones."""
    assert Decisions.load(ROOT / "examples/decisions.toml").same


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(ROOT.glob("examples/*.toml")) if ".ontology" not in p.name and p.stem != "decisions"],
    ids=lambda p: p.name,
)
def test_example_training_configuration_loads(path):
    """Each training configuration in examples/ is valid, and its ontology is there."""
    assert (ROOT / TrainConfig.load(path, {}).ontology).is_file()


@pytest.mark.parametrize("name", ["general", "general-start"])
def test_labels_of_the_general_sets_are_types(name):
    """What the sets' labels mean, and what is complete besides, are names of the general ontology."""
    config = TrainConfig.load(ROOT / f"examples/{name}.toml", {})
    ontology = load_ontology(ROOT / config.ontology)
    maps = [config.labels, *(one.labels for one in (*config.train_sets, *config.dev_sets))]
    meant = {m for labels in maps for value in labels.values() for m in ((value,) if isinstance(value, str) else value)}
    meant |= {kind for one in config.train_sets for kind in one.more_types}
    assert {m.removeprefix("-") for m in meant if m} <= {*ontology.entities, *ontology.relations}


def test_sample_corpus_is_as_promised():
    """The sample corpus has the 66 documents that the README speaks of, all of them UTF-8 and not empty."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "examples/corpus").glob("*.txt")]
    assert len(texts) == 66
    assert all(text.strip() for text in texts)


def test_small_set_is_as_promised():
    """The small annotated set has the sentences that its README speaks of, all types often, and dev is not in train."""
    ontology = load_ontology(ROOT / "examples/small.ontology.toml")
    train, dev = (read_annotated([str(ROOT / f"examples/annotated/{name}.json")], "spert") for name in ("train", "dev"))
    check_types([*train, *dev], ontology, "examples/annotated")
    pairs = [
        ontology.allowed[ontology.entity_names.index(s.entities[r.head].type)][
            ontology.entity_names.index(s.entities[r.tail].type)
        ][ontology.relation_names.index(r.type)]
        for s in (*train, *dev)
        for r in s.relations
    ]
    seen = {s.words for s in train}
    assert (len(train), len(dev)) == (98, 31)
    assert all(pairs)
    assert {r.type for s in dev for r in s.relations} == set(ontology.relation_names)
    assert not [s.words for s in dev if s.words in seen]


def test_default_encoder_is_installed():
    """The encoder that a training takes by default, and the small one does, is a folder of an installed package."""
    config = TrainConfig.load(ROOT / "examples" / "small.toml", {})
    assert config.encoder == TrainConfig.model_fields["encoder"].default
    assert (Path(encoder_source(config.encoder)) / "config.json").is_file()


def test_commands_of_your_own_model_run(tmp_path, monkeypatch, capsys, tiny_encoder):
    """Each command of the section "Your own model" runs where nothing but this repository is there.

    Only the encoder is another, which learns 98 sentences by heart in seconds; dev has them too, so that enough of it
    is found for a calibration.
    """
    section = README.partition("## Your own model")[2].partition("\n## ")[0]
    commands = re.findall(r"^    \.venv/bin/kgmill (.+)$", section, re.MULTILINE)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    config, dev = tmp_path / "examples" / "small.toml", tmp_path / "examples" / "annotated" / "dev.json"
    quick = "epochs = 16\nlearning_rate = 3e-3\nhead_learning_rate = 1e-2\nmax_span_width = 4\ndropout = 0.0\n"
    replaced = r"(?m)^(epochs|learning_rate|head_learning_rate|dev_every) = .*\n"
    said = re.sub(replaced, "", config.read_text(encoding="utf-8"))
    config.write_text(f'encoder = "{tiny_encoder}"\n{quick}{said}', encoding="utf-8")
    sentences = [*json.loads(dev.read_text()), *json.loads(dev.with_name("train.json").read_text())]
    dev.write_text(json.dumps(sentences), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    run = [command for command in commands if not command.startswith("build ")]  # needs a corpus; the demo builds one
    codes = {command: cli.run(shlex.split(command)) for command in run}

    names = ["debug", "stats", "train", "evaluate", "calibrate", "convert", "predict"]
    assert [command.split()[0] for command in run] == names
    assert codes == dict.fromkeys(run, 0)
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["calibrated", "small"]
    assert len((tmp_path / "dev.jsonl").read_text(encoding="utf-8").splitlines()) == 129
    printed = capsys.readouterr()
    assert "kgmill: 98 of 129 sentences were in this model's training data" in printed.err.splitlines()
    mentions = json.loads(printed.out.splitlines()[-1])["mentions"]
    assert [m["text"] for m in mentions][:1] == ["Marie Curie"]


def test_index_of_decisions_has_each_of_them():
    """Every decision has a row with its number, title, date and status; no row is of none."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    rows = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \| \d{4}-\d\d-\d\d \| .+ \|$", index, re.MULTILINE)
    files = sorted(folder.glob("0*.md"))
    assert [(name, f"# {number} {title}") for number, name, title in rows] == [
        (file.name, file.read_text().partition("\n")[0]) for file in files
    ]
