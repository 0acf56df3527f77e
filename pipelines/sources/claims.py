"""Who has an id: the first record of the sources, unless a document of an earlier run came from another file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kgmill.schemas.records import Reject


class Claim(NamedTuple):
    """A document that has an id: its source, and the hash of its text."""

    source: str
    sha256: str


class Claims:
    """The ids of a corpus while it is read.

    Attributes:
        carried: the documents of earlier runs that stay unless they are read again, by id.
    """

    def __init__(self, carried: Mapping[str, Claim]) -> None:
        self.carried = carried
        self._taken: dict[str, Claim] = {}

    def claim(self, doc_id: str, file: str, claim: Claim) -> Reject | None:
        """Gives the id to a record that was read from that file; or says why it can't have it."""
        holder = self._taken.get(doc_id)
        if holder is None:
            holder = self.carried.get(doc_id)
            if holder is None or lies_in(holder.source, file):  # the same file again: its new version counts
                self._taken[doc_id] = claim
                return None
        if holder.sha256 == claim.sha256:
            return Reject("ingest", claim.source, doc_id, "duplicate", f"{holder.source} has the same id and text")
        cure = '[source] id_prefix = "file" keeps both'
        if lies_in(holder.source, file):
            cure = '[source.fields] id = "" names records by their texts'
        detail = f"the id was taken by {holder.source}; {cure}"
        return Reject("ingest", claim.source, doc_id, "duplicate_id", detail)

    def is_taken(self, doc_id: str) -> bool:
        """Whether a record that was read has the id."""
        return doc_id in self._taken


def lies_in(source: str, file: str) -> bool:
    """Whether a document's source is the file of that name, or a record or member of it.

    >>> [lies_in(source, "a.zip") for source in ("a.zip", "a.zip:7", "a.zip!b.csv:2", "a.zip.txt")]
    [True, True, True, False]
    """
    return source == file or source.startswith((f"{file}:", f"{file}!"))
