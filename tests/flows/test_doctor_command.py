"""`kgmill doctor`: what is in order, what is not, and nothing that is a secret."""

import json
import sys

import pytest

from kgmill.flows import checkup
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.config import BuildConfig


@pytest.fixture
def config(tiny_model, tmp_path):
    """A configuration of the tiny model."""
    path = tmp_path / "kgmill.toml"
    path.write_text(f'model = "{tiny_model}"\ndevice = "cpu"\n')
    return path


def checks(done):
    return {check["name"]: check for check in json.loads(done.out)["checks"]}


def test_all_that_is_here_is_in_order(kgmill, config, copy):
    """The model predicts, the output folder is free, and the table has a row each."""
    done = kgmill("doctor", "--config", config, "--out", copy, "--json")
    found = checks(done)
    assert (done.code, json.loads(done.out)["ok"], done.errors) == (0, True, [])
    assert {found[name]["level"] for name in ("Python", "model", "output folder", "lock", "Prefect")} <= {"ok", "warn"}
    assert "nobody builds there" in found["lock"]["told"]


def test_held_folder_and_dead_store_fail(kgmill, config, copy):
    """Each fault is named, the others are looked at all the same, and the exit code is 1."""
    with Store(copy).lock(clear=False):
        done = kgmill("doctor", "--config", config, "--out", copy, "--endpoint", "http://127.0.0.1:9/query")
    assert (done.code, done.errors) == (1, ["kgmill: doctor: output folder, triple store not in order"])
    assert [line.split()[0] for line in done.out.splitlines() if line.startswith(("ok", "warn", "fail"))].count(
        "fail"
    ) == 2


def test_model_that_is_not_there_fails(kgmill, tmp_path):
    """With what a build would say of it."""
    (tmp_path / "kgmill.toml").write_text(f'model = "{tmp_path}/none"\n')
    done = kgmill("doctor", "--config", tmp_path / "kgmill.toml", "--json")
    assert (done.code, checks(done)["model"]["level"]) == (1, "fail")
    assert f"{tmp_path}/none" in checks(done)["model"]["told"]


def test_secrets_are_never_told(monkeypatch):
    """Neither logins in URLs nor what a variable of a secret's name holds, whatever a look says."""
    monkeypatch.setenv("KGMILL_STORE_PASSWORD", "hunter22")
    monkeypatch.setattr(
        checkup, "_python", lambda: iter([checkup.Check("Python", "ok", "http://ada:pw@host hunter22")])
    )
    for name in ("_packages", "_gpu", "_model", "_prefect"):
        monkeypatch.setattr(checkup, name, lambda *config: iter(()))
    told = [check.told for check in checkup.check_up(BuildConfig(), "", "", "")]
    assert told[0] == "http://***@host ***"


def test_package_that_is_missing_or_of_another_version_is_named(monkeypatch):
    """By what a distribution asks for; markers of other systems and extras are none."""
    wanted = ["no-such-package>=1", "pydantic<1", 'other; extra == "dev"', "numpy>=1"]
    monkeypatch.setattr(checkup, "requires", lambda name: wanted)
    [check] = checkup._packages()
    assert (check.level, check.told.partition(" ")[0]) == ("fail", "no-such-package")
    assert "pydantic" in check.told
    assert "other" not in check.told


def test_extras_that_are_not_installed_are_named(monkeypatch):
    """With what plain kgmill can do, and how to get what a build needs; it is no fault."""
    for name in ("apache_beam", "prefect"):
        monkeypatch.setitem(sys.modules, name, None)
    [check] = checkup._extras()
    assert (check.level, check.told) == (
        "ok",
        "aws, s3, stores, tensorboard, train installed; not build, flink, prefect",
    )
    assert check.way_out == "plain kgmill predicts, queries and reads; to build: pip install 'kgmill[build]'"
