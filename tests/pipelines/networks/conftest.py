"""What the tests of builds as graphs share."""

import pytest
from sample_network import tables, write_output


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """The output of a build of five texts."""
    return write_output(tmp_path_factory.mktemp("networks") / "out", tables())
