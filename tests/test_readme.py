"""What README.md and examples/ promise is there and is understood."""

import re
import shlex
from pathlib import Path

import pytest

from flows.cli import parser
from schemas.config import TrainConfig
from schemas.ontology import load_ontology

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    \.venv/bin/kgmill (.+)$", README, re.MULTILINE)


def test_readme_has_commands():
    """There are commands to check."""
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_command_is_understood(command):
    """The parser takes each command of the README."""
    options = parser().parse_args(shlex.split(command))
    assert command.split()[0] == options.command


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


@pytest.mark.parametrize(
    "path", [p for p in sorted(ROOT.glob("examples/*.toml")) if ".ontology" not in p.name], ids=lambda p: p.name
)
def test_example_training_configuration_loads(path):
    """Each training configuration in examples/ is valid, and its ontology is there."""
    assert (ROOT / TrainConfig.load(path, {}).ontology).is_file()


def test_sample_corpus_is_as_promised():
    """The sample corpus has the 66 documents that the README speaks of, all of them UTF-8 and not empty."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "examples/corpus").glob("*.txt")]
    assert len(texts) == 66
    assert all(text.strip() for text in texts)
