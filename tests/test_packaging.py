"""What is installed: one package, whose rooms have names that others use too; plain, or with extras."""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import kgmill
from kgmill.flows.commands import find, lines
from kgmill.schemas.extras import EXTRAS

ROOMS = ("schemas", "extractor", "pipelines", "flows")
ROOT = Path(__file__).resolve().parent.parent
NEVER_IN_AN_SDIST = re.compile(r"models/.*(?<!/README\.md)|\.gitignore|kgmill/(schemas|extractor|pipelines|flows)")
LICENCES = ("LICENSE", "NOTICE", "extractor/models/default/LICENSE", "pipelines/report/assets/cytoscape.LICENSE")
MADE_BY_SETUPTOOLS = ("PKG-INFO", "setup.cfg", "kgmill.egg-info/")


def python(*arguments, cwd):
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"
    }  # Prefect's tests set it
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_users_project_has_folders_of_the_rooms_names(tmp_path):
    """A script beside folders called schemas, extractor, pipelines and flows imports these and ours."""
    for name in ROOMS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"mine = {name!r}\n")
    (tmp_path / "script.py").write_text(
        "import schemas, extractor, pipelines, flows\n"
        "import kgmill.schemas.records, kgmill.extractor.candidates, kgmill.pipelines.building, kgmill.flows.cli\n"
        "print(schemas.mine, extractor.mine, pipelines.mine, flows.mine, kgmill.pipelines.building.NAMES[0])\n"
    )

    assert python("script.py", cwd=tmp_path) == "schemas extractor pipelines flows ingest\n"


def test_rooms_are_not_importable_by_their_bare_names(tmp_path):
    """The environment gains one name, kgmill, and not four that others use."""
    code = f"import importlib.util as u; print([n for n in {ROOMS!r} if u.find_spec(n)])"

    assert python("-P", "-c", code, cwd=tmp_path) == "[]\n"


def test_package_runs_as_the_command(tmp_path):
    """`python -m kgmill` is the command kgmill."""
    assert python("-m", "kgmill", "--version", cwd=tmp_path) == f"kgmill {kgmill.__version__}\n"


# Extras


@cache
def asked_for():
    """What kgmill asks for, as setup.py of this tree says it: by extra, the base under an empty name."""
    code = (
        "import json, setuptools, sys; kept = {}\n"
        "setuptools.setup = lambda **given: kept.update(given)\n"
        "exec(compile(open('setup.py').read(), 'setup.py', 'exec'), {'__file__': 'setup.py', '__name__': 'setup'})\n"
        "print(json.dumps({'': kept['install_requires']} | kept['extras_require']))"
    )
    return {
        name: [Requirement(one) for one in wanted] for name, wanted in json.loads(python("-c", code, cwd=ROOT)).items()
    }


@cache
def brought_by(*extras):
    """The names of the distributions of this environment that kgmill with these extras brings, and theirs."""
    brought, todo = set(), [one for extra in ("", *extras) for one in asked_for()[extra]]
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name == "kgmill":
            todo += [one for extra in wanted.extras for one in asked_for()[extra]]
            continue
        if (name, *sorted(wanted.extras)) in brought:
            continue
        brought.add((name, *sorted(wanted.extras)))
        try:
            texts = distribution(name).requires or ()
        except PackageNotFoundError:  # of another system, or of an extra of an extra
            continue
        needed = [Requirement(text) for text in texts]
        todo += [
            one
            for one in needed
            if not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras))
        ]
    return {name for name, *_ in brought}


@cache
def modules_of(names):
    """The top-level modules that only distributions of these names bring."""
    return {
        module
        for module, bringers in packages_distributions().items()
        if {canonicalize_name(name) for name in bringers} <= names
    }


def lacking_in_plain():
    """The top-level modules of this environment that plain kgmill would not bring."""
    everything = frozenset(canonicalize_name(name) for names in packages_distributions().values() for name in names)
    return modules_of(everything - brought_by() - {"kgmill"})


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_modules_of_an_extra_are_those_that_setup_brings(extra):
    """Each distribution that setup.py lists for an extra has a module by which its absence is seen."""
    taken_in = [one for wanted in asked_for()[extra] for inner in wanted.extras for one in asked_for()[inner]]
    listed = {canonicalize_name(one.name) for one in (*asked_for()[extra], *taken_in)} - {"kgmill"}
    bringers = packages_distributions()

    assert {canonicalize_name(bringers[module][0]) for module in EXTRAS[extra]} == listed


def test_every_extra_is_known_or_for_developers():
    """What only developers install is asked for by no command."""
    assert set(asked_for()) - {"", "dev", "docs"} == set(EXTRAS)


PLAIN = """\
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import PathFinder
from io import StringIO

lacking, asked = json.loads(sys.argv[1])


class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in lacking else super().find_spec(name, path, target)


sys.meta_path = [Plain if finder is PathFinder else finder for finder in sys.meta_path]
from kgmill.flows.cli import run

for line in asked:
    out, errors = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = run(line)
    print(json.dumps([line, code, out.getvalue(), errors.getvalue()]))
"""


@pytest.fixture(scope="module")
def in_plain(tmp_path_factory):
    """Runs command lines in one process in which what plain kgmill doesn't bring can't be imported."""

    def in_plain(*asked):
        folder = tmp_path_factory.mktemp("plain")
        told = python("-c", PLAIN, json.dumps([sorted(lacking_in_plain()), asked]), cwd=folder)
        return [tuple(json.loads(line)[1:]) for line in told.splitlines()]

    return in_plain


def test_plain_lacks_what_it_should():
    """The list of refused modules is no empty one: Beam, Prefect and their like are on it, torch is not."""
    lacking = lacking_in_plain()
    assert {"apache_beam", "grpc", "prefect", "trafilatura", "rapidfuzz", "botocore", "tensorboard"} <= lacking
    assert not {"torch", "transformers", "pyarrow", "rdflib", "pyoxigraph", "typer", "kgmill"} & lacking


def test_commands_that_need_an_extra_name_it_in_plain(in_plain):
    """Each that says it needs one: one line, exit code 2; its help is printed all the same."""
    needy = {name: command for name in lines() if (command := find(name)) and command.needs}
    arguments = {"resolve": ["kg"], "forget": ["kg", "d"], "explain": ["kg", "d"], "worker": []}
    usual, served = ["corpus", "--out", "kg"], ["corpus", "--out", "kg", "--every", "60"]
    asked = {name: [name, *arguments.get(name, served if name == "schedule" else usual)] for name in needy}
    del asked["load"]  # which needs httpx alone, and that comes with the libraries of the model

    found = in_plain(*asked.values(), *([name, "--help"] for name in needy))

    shown = dict(zip(asked, found, strict=False))
    assert set(shown) >= {"build", "plan", "ingest", "extract", "decode", "aggregate", "export", "schedule", "explain"}
    for name, (code, out, errors) in shown.items():
        extra = {"schedule": "prefect", "worker": "flink"}.get(name, "build")
        assert (code, out) == (2, ""), name
        assert re.fullmatch(rf"kgmill: {name}: needs [^\n]* more: pip install 'kgmill\[{extra}\]'\n", errors), errors
    assert [(code, "Usage: kgmill" in out) for code, out, _ in found[len(asked) :]] == [(0, True)] * len(needy)


def test_plain_commands_run_in_plain(in_plain):
    """Help, completion, a prediction, and data to look at."""
    sentences = str(ROOT / "examples/annotated/dev.json")
    overview, completion, predicted, counted = in_plain(
        ["--help"],
        ["--show-completion", "bash"],
        ["predict", "--text", "Marie Curie lived in Paris."],
        ["stats", sentences],
    )

    assert (overview[0], "build" in overview[1]) == (0, True)
    assert (completion[0], "_KGMILL_COMPLETE" in completion[1]) == (0, True)
    assert [one["text"] for one in json.loads(predicted[1])["mentions"]] == ["Marie Curie", "Paris"]
    assert counted[1].startswith("31 sentences")


def test_modules_that_read_a_build_are_importable_in_plain(tmp_path):
    """The Python API of a finished build, its report, and what loads it; building says what it needs."""
    code = (
        PLAIN.partition("from kgmill")[0]
        + """
import kgmill.pipelines.networks, kgmill.pipelines.built, kgmill.pipelines.output.upkeep
import kgmill.pipelines.report.report, kgmill.pipelines.report.drift, kgmill.pipelines.report.runs
import kgmill.pipelines.triplestores.query
try:
    from kgmill.pipelines import build
except ImportError as error:
    print(error)
"""
    )
    told = python("-c", code, json.dumps([sorted(lacking_in_plain()), []]), cwd=tmp_path)
    assert re.fullmatch(r"kgmill\.pipelines\.build: needs .* more: pip install 'kgmill\[build\]'\n", told)


# Distributions


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The sdist of this tree, and the wheel that is made of it, not of the tree; neither asks a network."""
    if not (ROOT / ".git").exists():
        pytest.skip("no clone, but an sdist that was unpacked")
    folder = tmp_path_factory.mktemp("made")
    code = "import setuptools.build_meta as b, sys; getattr(b, sys.argv[1])(sys.argv[2])"
    tree = folder / "tree"
    tree.mkdir()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            (tree / name).symlink_to((ROOT / name).readlink())
        elif (ROOT / name).is_file():
            os.link(ROOT / name, tree / name)
    python("-W", "ignore", "-c", code, "build_sdist", str(folder), cwd=tree)
    [sdist] = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as file:
        file.extractall(folder, filter="data")
    python("-W", "ignore", "-c", code, "build_wheel", str(folder), cwd=folder / sdist.name.removesuffix(".tar.gz"))
    [wheel] = folder.glob("*.whl")
    names = {name for name in listed.stdout.decode().split("\0") if name}
    return sdist, wheel, names


@pytest.fixture(scope="module")
def environment(made, tmp_path_factory):
    """Makes an environment of the wheel and what it brings with some extras, as links to what is installed here."""

    def environment(*extras):
        folder = tmp_path_factory.mktemp("environment")
        python("-m", "venv", "--without-pip", str(folder), cwd=folder)
        [packages] = folder.glob("lib/python*/site-packages")
        for name in brought_by(*extras):
            for file in distribution(name).files or ():
                if ".." not in file.parts and file.suffix != ".pyc":
                    (packages / file).parent.mkdir(parents=True, exist_ok=True)
                    (packages / file).symlink_to(file.locate())
        python(
            "-m", "pip", "--python", str(folder), "install", "--no-index", "--no-deps", "-q", str(made[1]), cwd=folder
        )
        return folder / "bin" / "kgmill"

    return environment


def run(*command, cwd):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KGMILL", "PREFECT"))}
    return subprocess.run([*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True)


@pytest.mark.slow
def test_sdist_has_all_of_the_repository(made):
    """All but the two large models and the links that a build makes folders of; and nothing else."""
    with tarfile.open(made[0]) as file:
        packed = {member.name.partition("/")[2] for member in file if member.isfile()}

    assert {name for name in made[2] if not NEVER_IN_AN_SDIST.fullmatch(name)} == {
        name for name in packed if not name.startswith(MADE_BY_SETUPTOOLS)
    }


@pytest.mark.slow
def test_demo_of_the_wheel_in_empty_environments(environment, tmp_path):
    """With [build] it builds the sample corpus that it brings; plain it asks and reads that, and builds nothing."""
    building, plain = environment("build"), environment()
    assert run(building, "init", "sample", "--sample", cwd=tmp_path).returncode == 0

    built = run(building, "build", "sample/corpus", "--out", "demo", "--no-prefect", cwd=tmp_path)

    assert (built.returncode, built.stderr.count("Traceback")) == (0, 0), built.stderr
    asked = run(plain, "query", "demo", "@sample/new-jersey.rq", cwd=tmp_path)
    assert (asked.returncode, asked.stdout.splitlines()[-1]) == (0, "22 rows"), asked.stderr
    for command in (["report", "demo"], ["runs", "demo"], ["gc", "demo"], ["doctor", "--out", "demo"]):
        assert run(plain, *command, cwd=tmp_path).returncode == 0, command
    code = (
        "import kgmill.extractor.training.train; from kgmill.pipelines import load_graph, open_build; "
        "print(open_build('demo').n_facts, load_graph('demo').size())"
    )
    read = run(plain.with_name("python"), "-c", code, cwd=tmp_path)
    assert re.fullmatch(r"\d{3,4} \d{3,4}\n", read.stdout), read.stderr
    refused = run(plain, "build", "sample/corpus", "--out", "demo", cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.slow
def test_wheel_says_what_it_is_and_brings_its_licences(made):
    """The licences of code, weights and Cytoscape.js, each with its text; the Pythons that were tried; the extras."""
    with zipfile.ZipFile(made[1]) as wheel:
        [info] = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
        said = message_from_bytes(wheel.read(f"{info}/METADATA"))
        texts = {name: wheel.read(f"{info}/licenses/{name}").decode() for name in said.get_all("License-File")}

    assert said["License-Expression"] == "Apache-2.0 AND CC-BY-SA-4.0 AND MIT"
    assert "Attribution-ShareAlike 4.0 International" in texts["extractor/models/default/LICENSE"]
    assert "Cytoscape Consortium" in texts["pipelines/report/assets/cytoscape.LICENSE"]
    assert set(texts) == {*LICENCES}
    pythons = [one.rpartition(" ")[2] for one in said.get_all("Classifier") if "Python :: 3." in one]
    assert (pythons, said["Requires-Python"]) == (["3.11", "3.12", "3.13"], ">=3.11")
    assert set(said.get_all("Provides-Extra")) == {*EXTRAS, "dev", "docs"}
