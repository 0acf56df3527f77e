"""Whose the graphs of a store are: nothing is replaced or removed but what this folder is known to have loaded.

The metadata graph of a dataset in a store, `PREFIX/graph/meta`, holds the dataset's description and, beside it, what
the loader says: the id of the folder that loads it, and which graph it last loaded whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from kgmill.pipelines.graph.lines import integer, iri, literal
from kgmill.pipelines.graph.vocabulary import KGMILL
from kgmill.pipelines.triplestores.client import GraphStore
from kgmill.pipelines.triplestores.dump import in_order, prefix_of
from kgmill.pipelines.triplestores.journal import Journal
from kgmill.pipelines.triplestores.survey import Survey
from kgmill.pipelines.triplestores.transactions import LOADING
from kgmill.schemas.errors import StoreError, UsageError, VanishError

MAX_VANISHING = 0.2  # of the documents that the store has of this folder, without --yes
BETWEEN = "loading"  # what the state of a store that is being loaded begins with

_OWNER, _STATE, _FACTS = f"{KGMILL}owner", f"{KGMILL}loadedState", f"{KGMILL}loadedFacts"
_N_KG, _N_LINKS = f"{KGMILL}loadedFactTriples", f"{KGMILL}loadedLinkTriples"
_NAMES = ("g", "owner", "state", "facts", "kg", "links")


@dataclass(frozen=True, slots=True)
class Meta:
    """What a dataset's metadata graph says of its last load.

    Attributes:
        owner: the id of the folder that loads this dataset.
        state: sha256 of the graph whose load ended well; `loading` and a random number while the store is in between.
        facts: `default` where the facts are in the store's default graph, else `graph`.
        n_kg: different triples of the facts.
        n_links: different triples of the links.
    """

    owner: str
    state: str
    facts: str
    n_kg: int
    n_links: int

    def body(self, survey: Survey) -> bytes:
        """The metadata graph: the dataset's description, and this."""
        subject = iri(meta_graph(survey.prefix))
        own = (
            (_OWNER, literal(self.owner)),
            (_STATE, literal(self.state)),
            (_FACTS, literal(self.facts)),
            (_N_KG, integer(self.n_kg)),
            (_N_LINKS, integer(self.n_links)),
        )
        lines = {f"{subject} {iri(name)} {value} .\n".encode() for name, value in own}
        return in_order(iter({*survey.description.splitlines(keepends=True), *lines}))


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a load may do that it doesn't do unasked.

    Attributes:
        prune: remove what another folder, or nobody known, put under this dataset's name.
        adopt: take over what this folder's journal proves to be its own: graphs of kgmill 0.1.0, which wrote no owner,
            and graphs under a name that the dataset had before.
        yes: go on though more than a fifth of the documents would leave.
        facts: `graph`: in a named graph; `default`: in the store's default graph.
    """

    prune: bool = False
    adopt: bool = False
    yes: bool = False
    facts: str = "graph"


NO_WISHES = Wishes()


@dataclass(frozen=True, slots=True)
class Claim:
    """What may be done to the store.

    Attributes:
        leaving: graphs that are to be removed.
        is_ours: the store's metadata graph names this folder as the owner.
        note: what was left alone and might be wanted gone; empty: nothing.
    """

    leaving: list[str]
    is_ours: bool
    note: str


def meta_graph(prefix: str) -> str:
    """The metadata graph of a dataset."""
    return f"{prefix}meta"


def dataset_counts(server: GraphStore, prefix: str) -> dict[str, int]:
    """The triples of each named graph of a dataset; not those of another one whose names begin alike."""
    return {name: n for name, n in server.counts(prefix).items() if prefix_of(name) == prefix}


def read_metas(server: GraphStore) -> dict[str, Meta]:
    """What the store knows of the loads of each dataset, by the IRI of its metadata graph.

    A graph that a load died on may say two things of itself: that it is in between, and that facts may be in the
    default graph, is what counts then.
    """
    terms = zip(_NAMES[1:], (_OWNER, _STATE, _FACTS, _N_KG, _N_LINKS), strict=True)
    pattern = " ; ".join(f"<{term}> ?{name}" for name, term in terms)
    head = " ".join(f"?{name}" for name in _NAMES)
    rows = server.pages(head, f"GRAPH ?g {{ ?g {pattern} }}", _NAMES, "query for its datasets")
    metas: dict[str, Meta] = {}
    for g, owner, state, facts, kg, links in sorted(rows, key=_is_in_between):
        try:
            metas[g] = Meta(owner, state, facts, int(kg), int(links))
        except ValueError:
            raise StoreError(
                f"{server.url}: graph <{g}> says nonsense of its last load: wanted numbers of triples, got {kg!r} and "
                f"{links!r}; remove it, and run kgmill load --prune again"
            ) from None
    return metas


def _is_in_between(row: tuple[str, ...]) -> tuple[bool, bool]:
    _, _, state, facts, *_ = row
    return state.startswith(BETWEEN), facts == "default"


def claim(
    server: GraphStore,
    survey: Survey,
    counts: dict[str, int],
    metas: dict[str, Meta],
    owner: str,
    journal: Journal,
    wishes: Wishes,
) -> Claim:
    """What of the store may be replaced, and which graphs are to be removed.

    Args:
        server: the store.
        survey: what is to be loaded.
        counts: the triples of the store's graphs under the dataset's prefix.
        metas: what the store knows of its datasets.
        owner: this folder's id; empty where it has none yet.
        journal: what this folder has loaded into this store.
        wishes: what was allowed.

    Raises:
        UsageError: the store has graphs under this dataset's name that this folder didn't load.
        VanishError: more than a fifth of the documents would leave.
    """
    meta = metas.get(meta_graph(survey.prefix))
    is_ours = meta is not None and meta.owner == owner
    surplus = [name for name in sorted(counts) if name not in survey.graphs and name != meta_graph(survey.prefix)]
    known = journal.known(surplus) if is_ours and surplus else set()
    known |= {name for name in surplus if name.startswith(survey.prefix + LOADING)}  # of a load that died
    strangers = [name for name in surplus if name not in known] if is_ours else sorted(counts)
    if strangers and meta is None and wishes.adopt:
        unproven = _unproven(server, strangers, journal)
        if unproven and not wishes.prune:
            raise UsageError(
                f"{server.url}: graph <{unproven}> isn't what this folder's journal says that it loaded; nothing was "
                "changed: --prune replaces it, with all others of this dataset"
            )
        strangers = []
    elif strangers and not wishes.prune:
        raise UsageError(_strangers_line(server, survey.prefix, strangers, meta if not is_ours else None, journal))
    elif is_ours and not wishes.yes:
        _check_vanishing(survey, counts, set(surplus) - set(strangers))
    adopted, note = _earlier_names(server, survey, metas, owner, journal, wishes.adopt)
    return Claim(surplus + adopted, is_ours, note)


def _unproven(server: GraphStore, iris: Iterable[str], journal: Journal) -> str:
    """The first graph of which the store doesn't hold exactly what the journal says; empty: it holds all."""
    return next((name for name in iris if not _is_proven(server, name, journal)), "")


def _is_proven(server: GraphStore, name: str, journal: Journal) -> bool:
    promised = journal.digests.get(name)
    return bool(promised) and sha256(in_order(server.triples(name))).hexdigest() == promised


def _strangers_line(server: GraphStore, prefix: str, strangers: list[str], other: Meta | None, journal: Journal) -> str:
    who = f"another output folder (owner {other.owner})" if other else "something else than this folder"
    cures = ["give this dataset another name (--dataset NAME of kgmill build)", "say --prune to remove them"]
    if other is None and any(name in journal.digests for name in strangers):
        cures.insert(0, "say --adopt if kgmill 0.1.0 loaded them from this folder")
    return (
        f"{server.url}: {len(strangers)} graphs under <{prefix}> were loaded by {who}, such as <{strangers[0]}>; "
        f"nothing was changed: {', or '.join(cures)}"
    )


def _check_vanishing(survey: Survey, counts: dict[str, int], leaving: set[str]) -> None:
    mark = f"{survey.prefix}doc/"
    n_documents = sum(name.startswith(mark) for name in counts)
    n_leaving = sum(name.startswith(mark) for name in leaving)
    if n_leaving > MAX_VANISHING * n_documents:
        raise VanishError(
            f"{n_leaving} of {n_documents} documents would leave the store, more than {MAX_VANISHING:.0%}; "
            "if that is wanted say --yes"
        )


def _earlier_names(
    server: GraphStore, survey: Survey, metas: dict[str, Meta], owner: str, journal: Journal, adopt: bool
) -> tuple[list[str], str]:
    """Graphs that this folder put here under other names of its dataset, if they are to leave, and a line if not."""
    leaving: list[str] = []
    lines: list[str] = []
    for prefix in sorted({str(prefix_of(name)) for name in journal.digests} - {survey.prefix}):
        meta = metas.get(meta_graph(prefix))
        if meta and (meta.owner != owner or meta.facts == "default"):
            continue
        there = sorted(dataset_counts(server, prefix).keys() & journal.digests.keys())
        proven = [name for name in there if adopt and (meta or _is_proven(server, name, journal))]
        leaving += proven
        if n_left := len(there) - len(proven):
            cure = "they are not as this folder left them" if adopt else "--adopt removes them"
            lines.append(f"{n_left} graphs that this folder loaded under <{prefix}> stay in the store: {cure}")
    return leaving, "; ".join(lines)
