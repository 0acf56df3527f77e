"""The error tree."""

import pytest

from kgmill.schemas import errors
from kgmill.schemas.errors import KgmillError, RecordError


@pytest.mark.parametrize(
    ("name", "exit_code"),
    [
        ("ConfigError", 2),
        ("OntologyError", 2),
        ("SourceError", 2),
        ("OutputError", 2),
        ("DataError", 2),
        ("CheckpointError", 2),
        ("LockError", 1),
        ("CorruptPartError", 1),
        ("DiskError", 1),
        ("StoreError", 1),
        ("WorkerError", 1),
        ("TooManyRejectsError", 3),
    ],
)
def test_exit_codes(name, exit_code):
    """Each error that ends a run has the exit code of the contract."""
    error = getattr(errors, name)("why")

    assert error.exit_code == exit_code
    assert isinstance(error, KgmillError)


def test_record_error_ends_no_run():
    """A bad record is no error of the run, and keeps its countable reason."""
    error = RecordError("malformed_json", "wanted an object, got a list")

    assert not isinstance(error, KgmillError)
    assert error.reason == "malformed_json"
    assert str(error) == "malformed_json: wanted an object, got a list"


def test_disk_error_names_the_file_or_else_the_output():
    """The system's words, the file where it names one, and the way out."""
    hint = "free some space and build again: it goes on from the last committed work unit"
    for error, place in ((OSError(28, "full", "/out/a"), "/out/a"), (OSError(28, "Arrow: [errno 28] full"), "/out")):
        assert str(errors.DiskError.of(error, "/out")) == f"{place}: No space left on device; {hint}"


def test_line_of_an_error_moves_no_terminal():
    """An error is one line, whatever the names in it hold."""
    assert str(KgmillError("a\x1b]0;mine\x07\n.txt: gone")) == "a\\x1b]0;mine\\x07\\n.txt: gone"
