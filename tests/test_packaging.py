"""What is installed: one package, whose rooms have names that a user's own project may have too."""

import os
import subprocess
import sys

import kgmill

ROOMS = ("schemas", "extractor", "pipelines", "flows")


def python(*arguments, cwd):
    environment = {
        name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"
    }  # Prefect's tests set it
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True).stdout


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
