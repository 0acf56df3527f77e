"""What the tests of the flows share: the command line in this process, one warm worker, one finished build."""

import contextlib
import io
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kgmill.flows import cli
from kgmill.pipelines import building
from kgmill.pipelines.engine.worker import Worker

TEXTS = {
    "a.txt": "Ada Byron worked for Acme Corp in Paris . The weather in Oslo was cold .",
    "letters/b.txt": "Bob Stone lives in London .\n\nAda Byron worked for Acme Corp in Paris .\n",
    "c.jsonl": "".join(
        json.dumps({"id": n, "title": f"Report {n}", "text": text, "year": 1900 + n}) + "\n"
        for n, text in enumerate(
            [
                "Carl May killed Dora Lane in Rome .",
                "Carl May killed Dora Lane in Rome . Bob Stone lives in London .",
                *(f"The weather in Oslo was cold . Report {n} says so ." for n in range(12)),
            ]
        )
    ),
}
N_DOCUMENTS, N_SENTENCES = 16, 31


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code, what it printed, its lines on standard error, and its progress."""

    code: int
    out: str
    errors: list[str]
    progress: list[dict[str, Any]]


@pytest.fixture(scope="session")
def worker():
    """One child for all builds of these tests: importing torch takes longer than such a build."""
    with Worker() as worker:
        yield worker


@pytest.fixture(scope="session")
def kgmill(worker, tiny_model):
    """Runs a command line in this process; builds take the tiny model unless told otherwise, and no Prefect.

    Their dataset is called kg, so that folders of different names have equal bytes.
    """

    def kgmill(*arguments):
        command = [str(argument) for argument in arguments]
        if command[0] in ("build", "ingest", "extract", "decode", "aggregate", "export", "plan", "schedule"):
            for option, value in (("--model", tiny_model), ("--dataset", "kg")):
                command += [option, str(value)] if option not in command else []
        if command[0] == "build":
            command += ["--no-prefect"]
        out, errors = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            patch.setattr(building, "Worker", lambda **limits: contextlib.nullcontext(worker))
            code = cli.run(command)
        lines = errors.getvalue().splitlines()
        progress = [json.loads(line) for line in lines if line.startswith("{")]
        return Done(code, out.getvalue(), [line for line in lines if not line.startswith("{")], progress)

    return kgmill


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """A corpus of text files and JSON lines in which every document is good. Only read."""
    folder = tmp_path_factory.mktemp("source")
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@dataclass(frozen=True)
class Build:
    """A finished build: its folder and how the command ended."""

    folder: Path
    done: Done


@pytest.fixture(scope="session")
def first(kgmill, source, tmp_path_factory):
    """The corpus, built once. Only read."""
    folder = tmp_path_factory.mktemp("first") / "out"
    done = kgmill("build", source, "--out", folder)
    assert (done.code, done.errors) == (0, [])
    return Build(folder, done)


@pytest.fixture
def copy(first, tmp_path):
    """A copy of the finished build that a test may change."""
    return Path(shutil.copytree(first.folder, tmp_path / "copy"))


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own: a function that mounts or remounts it with options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting is not permitted here")
        return folder

    if not Path("/bin/mount").exists():
        pytest.skip("there is no /bin/mount here")
    yield mount
    subprocess.run(["/bin/umount", folder], capture_output=True, check=False)


@pytest.fixture(autouse=True)
def no_prefect_server(monkeypatch, tmp_path_factory):
    """Whoever runs the tests, no Prefect API is configured."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path_factory.getbasetemp() / "prefect"))
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE"):
        monkeypatch.delenv(name, raising=False)


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


@pytest.fixture
def data(tmp_path):
    """A DyGIE file with annotations that no sentence can hold."""
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(DOCUMENT) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def unused(data):
    """The lines that commands say of it."""
    return [f"kgmill: not used: {line.format(data=data)}" for line in (CROSSING, OUTSIDE)]
