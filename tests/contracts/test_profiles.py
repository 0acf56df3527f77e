"""Every kind of store that there is a profile of: fields whole, and said where people look."""

import dataclasses
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kgmill.flows import cli
from kgmill.pipelines.triplestores.client import open_server
from kgmill.pipelines.triplestores.profiles import DEFAULT_PROFILE, PROFILES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "stores.md"


@pytest.mark.parametrize("name", PROFILES)
def test_fields_are_whole(name):
    """Paths begin with a slash and end without, so that they can be put behind a base URL; parameters are plain."""
    profile = dataclasses.asdict(PROFILES[name])
    paths = [profile[field] for field in ("store", "query", "update", "quads")]
    assert re.fullmatch("[a-z0-9-]+", name)
    assert [path for path in paths if path and not re.fullmatch("(/[a-z-]+)+/?", path)] == []
    assert profile["endpoint"].startswith(("http://HOST", "https://HOST"))
    assert profile["n_rows"] >= 0
    assert min(profile[field] for field in ("n_bytes", "n_triples", "n_graphs", "timeout_s")) > 0
    for field in ("transient", "too_large", "denied"):
        re.compile(profile[field])
    assert re.fullmatch("[a-z-]+", profile["graph"])


@pytest.mark.parametrize("name", PROFILES)
def test_endpoint_is_known_by_each_of_its_paths(name):
    """A base URL, with a slash behind it, or the URL of any of the store's services are the same store."""
    profile, base = replace(PROFILES[name], auth="basic"), "http://127.0.0.1:7878/some"
    found = set()
    for path in ("", "/", profile.store, profile.query, profile.update):
        with open_server(f"{base}{path or ''}", profile) as server:
            found.add(server.url)
    assert found == {base}


def test_default_is_one_of_them():
    """A load without a profile is one into a kind of store that there is."""
    assert DEFAULT_PROFILE in PROFILES


def test_help_and_handbook_name_all(capsys):
    """`kgmill load --help` and the table in docs/stores.md have a kind of store as soon as the table has."""
    assert cli.run(["load", "--help"]) == 0
    told = capsys.readouterr().out
    assert [name for name in PROFILES if not re.search(rf"\b{re.escape(name)}[,;]", told)] == []
    table = PAGE.read_text(encoding="utf-8").partition("| profile | endpoint |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| ([a-z0-9-]+) \|", table, re.MULTILINE)) == sorted(PROFILES)
