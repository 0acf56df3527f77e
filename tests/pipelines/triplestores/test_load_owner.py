"""Whose the graphs of a store are, and what a load may remove."""

import hashlib
import json

import pytest
from store_builds import FACTS, FIRST, GRAPHS, KG, SECOND, E, V, make_build, quads

from kgmill.pipelines.triplestores.claim import Wishes
from kgmill.pipelines.triplestores.load import load
from kgmill.schemas.errors import UsageError, VanishError

OTHER = {f"{KG}doc/other": [f"<{E}a> <{V}b> <{E}c> .\n"], FACTS: [f"<{E}a> <{V}b> <{E}c> .\n"]}


@pytest.fixture
def second(tmp_path):
    """Another output folder, whose dataset has the same name."""
    make_build(tmp_path / "second", OTHER)
    return tmp_path / "second"


def test_another_corpus_is_not_deleted(build, second, endpoint, dump, proxy):
    """Two folders with one name of the dataset: the second load stops before it writes anything."""
    load(build, endpoint)
    with pytest.raises(UsageError) as error:
        load(second, proxy.url)
    owner = (build / "load" / "owner").read_text().strip()
    assert str(error.value) == (
        f"{proxy.url}: 6 graphs under <{KG}> were loaded by another output folder (owner {owner}), such as <{SECOND}>; "
        "nothing was changed: give this dataset another name (--dataset NAME of kgmill build), or say --prune to "
        "remove them"
    )
    assert (proxy.writes(), dump()) == ([], sorted(quads(GRAPHS)))


def test_prune_takes_a_name_over(build, second, endpoint, dump):
    """With --prune the other folder's graphs leave, and the name is this folder's from then on."""
    load(build, endpoint)
    assert load(second, endpoint, wishes=Wishes(prune=True)).n_removed == 4
    assert dump() == sorted(quads(OTHER))
    assert load(second, endpoint).n_unchanged == 2
    with pytest.raises(UsageError, match="were loaded by another output folder"):
        load(build, endpoint)


def test_name_that_comes_back_is_loaded_whole(build, second, endpoint, dump):
    """What this folder loaded before another one had the name is not taken for what is there."""
    twin = {iri: [line.replace("London", "Londons") for line in lines] for iri, lines in GRAPHS.items()}
    make_build(second, twin)
    load(build, endpoint)
    load(second, endpoint, wishes=Wishes(prune=True))
    load(build, endpoint, wishes=Wishes(prune=True))
    assert dump() == sorted(quads(GRAPHS))


def test_graphs_that_nobody_claims_are_not_deleted(build, endpoint, update, dump):
    """A graph under the dataset's name without an owner stops a first load, and goes with --prune."""
    update(f"INSERT DATA {{ GRAPH <{KG}doc/mine> {{ <{E}x> <{V}y> <{E}z> }} }}")
    with pytest.raises(
        UsageError, match=rf"1 graphs under <{KG}> were loaded by something else .* such as <{KG}doc/mine>"
    ):
        load(build, endpoint)
    assert len(dump()) == 1
    assert load(build, endpoint, wishes=Wishes(prune=True)).n_removed == 1
    assert dump() == sorted(quads(GRAPHS))


def test_stranger_among_our_graphs_is_not_deleted(build, endpoint, update, dump):
    """A graph that this folder never loaded stops a load though all others are its own."""
    load(build, endpoint)
    update(f"INSERT DATA {{ GRAPH <{KG}doc/mine> {{ <{E}x> <{V}y> <{E}z> }} }}")
    with pytest.raises(UsageError, match=r"1 graphs under .* were loaded by something else than this folder"):
        load(build, endpoint)
    load(build, endpoint, wishes=Wishes(prune=True))
    assert dump() == sorted(quads(GRAPHS))


def test_our_graphs_are_ours_at_another_url(build, proxy, endpoint, dump):
    """What was loaded under one URL of the store is known under another one."""
    load(build, proxy.url)
    graphs = {iri: lines for iri, lines in GRAPHS.items() if iri != FIRST}
    make_build(build, graphs)
    assert load(build, endpoint, wishes=Wishes(yes=True)).n_removed == 1
    assert dump() == sorted(quads(graphs))


def test_many_documents_do_not_leave_unasked(build, endpoint, dump, proxy):
    """More than a fifth of the documents leave with --yes only."""
    load(build, endpoint)
    make_build(build, {iri: lines for iri, lines in GRAPHS.items() if iri != FIRST})
    with pytest.raises(VanishError, match=r"1 of 2 documents would leave the store, more than 20%; .* say --yes"):
        load(build, proxy.url)
    assert proxy.writes() == []
    assert load(build, endpoint, wishes=Wishes(yes=True)).n_removed == 1


def test_a_fifth_of_the_documents_may_leave(build, endpoint):
    """One of five is no more than a fifth."""
    graphs = GRAPHS | {f"{KG}doc/{n}": GRAPHS[SECOND] for n in "abc"}
    make_build(build, graphs)
    load(build, endpoint)
    make_build(build, {iri: lines for iri, lines in graphs.items() if iri != FIRST})
    assert load(build, endpoint).n_removed == 1


def test_owner_is_of_the_folder(build, second, endpoint, update):
    """The id is random, made once, and in no file of the graph."""
    load(build, endpoint)
    owner = (build / "load" / "owner").read_text()
    load(build, endpoint)
    update("DROP ALL")
    load(second, endpoint)
    assert (len(owner), (build / "load" / "owner").read_text()) == (33, owner)
    assert owner != (second / "load" / "owner").read_text()


# Stores that kgmill 0.1.0 loaded


def old_graphs(prefix):
    """What kgmill 0.1.0 wrote: facts in graphs of their own by hash, and no graph that says whose they are."""
    return {
        f"{prefix}provenance/1a2b": [f"<{E}run> <{V}b> <{E}c> .\n"],
        f"{prefix}kg/00": [f"<{E}ada> <{V}Live_In> <{E}london> .\n"],
        f"{prefix}kg/ff": [f'<{E}london> <http://www.w3.org/2000/01/rdf-schema#label> "London" .\n'],
        f"{prefix}doc/d2": [f'<{E}m3> <{V}anchorOf> "Lon\\"don" .\n'],
    }


@pytest.fixture
def loaded_by_old(endpoint, build, update):
    """Puts graphs into the store as kgmill 0.1.0 did, and into the folder's journal."""

    def loaded_by_old(prefix, journal_of=endpoint):
        graphs = old_graphs(prefix)
        update("".join(f"INSERT DATA {{ GRAPH <{iri}> {{ {''.join(lines)} }} }} ;" for iri, lines in graphs.items()))
        journal = {iri: hashlib.sha256("".join(sorted(lines)).encode()).hexdigest() for iri, lines in graphs.items()}
        (build / "load").mkdir()
        name = hashlib.sha256(journal_of.encode()).hexdigest()[:16]
        (build / "load" / f"{name}.json").write_text(json.dumps(journal, indent=0, sort_keys=True))
        return graphs

    return loaded_by_old


def test_old_store_is_adopted(build, endpoint, loaded_by_old, dump):
    """What the journal proves to be this folder's is taken over, and its old graphs leave."""
    graphs = loaded_by_old(KG)
    with pytest.raises(
        UsageError, match=r"4 graphs under .* say --adopt if kgmill 0\.1\.0 loaded them from this folder"
    ):
        load(build, endpoint)
    assert dump() == sorted(quads(graphs))
    assert load(build, endpoint, wishes=Wishes(adopt=True)).n_removed == 3
    assert dump() == sorted(quads(GRAPHS))
    assert load(build, endpoint).n_unchanged == 6


def test_old_store_that_was_changed_is_not_adopted(build, endpoint, loaded_by_old, update, dump):
    """A graph that isn't as the journal says was written by somebody else: nothing is taken over."""
    loaded_by_old(KG)
    update(f"DELETE DATA {{ GRAPH <{KG}kg/00> {{ <{E}ada> <{V}Live_In> <{E}london> }} }} ;")
    update(f"INSERT DATA {{ GRAPH <{KG}kg/00> {{ <{E}ada> <{V}Kill> <{E}london> }} }} ;")
    before = dump()
    with pytest.raises(
        UsageError, match=rf"graph <{KG}kg/00> isn't what this folder's journal says .* --prune replaces"
    ):
        load(build, endpoint, wishes=Wishes(adopt=True))
    assert dump() == before


def test_old_store_of_another_folder_is_not_adopted(build, endpoint, loaded_by_old):
    """Without an entry in the journal nothing is proven."""
    loaded_by_old(KG, journal_of="http://127.0.0.1:1")
    with pytest.raises(UsageError, match="isn't what this folder's journal says"):
        load(build, endpoint, wishes=Wishes(adopt=True))


def test_old_name_leaves_when_it_is_adopted(build, endpoint, loaded_by_old, dump):
    """Graphs under the name that the dataset had in kgmill 0.1.0 stay, with a word, until they are adopted."""
    old = "https://kg.example.org/kg/graph/"
    graphs = loaded_by_old(old)
    note = f"4 graphs that this folder loaded under <{old}> stay in the store: --adopt removes them"
    assert load(build, endpoint).note == note
    assert dump() == sorted(quads(GRAPHS | graphs))
    report = load(build, endpoint, wishes=Wishes(adopt=True))
    assert (report.n_removed, report.note) == (4, "")
    assert dump() == sorted(quads(GRAPHS))
    assert load(build, endpoint).note == ""


def test_renamed_dataset_leaves_when_it_is_adopted(build, endpoint, dump):
    """Graphs that this folder loaded under another base or name are its own, and go with --adopt."""
    load(build, endpoint)
    renamed = {iri.replace("/news/", "/press/"): lines for iri, lines in GRAPHS.items()}
    make_build(build, renamed)
    assert load(build, endpoint).note == (
        f"6 graphs that this folder loaded under <{KG}> stay in the store: --adopt removes them"
    )
    assert load(build, endpoint, wishes=Wishes(adopt=True)).n_removed == 6
    assert dump() == sorted(quads(renamed))
