"""Loads a finished build into a triple store, which then holds exactly that; repeatable without duplicates.

The graphs of documents and the other small ones are replaced whole where the journal doesn't know them as loaded. `kg`
and `links`, which are of the whole dataset, get the exact difference: as the runs since the last load recorded it or,
where that isn't known or doesn't lead to the right counts, by comparing what the store has with what it should have.
A request is a transaction over many of them: see `kgmill.pipelines.triplestores.transactions`.

The metadata graph is written first and last: until a load has ended and the counts were found right it names no graph,
so that a load that dies half-way is found by the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kgmill.pipelines.triplestores.claim import (
    BETWEEN,
    NO_WISHES,
    Meta,
    Wishes,
    claim,
    dataset_counts,
    meta_graph,
    read_metas,
)
from kgmill.pipelines.triplestores.client import GraphStore, open_server
from kgmill.pipelines.triplestores.detect import profile_for
from kgmill.pipelines.triplestores.job import LoadJob, LoadReport
from kgmill.pipelines.triplestores.journal import Journal, make_owner, read_owner
from kgmill.pipelines.triplestores.profiles import DEFAULT_PROFILE
from kgmill.pipelines.triplestores.query import finished_graph
from kgmill.pipelines.triplestores.survey import Survey, survey
from kgmill.schemas.config import is_default_base
from kgmill.schemas.errors import UsageError


def load(
    folder: Path,
    endpoint: str,
    profile: str = DEFAULT_PROFILE,
    *,
    wishes: Wishes = NO_WISHES,
    ca_file: Path | None = None,
    on_progress: Callable[[int, int], object] = lambda _done, _total: None,
) -> LoadReport:
    """Makes a triple store hold exactly the named graphs of a finished build, and checks that it does.

    A login, if the store wants one, comes from the environment: see `kgmill.pipelines.triplestores.login`.

    Args:
        folder: the output folder of a build.
        endpoint: the store's base URL, such as http://127.0.0.1:7878, or its graph store URL, such as .../store.
        profile: the kind of store, a name of `profiles.PROFILES`; `auto`: what answers; or a TOML file's name.
        wishes: what it may do that it doesn't do unasked.
        ca_file: certificates, as PEM, of who may vouch for an https server; None: those that the web trusts.
        on_progress: called with the number of quads that are done and of all quads.

    Raises:
        UsageError: no finished build, a graph file that isn't of one dataset, a wrong endpoint, profile or login, or
            graphs in the store that another folder loaded; nothing was changed.
        CorruptPartError: the graph isn't the one that run.json promises.
        StoreError: the store doesn't answer, refuses a request, or holds something else after the load.
        OutputError: the journal can't be written.
    """
    path, sha256 = finished_graph(folder)
    kind = profile_for(profile, endpoint, ca_file)
    with path.open("rb") as file, open_server(endpoint, kind, ca_file) as server:
        if wishes.facts == "default" and not server.profile.has_default_graph:
            raise UsageError(
                f"a store of profile {profile} has no default graph of its own: what is asked without GRAPH is asked "
                "of all graphs; load without --facts default"
            )
        found = survey(folder, file, path, sha256)
        _check_base(found.prefix, server, folder)
        counts, metas = dataset_counts(server, found.prefix), read_metas(server)
        journal, owner = Journal(folder, server.url), read_owner(folder)
        allowed = claim(server, found, counts, metas, owner, journal, wishes)
        before = _last_load(metas.get(meta_graph(found.prefix)), is_ours=allowed.is_ours)
        n_default = _check_facts(server, found, metas, before, wishes)
        before = replace(before, owner=make_owner(folder))
        job = LoadJob(folder, file, found, server, journal, before, wishes.facts, on_progress)
        return job.run(counts, n_default, allowed)


def _last_load(meta: Meta | None, *, is_ours: bool) -> Meta:
    """What the store says of the last load, without a state that this folder could go on from if it isn't ours."""
    if meta is None:
        return Meta("", "", "graph", 0, 0)
    return meta if is_ours else replace(meta, state="")


def _check_base(prefix: str, server: GraphStore, folder: Path) -> None:
    if is_default_base(prefix) and not server.is_local:
        raise UsageError(
            f"the graph's names begin with urn:kgmill:dataset:, which nobody else can look up, and {server.url} is "
            f"another machine; give them a base of your own with `kgmill export {folder} --base-iri IRI` (it calls no "
            "model), then load"
        )


def _check_facts(server: GraphStore, found: Survey, metas: dict[str, Meta], before: Meta, wishes: Wishes) -> int:
    """The number of triples of the store's default graph, if the facts are there or are to be there; else 0."""
    if "default" not in (wishes.facts, before.facts):
        return 0
    others = sorted(metas.keys() - {meta_graph(found.prefix)})
    if wishes.facts == "default" and others:
        raise UsageError(
            f"{server.url}: holds another dataset too, <{others[0]}>, and two can't share the default graph; "
            "load without --facts default"
        )
    n_default = server.count(None)
    n_ours = before.n_kg if before.facts == "default" else 0
    is_between = before.facts == "default" and before.state.startswith(BETWEEN)
    if n_default > n_ours and not (is_between or wishes.prune):
        raise UsageError(
            f"{server.url}: its default graph holds {n_default} triples, {n_ours} of them loaded from this folder; "
            "nothing was changed: load without --facts default, or say --prune to remove the others (a server whose "
            "default graph is the union of all graphs needs no --facts default)"
        )
    return n_default
