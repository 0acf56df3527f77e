"""Where the documents came from: for each name of a file the path behind it, and what the sources had besides.

A file is also known by its stamp (what changes whenever it does) and the SHA-256 of its content, so that the next build
needn't read it to see that it is still the same.

It is kept beside the live documents and not in them: paths of this machine are in no table and no graph. A build in
mode append knows by it whether a file is one that was read before. The part names the documents that it belongs to, so
that after a crash at any point the live ones have their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from kgmill.pipelines.output.parts import Part, Store
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.tables import values

_STAGE, _UNIT, _TABLE = "origins", "all", "origins"


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a file that was read; its path is empty, and no file's, where it is not known."""

    path: str
    stamp: str = ""
    sha256: str = ""


def known_origins(store: Store) -> dict[str, Origin]:
    """The origins of the names that live documents have."""
    part = _live_part(store)
    if part is not None:
        rows = part.read(_TABLE).to_pylist()
        return {row["name"]: Origin(row["origin"], row.get("stamp", ""), row.get("sha256", "")) for row in rows}
    sources = {s for part in store.live("ingest") for s in values(part.read("documents", ["source"])["source"])}
    names = {source.partition("!")[0] for source in sources} | {source.rpartition(":")[0] for source in sources}
    return dict.fromkeys(filter(None, sources | names), Origin(""))


def known_others(store: Store) -> dict[str, int]:
    """What the sources of the live documents had that was passed over, by rule."""
    part = _live_part(store)
    return dict(part.counts["others"]) if part else {}


def commit_origins(
    store: Store, ingested: Sequence[Part], origins: Mapping[str, Origin], others: Mapping[str, int]
) -> Part:
    """Commits the origins of documents that are about to be live; those before stay until it is published."""
    rows = [(name, o.path, o.stamp, o.sha256) for name, o in sorted(origins.items())]
    documents = _key([(part.unit, part.fingerprint) for part in ingested])
    counts = {"documents": documents, "others": dict(others)}
    table = pa.table([list(column) for column in zip(*rows, strict=True)] or [[]] * len(_SCHEMA), schema=_SCHEMA)
    return store.commit(_STAGE, _UNIT, fingerprint([rows, counts]), {_TABLE: table}, counts)


def publish_origins(store: Store, part: Part) -> None:
    """Makes them live; those before go."""
    store.publish(_STAGE, [part], [])


_SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("name", "origin", "stamp", "sha256")])


def _live_part(store: Store) -> Part | None:
    documents = _key(store.listed("ingest") or [])
    parts = (part for found in (store.live, store.committed) for part in found(_STAGE))
    return next((part for part in parts if part.counts["documents"] == documents), None)


def _key(parts: Sequence[tuple[str, str]]) -> str:
    return fingerprint(sorted([unit, key] for unit, key in parts))
