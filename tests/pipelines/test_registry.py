"""Registries: what the files of a package define."""

import pytest

from kgmill.pipelines.registry import things_of


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Makes a package of files; returns its name."""

    def package(name, **files):
        (tmp_path / name).mkdir()
        for file, code in {"__init__": "", **files}.items():
            (tmp_path / name / f"{file}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        return name

    return package


def test_things_are_found_by_the_names_of_files(package):
    """In the order of their names; nobody lists them."""
    name = package("found_things", n_quads="THING = 2", csv="THING = 1")
    assert list(things_of(name, "THING", int).items()) == [("csv", 1), ("n-quads", 2)]


@pytest.mark.parametrize("code", ["", "THING = '1'"])
def test_file_without_the_thing_is_an_error(package, code):
    """A misspelt name or another kind isn't passed over: the file would be looked for in vain."""
    name = package(f"bad_things_{len(code)}", csv=code)
    with pytest.raises(TypeError, match=f"{name}.csv: wanted THING, which is int, in each file of {name}"):
        things_of(name, "THING", int)
