"""The error tree. A leaf says what happens next: stop with a code, reject one record, or try again.

KgmillError                 the run stops with one line; exit code 1
|-- UsageError              nothing was touched; exit code 2
|   |-- ConfigError         a configuration file or flag
|   |-- OntologyError       an ontology file
|   |-- SourceError         a corpus that can't be read at all
|   |-- OutputError         an output that can't be written
|   |-- VanishError         too many documents would leave the graph
|   |-- DataError           annotated data
|   |-- MissingExtraError   what was asked for needs packages that plain kgmill doesn't bring
|   `-- CheckpointError     a model folder
|-- LockError               somebody else is building the same output
|-- CorruptPartError        a committed file no longer matches its checksum
|-- DiskError               the output's disk is full, read-only or failing
|-- StorageError            the storage of an output refused or didn't answer
|-- EngineError             an engine (Flink) refused, didn't answer, or has no room
|-- StoreError              a triple store refused or didn't answer
|-- ServerError             a Prefect server refused or didn't answer
|-- HubError                a hub of models refused or didn't answer
|-- TimeLimitError          what was asked took longer than it may
|-- CheckError              what was to be checked is not in order
|-- WorkerError             the worker process died: it is started again, a few times
`-- TooManyRejectsError     the build finished, with rejects above the ratio; exit code 3
RecordError                 one record is bad: it goes to the rejects table, the run goes on
"""

from __future__ import annotations

import errno
import os

from kgmill.schemas.text import printable


class KgmillError(Exception):
    """The run can't go on. The message is one line that names the place and the way out."""

    exit_code = 1

    def __str__(self) -> str:
        """The line, in which names of files and text of the corpus can't reach a terminal as commands."""
        return printable(super().__str__())


class UsageError(KgmillError):
    """The command, configuration, source, output or checkpoint is wrong; nothing was touched."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file or flag is wrong."""


class OntologyError(UsageError):
    """An ontology file is wrong."""


class SourceError(UsageError):
    """A source is missing, or holds no document at all."""


class OutputError(UsageError):
    """The output folder can't be used."""


class VanishError(UsageError):
    """More documents would leave the graph than a change of the sources explains."""


class DataError(UsageError):
    """Annotated data doesn't have the form that its format asks for."""


class MissingExtraError(UsageError, ImportError):
    """What was asked for needs packages of an extra (`kgmill.schemas.extras`); the message says how to install it."""


class CheckpointError(UsageError):
    """A model folder is missing, damaged, or of another schema."""


class LockError(KgmillError):
    """Another process holds the output folder."""


class CorruptPartError(KgmillError):
    """A committed file is missing or no longer has the bytes that its manifest promises."""


class DiskError(KgmillError):
    """A file of the output could not be written or read."""

    @staticmethod
    def of(error: OSError, place: object) -> DiskError:
        """The one line for what the system said; `place` names the output where the error names no file."""
        hint = DISK_HINTS.get(error.errno or 0, "")
        return DiskError(f"{error.filename or place}: {os.strerror(error.errno) if error.errno else error}{hint}")


DISK_HINTS = {
    errno.ENOSPC: "; free some space and build again: it goes on from the last committed work unit",
    errno.EDQUOT: "; free some space and build again: it goes on from the last committed work unit",
    errno.EFBIG: "; allow larger files (ulimit -f) and build again: it goes on from the last committed work unit",
    errno.EROFS: "; make it writable and build again: it goes on from the last committed work unit",
}


class StorageError(KgmillError):
    """The storage that an output lies in refused, or didn't answer."""


class EngineError(KgmillError):
    """An engine, or its workers, refused, didn't answer, or had no room."""


class StoreError(KgmillError):
    """A triple store is down, or refused a request."""


class ServerError(KgmillError):
    """A Prefect server is down, or refused a request."""


class HubError(KgmillError):
    """A hub of models is down, or refused a request."""


class TimeLimitError(KgmillError):
    """What was asked took longer than the caller allowed."""


class CheckError(KgmillError):
    """What somebody asked to have checked is not in order: an installation, annotated data."""


class WorkerError(KgmillError):
    """The worker process died or was ended.

    Attributes:
        reason: what it says of the documents that it was at: `model_crashed`, `timeout` or `out_of_memory`.
    """

    def __init__(self, message: str, reason: str = "model_crashed") -> None:
        super().__init__(message)
        self.reason = reason


class TooManyRejectsError(KgmillError):
    """The build finished, but more documents were rejected than the configuration allows."""

    exit_code = 3


class RecordError(Exception):
    """One record is bad.

    Attributes:
        reason: a short, countable name of the fault, such as `malformed_json`.
        detail: what was wanted and what came.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
