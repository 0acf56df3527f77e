"""Names of outputs."""

from pathlib import Path

import pytest

from kgmill.schemas.errors import OutputError
from kgmill.schemas.paths import local_path


@pytest.mark.parametrize("name", ["out", "./a/b", "/data/out", "s3", "s3:out", "a:/b"])
def test_paths_are_paths(name):
    """What is no URL is a path."""
    assert local_path(name) == Path(name)


@pytest.mark.parametrize("name", ["s3://bucket/out", "gs://b", "file:///data/out", "abfs+x://c@d/e", "HTTPS://a/b"])
def test_urls_are_refused(name):
    """A URL of any scheme is refused with its name."""
    line = f"^{name.replace('+', '[+]')}: only sources can be URLs; an output is a folder, "
    with pytest.raises(OutputError, match=line):
        local_path(name)


def test_empty_name_is_refused():
    """An empty name is not the current folder."""
    with pytest.raises(OutputError, match=r"^the name of the output is empty; give a folder$"):
        local_path("")
