"""The commands of README.md and of the handbook are understood; those of the pages that one follows are run."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from kgmill.flows.commands import find
from kgmill.flows.parser import parse

from .page import KGMILL, ROOT, Workspace, blocks

FOLLOWED = ("README.md", "docs/tutorial.md", "docs/schema.md")
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
PICTURES = ("docs/report-entity.png", "docs/report-overview.png", "docs/report-charts.png")


def commands(page):
    """Each line of a page's code that is one whole command line of kgmill, without a `...` for what went before."""
    line = r"^(?:    kgmill|(?:    )?\.venv/bin/kgmill) ([a-z]+(?: .*[^\\\n])?)$"
    code = re.findall(line, (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    return [line.partition("  ")[0] for line in code if "|" not in line.partition("'")[0] and " ... " not in line]


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    """The width that the pages' output has."""
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder in which the tutorial was followed up to its first build."""
    workspace = Workspace(tmp_path_factory.mktemp("pages") / "checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        workspace.follow(blocks("docs/tutorial.md")[:2])
    return workspace.folder


@pytest.fixture
def workspace(tmp_path, request):
    """A folder to follow a page in, with the tutorial's first build where a test wants `built`."""
    folder = tmp_path / "checkout"
    if "built" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("built"), folder, symlinks=True)
    workspace = Workspace(folder)
    yield workspace
    workspace.stop()


@pytest.mark.parametrize(("page", "command"), [(page, command) for page in PAGES for command in commands(page)])
def test_command_is_understood(page, command):
    """The parser takes each command of each page."""
    name, *arguments = shlex.split(command)
    own, _, beam = " ".join(map(shlex.quote, arguments)).partition(" -- ")
    assert parse(find(name), shlex.split(own), tuple(shlex.split(beam))).func.__name__ == name


@pytest.mark.parametrize("page", FOLLOWED)
def test_followed_page_has_commands(page):
    """There is something to run, and nothing of kgmill in a block that isn't."""
    lines = [line for block in blocks(page) for line in block.lines]
    assert [line for line in lines if line.startswith(KGMILL)]
    assert "```bash" not in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.slow
def test_tutorial_is_followed(workspace, built):
    """From the corpus to the store and back again, each command prints what the page says; the store is a real one."""
    workspace.follow(blocks("docs/tutorial.md")[2:])


@pytest.mark.slow
def test_readme_is_followed(workspace, built):
    """What the README asks after `make demo` has the answer that it shows."""
    asked = [block for block in blocks("README.md") if not block.lines[0].startswith("make ")]
    workspace.follow(asked)
    assert len(asked) == 1


def schema_blocks(*, quick):
    """The blocks of docs/schema.md about a model of your own, which is trained, and those about an ontology."""
    before, _, _ = (ROOT / "docs/schema.md").read_text(encoding="utf-8").partition("## A model of your own")
    n_before = before.count("```sh")
    return blocks("docs/schema.md")[n_before:] if quick else blocks("docs/schema.md")[:n_before]


@pytest.mark.slow
def test_ontology_of_your_own_decides_anew(workspace):
    """Another ontology renames a property, and on the same text calls no model."""
    workspace.follow(schema_blocks(quick=False))


@pytest.mark.slow
def test_model_of_your_own_is_trained_and_builds(workspace, tiny_encoder, capsys):
    """Each command of "A model of your own" runs where nothing but this repository is there, and so does its Python.

    Only the encoder is another, which learns 98 sentences by heart in seconds; dev has them too, so that enough of it
    is found for a calibration.
    """
    examples = workspace.folder / "examples"
    config, dev = examples / "small.toml", examples / "annotated" / "dev.json"
    quick = "epochs = 16\nlearning_rate = 3e-3\nhead_learning_rate = 1e-2\nmax_span_width = 4\ndropout = 0.0\n"
    said = re.sub(r"(?m)^(epochs|learning_rate|head_learning_rate|dev_every) = .*\n", "", config.read_text())
    config.write_text(f'encoder = "{tiny_encoder}"\n{quick}{said}', encoding="utf-8")
    sentences = [*json.loads(dev.read_text()), *json.loads(dev.with_name("train.json").read_text())]
    dev.write_text(json.dumps(sentences), encoding="utf-8")
    run = schema_blocks(quick=True)

    printed = [workspace.run(block) for block in run]

    names = [line.split()[1] for block in run for line in block.lines]
    assert names == ["init", "debug", "stats", "train", "evaluate", "calibrate", "build", "predict", "convert"]
    assert sorted(path.name for path in (workspace.folder / "models").iterdir()) == ["calibrated", "small"]
    assert len((workspace.folder / "dev.jsonl").read_text(encoding="utf-8").splitlines()) == 129
    assert "6 documents read = 6 kept + 0 rejected" in printed[3]
    mentions = json.loads(printed[3].splitlines()[-1])["mentions"]
    assert [m["text"] for m in mentions][:1] == ["Marie Curie"]
    (python,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/schema.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(python.replace('"models/', f'"{workspace.folder}/models/'), {})  # noqa: S102 - the page's own code
    assert "Marie Curie" in capsys.readouterr().out


@pytest.mark.parametrize("picture", PICTURES)
def test_picture_is_small_and_shown(picture):
    """Each picture of the report is on a page, and under 150 KB."""
    assert (ROOT / picture).stat().st_size < 150_000
    assert Path(picture).name in (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
