"""What README.md and examples/ promise is there, is understood, and runs."""

import re
from pathlib import Path

import pytest

from kgmill.extractor.data.annotated import check_types
from kgmill.extractor.data.readers import read_annotated
from kgmill.extractor.neural.checkpoint import encoder_source
from kgmill.schemas.decisions import Decisions
from kgmill.schemas.ontology import load_ontology
from kgmill.schemas.training import TrainConfig

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", re.findall(r"^make (\w[\w-]*)", README, re.MULTILINE))
def test_readme_make_target_exists(target):
    """The Makefile has each target that the README names."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("folder", re.findall(r"^    (\w+)/      *\S", README, re.MULTILINE))
def test_readme_file_tree_exists(folder):
    """Each folder of the README's file tree is there."""
    assert (ROOT / folder).is_dir()


def test_readme_is_short():
    """It says what kgmill is, and where to go; the handbook says the rest."""
    assert len(README.splitlines()) <= 120


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


def test_index_of_decisions_has_each_of_them():
    """Every decision has a row with its number, title, date and status; no row is of none."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    rows = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \| \d{4}-\d\d-\d\d \| .+ \|$", index, re.MULTILINE)
    files = sorted(folder.glob("0*.md"))
    assert [(name, f"# {number} {title}") for number, name, title in rows] == [
        (file.name, file.read_text().partition("\n")[0]) for file in files
    ]
