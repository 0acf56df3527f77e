"""Changes: the difference of two graphs, as N-Quads and as SPARQL Update."""

import gzip

import pyoxigraph
import pytest

from kgmill.pipelines.graph import difference
from kgmill.pipelines.graph.gzipped import write_gzip
from kgmill.pipelines.graph.lines import iri, literal, quad
from kgmill.pipelines.stages import changes
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.units import Unit


@pytest.fixture
def member(store):
    """Commits a member of a graph."""

    def member(unit, *lines):
        folder = store.scratch()
        counts = {"quads": write_gzip(folder / "quads.nq.gz", lines)}
        return store.commit("export", unit, fingerprint([unit, lines]), folder, counts)

    return member


def line(number, text="x", graph="a:g"):
    return quad(iri(f"a:{number}"), iri("a:p"), literal(text), iri(graph))


def units(found):
    return [([part.unit for part in old], [part.unit for part in new]) for old, new in found]


def unzipped(path):
    return gzip.decompress(path.read_bytes()).decode()


def test_members_with_equal_bytes_are_not_compared(member):
    """A member that has the same lines under another fingerprint costs nothing."""
    old = [member("doc-00-0000", line(1)), member("kg-00-0000", line(2))]
    new = [member("doc-00-0000", line(1)), member("kg-00-0000", line(3))]
    assert units(changes.groups(old, new)) == [(["kg-00-0000"], ["kg-00-0000"])]


def test_members_of_another_cutting_are_compared_by_hash(member):
    """Units that were cut finer or coarser stand beside those that they share hashes with; kinds never meet."""
    old = [member("provenance", line(0)), *(member(f"doc-{Unit(1, n)!s}", line(n)) for n in range(2))]
    new = [member(f"doc-{Unit(2, n)!s}", line(n, "new")) for n in range(4)]
    assert units(changes.groups(old, new)) == [
        (["doc-01-0000"], ["doc-02-0000", "doc-02-0001"]),
        (["doc-01-0001"], ["doc-02-0002", "doc-02-0003"]),
        (["provenance"], []),
    ]


def test_changes_are_written_and_counted(member, tmp_path):
    """Added and removed quads are files of their own, without date or name inside."""
    old, new = [member("kg-00-0000", line(1), line(2))], [member("kg-00-0000", line(2), line(3), line(4))]
    assert changes.write_changes(tmp_path, old, new) == {"added_quads": 2, "removed_quads": 1}
    assert (unzipped(tmp_path / changes.ADDED), unzipped(tmp_path / changes.REMOVED)) == (line(3) + line(4), line(1))
    assert [(tmp_path / name).read_bytes()[3:8] for name in (changes.ADDED, changes.UPDATE)] == [bytes(5), bytes(5)]


HOSTILE = (
    "\\u0041",
    "C:\\users\\U00000041",
    '"}} ; DROP ALL #',
    "\n\r\t\x00\x1f\x7f",
    "\\\\u0042\\",
    "\u2028é😀\ufffe",
)


def test_update_turns_one_graph_into_the_other(member, tmp_path, monkeypatch):
    """A store that holds the old quads has the new ones after the update, whatever the texts; in blocks of two."""
    monkeypatch.setattr(difference, "QUADS_A_BLOCK", 2)
    old = [line(n, text, f"a:g{n % 2}") for n, text in enumerate(HOSTILE)]
    new = [line(n, text[::-1], f"a:g{n % 2}") for n, text in enumerate(HOSTILE)] + old[:2]
    changes.write_changes(tmp_path, [member("kg-00-0000", *old)], [member("kg-00-0000", *new)])
    graph = pyoxigraph.Store()
    graph.load("".join(old).encode(), pyoxigraph.RdfFormat.N_QUADS)
    update = unzipped(tmp_path / changes.UPDATE)
    assert (update.count("DELETE DATA"), update.count("INSERT DATA")) == (2, 3)
    graph.update(update)
    assert set(graph) == set(pyoxigraph.parse("".join(new).encode(), pyoxigraph.RdfFormat.N_QUADS))


def test_equal_graphs_leave_nothing(store, run, member):
    """Where no quad changed no part is committed, and the receipt says 0."""
    old, new = member("doc-00-0000", line(1)), member("doc-01-0000", line(1))
    before, after = (((part.unit, part.fingerprint),) for part in (old, new))
    task = changes.Task(changes.UNIT, "k" * 64, before, after)
    receipt = run(store, "changes", [task], changes.Settings("r"))[changes.UNIT]
    assert receipt.counts == {"added_quads": 0, "removed_quads": 0}
    assert store.find("changes", changes.UNIT, "k" * 64) is None
