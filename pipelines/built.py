"""A finished build, to be read: its ledger, its tables, its graph. docs/data.md has the tables, column by column.

from kgmill.pipelines import open_build, read_table

built = open_build("DIR")
print(built.documents["kept"], built.n_facts)
print(built.facts().to_pandas())
read_table("DIR", "entities", ["label", "type"])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import finished_run
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.errors import OutputError, UsageError
from kgmill.schemas.tables import PUBLISHED

if TYPE_CHECKING:
    import networkx as nx
    import pyarrow as pa
    import pyarrow.dataset as ds


def open_build(out: str | Path) -> Built:
    """A finished build, to be read.

    Raises:
        UsageError: there is none, or the last run there didn't finish.
    """
    store = Store(out)
    return Built(store.where, finished_run(store))


def read_table(out: str | Path, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """A table of a finished build, or some of its columns; see `Built.table`.

    Raises:
        UsageError: there is no finished build, or no such table or column.
    """
    return open_build(out).table(name, columns)


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build.

    Attributes:
        out: its place: a whole path, or a URL.
        ledger: what run.json says.
    """

    out: str
    ledger: Mapping[str, Any] = field(repr=False)

    @property
    def status(self) -> str:
        """`done`."""
        return str(self.ledger["status"])

    @property
    def documents(self) -> Mapping[str, int]:
        """How many were read, kept, rejected, reused, added, changed and removed."""
        return dict(self.ledger["documents"])

    @property
    def rejects(self) -> Mapping[str, int]:
        """How many documents were rejected, by reason."""
        return dict(self.ledger["rejects"])

    @property
    def n_entities(self) -> int:
        """Entities of the graph."""
        return int(self.ledger["graph"]["entities"])

    @property
    def n_facts(self) -> int:
        """Facts of the graph, those that are not asserted too."""
        return int(self.ledger["graph"]["facts"])

    @property
    def graph_file(self) -> str:
        """The place of graph.nq.gz, the whole dataset."""
        return Store(self.out).storage.place(f"{layout.GRAPH}/{layout.NQUADS}")

    @property
    def table_files(self) -> dict[str, str]:
        """By table the pattern that its Parquet files have, as DuckDB, polars and Spark read it."""
        place = Store(self.out).storage.place
        return {name: place(f"{layout.TABLES}/{name}/*.parquet") for name in PUBLISHED}

    def dataset(self, name: str) -> ds.Dataset:
        """A table as a pyarrow dataset, of which only what is asked for is read; for what is larger than memory.

        Raises:
            UsageError: there is no such table.
            OutputError: it has the columns of an earlier kgmill.
        """
        if name not in PUBLISHED:
            raise UsageError(f"no table {name!r}; there are {', '.join(PUBLISHED)}")
        found = Store(self.out).storage.dataset(f"{layout.TABLES}/{name}")
        if lacking := [column for column in PUBLISHED[name].names if column not in found.schema.names]:
            raise OutputError(
                f"{self.out}/{layout.TABLES}/{name}: of an earlier kgmill, without {', '.join(lacking)}; "
                f"run kgmill build SOURCE... --out {self.out}, which writes it anew and asks the model for nothing"
            )
        return found

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A table, or some of its columns, in memory; `.to_pandas()` makes a data frame of it.

        Raises:
            UsageError: there is no such table, or it has no such column.
        """
        dataset = self.dataset(name)
        if unknown := sorted({*(columns or ())} - {*dataset.schema.names}):
            raise UsageError(f"table {name}: no columns {unknown}; there are {', '.join(dataset.schema.names)}")
        return dataset.to_table(columns=None if columns is None else list(columns))

    def facts(self) -> pa.Table:
        """The table `facts`, the surest first."""
        return self.table("facts").sort_by([("confidence", "descending"), ("fact_id", "ascending")])

    def load_graph(self, **choice: Any) -> nx.MultiDiGraph[str]:
        """The graph as NetworkX has it, or what is chosen of it; see `kgmill.pipelines.load_graph`."""
        from kgmill.pipelines.networks import load_graph

        graph: nx.MultiDiGraph[str] = load_graph(self.out, **choice)
        return graph

    def __repr__(self) -> str:
        n_kept, out = self.documents["kept"], self.out
        return f"<Built {out}: documents {n_kept}, entities {self.n_entities}, facts {self.n_facts}>"
