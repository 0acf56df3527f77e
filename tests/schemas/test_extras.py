"""Extras: what is missing is named, with what to run."""

import sys

import pytest

from kgmill.schemas.errors import KgmillError, MissingExtraError
from kgmill.schemas.extras import EXTRAS, absent, require, way_to_module


def test_missing_modules_are_named_by_their_extras(monkeypatch):
    """Of many modules the first three; extras that are there are not."""
    for name in EXTRAS["build"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "botocore", None)

    with pytest.raises(MissingExtraError) as error:
        require("schedule", "stores", "build", "aws")

    assert str(error.value) == (
        "schedule: needs apache_beam, cleanco, countryinfo and 10 more: pip install 'kgmill[build,aws]'"
    )
    assert error.value.exit_code == 2


def test_programs_may_take_it_for_an_import_error(monkeypatch):
    """As whoever asks for a package that may be missing does."""
    monkeypatch.setitem(sys.modules, "botocore", None)

    with pytest.raises(ImportError, match=r"^login: needs botocore: pip install 'kgmill\[aws\]'$") as error:
        require("login", "aws")

    assert isinstance(error.value, KgmillError)


def test_what_is_installed_is_asked_without_importing_it():
    """A module that can't be found is absent; one that can is not imported."""
    before = "wsgiref" in sys.modules

    assert absent(("wsgiref", "kgmill_no_such")) == ["kgmill_no_such"]
    assert ("wsgiref" in sys.modules) == before


@pytest.mark.parametrize(
    ("module", "way"), [("apache_beam", "pip install 'kgmill[build]'"), ("my_encoder", "pip install my-encoder")]
)
def test_way_to_a_module(module, way):
    """By the extra that brings it, or by its own name."""
    assert way_to_module(module) == way
