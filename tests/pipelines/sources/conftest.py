"""What the tests of sources share."""

import pytest


@pytest.fixture
def corpus():
    """Makes files of given names below a folder, each a word or a record."""

    def corpus(folder, *names):
        """A folder with files of those names."""
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("x")
        return str(folder)

    return corpus
