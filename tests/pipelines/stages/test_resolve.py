"""Resolve: the names of all units to entities, on a real Beam runner."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgmill.pipelines.stages import names, resolve
from kgmill.pipelines.stages.stage import Outcome
from kgmill.pipelines.storage.files import remove
from kgmill.schemas.decisions import Decisions
from kgmill.schemas.identity import entity_id, entity_key, fingerprint
from kgmill.schemas.records import Name
from kgmill.schemas.tables import to_table
from kgmill.schemas.units import Unit

KINDS = ("person", "organization", "place")
PEOP, ORG, LOC = range(3)


def name(text, column, n_documents=1, doubt=-2500):
    """A row of a unit's names: documents that are as good as sure of one type."""
    votes = [n_documents * (-100 if i == column else doubt) for i in range(len(KINDS))]
    return dict(zip(names.NAMES.names, (entity_key(text), column, text, n_documents, votes), strict=True))


def definition(short, long, n_documents=1):
    return dict(zip(names.DEFINITIONS.names, (entity_key(short), long, n_documents), strict=True))


@pytest.fixture
def commit(store):
    """Commits the names of units, given as rows of names and of definitions; equal content has an equal fingerprint."""

    def commit(units):
        parts = []
        for unit, rows in units.items():
            found, defined = ([row for row in rows if ("votes" in row) is is_name] for is_name in (True, False))
            tables = {
                "names": pa.Table.from_pylist(sorted(found, key=lambda r: (r["key"], r["column"])), names.NAMES),
                "definitions": pa.Table.from_pylist(defined, names.DEFINITIONS),
            }
            parts.append(store.commit("names", unit, fingerprint([unit, rows]), tables, {}))
        return parts

    return commit


@pytest.fixture
def run_resolve(run, store, commit):
    """Resolves units of names; returns their parts by unit."""

    def run_resolve(units, n_bits=0, pins=(), **others):
        named = commit(units)
        tasks = [resolve.Task(f"read-{part.unit}", part.unit, part.fingerprint, part.rows("names")) for part in named]
        tasks += [resolve.Task(f"pins-{i}", "", "", 1, str(path)) for i, path in enumerate(pins)]
        settings = resolve.Settings(KINDS, tuple(units), n_bits, **others)
        receipts = run(store, "resolve", tasks, settings)
        assert sorted(receipts) == sorted(units)
        return {unit: store.need("resolve", unit, receipt.fingerprint) for unit, receipt in receipts.items()}

    return run_resolve


def became(part):
    """What became of a unit's names, by name and type: entity, place and rule."""
    return {
        (row["key"], row["column"]): (row["entity_id"], row["place_id"], row["rule"])
        for row in part.read("resolved").to_pylist()
    }


def entities(parts):
    """The entity of each name of all units, as (unit, key, type)."""
    return {(unit, *key): found[0] for unit, part in parts.items() for key, found in became(part).items()}


def chosen(part):
    return {(row["key"], row["column"]): row["chosen"] for row in part.read("resolved").to_pylist()}


def test_names_of_two_units_are_one_entity(run_resolve):
    """Equal names of two units, and those that are joined, have one entity; each unit is told of its own names."""
    parts = run_resolve(
        {
            "01-0000": [name("Acme", ORG), name("U.S.", LOC, 3)],
            "01-0001": [name("Acme Corp.", ORG), name("United States", LOC), name("U.S.", LOC), name("Ann Lee", PEOP)],
        }
    )
    acme, us, ann = map(entity_id, ("Acme Corp.", "United States", "Ann Lee"))
    one, other = (became(parts[unit]) for unit in ("01-0000", "01-0001"))
    assert one == {("acme", ORG): (acme, acme, ""), ("u.s", LOC): (us, us, "")}
    assert other == {
        ("acme corp", ORG): (acme, acme, "form"),
        ("ann lee", PEOP): (ann, ann, ""),
        ("u.s", LOC): (us, us, ""),
        ("united states", LOC): (us, us, "country"),
    }


def test_rows_are_in_the_order_of_names(run_resolve):
    """A unit's table is sorted, and has the schema that decode reads."""
    [part] = run_resolve({"00-0000": [name(text, column) for text in "zyxab" for column in (LOC, PEOP)]}).values()
    table = part.read("resolved")
    rows = [(row["key"], row["column"]) for row in table.to_pylist()]
    assert (rows, len(rows)) == (sorted(rows), 10)
    assert table.schema.equals(resolve.RESOLVED)


def test_type_is_that_of_all_units(run_resolve):
    """A unit whose documents take a name for another thing than all others do has what all others have."""
    parts = run_resolve(
        {
            "01-0000": [name("Washington", LOC, 20)],
            "01-0001": [name("Washington", PEOP, 2), name("Washington", LOC, 1)],
        }
    )
    washington = entity_id("Washington")
    assert set(entities(parts).values()) == {washington}
    assert chosen(parts["01-0001"]) == {("washington", LOC): LOC, ("washington", PEOP): LOC}


def test_second_type_has_an_entity_of_its_own(run_resolve):
    """With enough documents a second type of a name stays, and its entity has a number and its rule."""
    parts = run_resolve(
        {
            "01-0000": [name("Washington", LOC, 6)],
            "01-0001": [name("Washington", PEOP, 4), name("Washington", ORG, 1)],
        }
    )
    place, person = entity_id("Washington"), entity_id("Washington", 2)
    assert became(parts["01-0000"]) == {("washington", LOC): (place, place, "")}
    assert became(parts["01-0001"])["washington", PEOP] == (person, person, "homonym")
    assert person == f"{place}-2"
    assert became(parts["01-0001"])["washington", ORG][0] in (place, person)
    assert chosen(parts["01-0001"])["washington", PEOP] == PEOP


def test_second_type_joins_its_own_kind(run_resolve):
    """A surname that is mostly a place's name is the person's where it is one."""
    parts = run_resolve(
        {
            "00-0000": [name("Washington", LOC, 9), name("Washington", PEOP, 4), name("George Washington", PEOP, 5)],
        }
    )
    found = entities(parts)
    assert found["00-0000", "washington", PEOP] == entity_id("George Washington")
    assert found["00-0000", "washington", LOC] == entity_id("Washington")


def test_surname_is_one_in_each_document(run_resolve):
    """Where several people share a surname, it has no entity that all documents share."""
    parts = run_resolve(
        {
            "01-0000": [name("George Bush", PEOP, 5), name("Bush", PEOP, 9)],
            "01-0001": [name("Laura Bush", PEOP, 5), name("Lee", PEOP, 9), name("Ann Lee", PEOP, 5)],
        }
    )
    assert became(parts["01-0000"])["bush", PEOP] == ("", "", "document")
    ann = entity_id("Ann Lee")
    assert became(parts["01-0001"])["lee", PEOP] == (ann, ann, "surname")


def test_facts_of_a_countrys_people(run_resolve):
    """A name of a country's people is an entity of its own, of whose country facts speak, in whatever unit that is."""
    parts = run_resolve({"01-0000": [name("British", LOC)], "01-0001": [name("Britain", LOC)]})
    assert became(parts["01-0000"]) == {("british", LOC): (entity_id("British"), entity_id("Britain"), "")}
    assert became(parts["01-0001"]) == {("britain", LOC): (entity_id("Britain"), entity_id("Britain"), "")}


def test_acronym_is_what_documents_say(run_resolve):
    """An acronym that two of three documents explain alike is that everywhere, in units that don't explain it too."""
    units = {
        "01-0000": [name("ABC", ORG, 4), name("Acme Bank Company", ORG), definition("ABC", "Acme Bank Company", 2)],
        "01-0001": [name("ABC", ORG, 7), definition("ABC", "American Broadcasting Company", 1)],
    }
    acme = entity_id("Acme Bank Company")
    found = run_resolve(units)
    assert became(found["01-0001"]) == {("abc", ORG): (acme, acme, "acronym")}
    units["01-0001"][1]["n_documents"] = 2
    abc = entity_id("ABC")
    assert became(run_resolve(units)["01-0001"]) == {("abc", ORG): (abc, abc, "")}


def test_acronym_that_all_the_world_knows(run_resolve):
    """It is the organisation, unless documents say otherwise, or it is a person."""
    long = "United Nations"
    [part] = run_resolve({"00-0000": [name("UN", ORG, 5), name("U.N.", ORG, 2), name(long, ORG)]}).values()
    un = entity_id(long)
    assert {found[0] for found in became(part).values()} == {un}
    other = [name("UN", ORG, 5), definition("UN", "Union of Nurses"), name(long, ORG), name("Union of Nurses", ORG)]
    [part] = run_resolve({"00-0000": other}).values()
    assert became(part)["un", ORG] == (entity_id("Union of Nurses"),) * 2 + ("acronym",)
    [part] = run_resolve({"00-0000": [name("UN", PEOP, 5), name(long, ORG)]}).values()
    assert became(part)["un", PEOP] == (entity_id("UN"),) * 2 + ("",)


def test_known_organisation_is_no_place(run_resolve):
    """Documents that take a known organisation's acronym for a place, however many, mean the organisation."""
    un = entity_id("United Nations")
    [part] = run_resolve(
        {"00-0000": [name("U.N.", LOC, 9), name("U.N.", ORG, 8), name("United Nations", ORG)]}
    ).values()
    assert {found[0] for found in became(part).values()} == {un}
    assert chosen(part) == {("u.n", LOC): ORG, ("u.n", ORG): ORG, ("united nations", ORG): ORG}
    [part] = run_resolve({"00-0000": [name("U.N.", LOC, 9), name("U.N.", PEOP, 9), name("ABC", LOC, 9)]}).values()
    assert chosen(part) == {("abc", LOC): LOC, ("u.n", LOC): ORG, ("u.n", PEOP): PEOP}


def test_people_decide(run_resolve):
    """What people say is one thing is one, and what they say isn't, isn't; in any partition."""
    units = {
        "01-0000": [name("Istanbul", LOC, 5), name("Acme", ORG, 3)],
        "01-0001": [name("Constantinople", LOC), name("Acme Inc.", ORG)],
    }
    decisions = Decisions.model_validate(
        {"same": [{"names": ["Istanbul", "Constantinople"]}], "apart": [{"names": ["Acme", "Acme Inc."]}]}
    )
    for n_bits in (0, 4):
        found = entities(run_resolve(units, n_bits, targets=decisions.targets, separate=decisions.separate))
        assert found["01-0000", "istanbul", LOC] == found["01-0001", "constantinople", LOC]
        assert found["01-0000", "acme", ORG] != found["01-0001", "acme inc", ORG]


@pytest.fixture
def pinned(tmp_path):
    """A file of an earlier build's names."""

    def pinned(*rows):
        pq.write_table(to_table("names", rows), tmp_path / "names.parquet")
        return [tmp_path / "names.parquet"]

    return pinned


def test_pinned_names_keep_their_ids(run_resolve, pinned):
    """An entity that an earlier build knew by another of its names keeps its id; a new one has a new one."""
    units = {"00-0000": [name("Acme", ORG, 5), name("Acme Corp.", ORG), name("Initech", ORG)]}
    [before] = run_resolve({"00-0000": units["00-0000"][:1]}).values()
    [(acme, _, _)] = became(before).values()
    for n_bits in (0, 3):
        [after] = run_resolve(units, n_bits, pinned(Name(acme, "Acme", "", 5))).values()
        assert {key: found[0] for (key, _), found in became(after).items()} == {
            "acme": acme,
            "acme corp": acme,
            "initech": entity_id("Initech"),
        }


def test_pins_of_two_entities_that_became_one(run_resolve, pinned):
    """Of two ids that an entity could keep it has the one that was meant more often."""
    units = {"00-0000": [name("Acme", ORG, 5), name("Acme Corp.", ORG)]}
    pins = pinned(Name("x-0000000000000001", "Acme", "", 3), Name("x-0000000000000002", "Acme Corp.", "", 4))
    [part] = run_resolve(units, pins=pins).values()
    assert {found[0] for found in became(part).values()} == {"x-0000000000000002"}


def test_short_names_pin_nothing(run_resolve, pinned):
    """A name that was another's for short, or one thing in each document, gives nobody its id."""
    for rule in ("short", "surname", "document", "title"):
        pins = pinned(Name("x-0000000000000001", "Bush", rule, 3))
        [part] = run_resolve({"00-0000": [name("Bush", PEOP)]}, pins=pins).values()
        assert became(part)["bush", PEOP][0] == entity_id("Bush")


UNITS = {
    str(Unit(2, n)): [
        name("Ann Lee", PEOP, 2),
        name(("Lee", "Ann M. Lee", "Dr. Lee", "Anne Lee")[n], PEOP, 3),
        name(("U.S.", "America", "Americans", "American")[n], LOC, n + 1),
        name("Jordan", (LOC, PEOP, LOC, PEOP)[n], 4),
        name(("WHO", "World Health Organization", "UN", "United Nations")[n], ORG, 2),
        name(f"Town {n}", LOC),
        *([definition("WHO", "World Health Organization")] if n % 2 else []),
    ]
    for n in range(4)
}


@pytest.mark.parametrize("n_bits", [1, 3])
def test_partitions_change_nothing(run_resolve, n_bits):
    """However many partitions names and blocks are cut into, each unit's part is the same, fingerprint and all."""
    whole = run_resolve(UNITS)
    assert run_resolve(UNITS, n_bits) == whole
    assert {part.rows("resolved") for part in whole.values()} == {6}


def test_cutting_of_units_changes_no_entity(run_resolve):
    """The same names in one unit, or in two, mean the same."""
    found = entities(run_resolve(UNITS))
    halves = {str(Unit(1, half)): [] for half in range(2)}
    for n, rows in enumerate(UNITS.values()):
        for row in rows:
            halves[str(Unit(1, n // 2))].append(row | {"votes": [*row["votes"]]} if "votes" in row else row)
    merged = {unit: added_up(rows) for unit, rows in halves.items()}
    assert {key[1:]: entity for key, entity in entities(run_resolve(merged)).items()} == {
        key[1:]: entity for key, entity in found.items()
    }


def added_up(rows):
    """Rows of one unit, those of one name and type as one."""
    found = {}
    for row in rows:
        key = (row["key"], row.get("column"), "votes" in row)
        if key in found:
            found[key]["n_documents"] += row["n_documents"]
            if "votes" in row:
                found[key]["votes"] = [a + b for a, b in zip(found[key]["votes"], row["votes"], strict=True)]
        else:
            found[key] = dict(row)
    return list(found.values())


def test_unit_whose_names_mean_what_they_meant_keeps_its_part(run_resolve):
    """New names elsewhere, and a new meaning elsewhere, change no other unit's part."""
    before = run_resolve(UNITS)
    edited = UNITS | {str(Unit(2, 3)): [*UNITS[str(Unit(2, 3))], name("Bremen", LOC), name("Town 2x", LOC)]}
    after = run_resolve(edited)
    assert [unit for unit in UNITS if after[unit] != before[unit]] == [str(Unit(2, 3))]
    joined = run_resolve(UNITS | {str(Unit(2, 3)): [name("United States of America", LOC)]})
    changed = [unit for unit in UNITS if joined[unit] != before[unit]]
    assert str(Unit(2, 0)) in changed  # "U.S." is known by a longer name


def test_history_changes_nothing(store, run_resolve):
    """After an edit and its undoing, and from nothing, the parts are the same."""
    before = run_resolve(UNITS)
    edited = run_resolve(UNITS | {str(Unit(2, 3)): [name("Jordan", LOC, 50), name("America", LOC, 50)]})
    assert edited != before
    assert run_resolve(UNITS) == before
    remove(store.storage.root / "parts")
    assert run_resolve(UNITS) == before


def test_unit_without_names_has_a_part(run_resolve):
    """A unit in which nothing is named has an empty table; so has a corpus of such units."""
    parts = run_resolve({"01-0000": [], "01-0001": [name("Acme", ORG)]}, n_bits=2)
    assert [parts[unit].rows("resolved") for unit in ("01-0000", "01-0001")] == [0, 1]
    assert run_resolve({"00-0000": []})["00-0000"].rows("resolved") == 0


# What there is to do


def context(**others):
    """As much of a run's context as the job reads."""
    given_ = {"ontology": SimpleNamespace(kinds=KINDS), "decisions": Decisions(), "pins": ()}
    return SimpleNamespace(**(given_ | others))


@pytest.fixture
def planned(store, run, commit):
    """Plans the job for units of names, and does it; returns the number of tasks."""

    def planned(units, is_run=True, **others):
        parts = {"names": commit(units), "ingest": [SimpleNamespace(counts={"kept": 1})]}
        todo = resolve.missing(context(**others), store, parts)
        if todo.tasks and not is_run:
            return len(todo.tasks)
        receipts = run(store, "resolve", todo.tasks, todo.settings) if todo.tasks else {}
        made = [store.need("resolve", unit, receipt.fingerprint) for unit, receipt in receipts.items()]
        todo.publish(Outcome([*todo.done, *made]))
        return len(todo.tasks)

    return planned


def test_nothing_to_do_where_names_are_the_same(store, planned):
    """Equal names, decisions and pins leave what is there; it is what was made."""
    assert planned(UNITS) == 4
    before = store.live("resolve")
    assert (planned(UNITS), store.live("resolve")) == (0, before)
    assert sorted(part.unit for part in before) == sorted(UNITS)


def test_a_new_name_anywhere_asks_for_all(planned):
    """What is new in one unit may give a name of another one a new meaning."""
    planned(UNITS)
    edited = UNITS | {str(Unit(2, 3)): [name("Bremen", LOC)]}
    assert (planned(edited, is_run=False), planned(UNITS)) == (4, 0)
    assert planned({unit: UNITS[unit] for unit in list(UNITS)[:3]}, is_run=False) == 3


@pytest.mark.parametrize(
    "others",
    [
        {"ontology": SimpleNamespace(kinds=("person", "other", "place"))},
        {"decisions": Decisions.model_validate({"same": [{"names": ["Ann Lee", "Bob"]}]})},
        {"decisions": Decisions.model_validate({"apart": [{"names": ["Ann Lee", "Lee"]}]})},
        {"pins": (("names.parquet", "ab" * 32),)},
    ],
)
def test_all_that_decides_asks_for_all(planned, others):
    """Whose names the types' are, what people decide, and what is pinned."""
    planned(UNITS)
    assert planned(UNITS, is_run=False, **others) >= 4


def test_lost_part_is_made_again(store, planned):
    """Where a part is gone the job is done again."""
    planned(UNITS)
    before = store.live("resolve")
    remove(store.storage.root / before[1].place)
    assert (planned(UNITS), store.live("resolve")) == (4, before)


def test_version_asks_for_all(planned, monkeypatch):
    """A job that was programmed anew is done again."""
    planned(UNITS)
    monkeypatch.setattr(resolve, "VERSION", resolve.VERSION + 1)
    assert planned(UNITS, is_run=False) == 4


# Functions


@given(st.data())
def test_order_of_rows_changes_nothing(data):
    """Types and targets of a name hang on the set of its rows, whatever their order and that of definitions."""
    rows = [
        {**name("Jordan", column, n, doubt), "unit": str(Unit(2, n))}
        for n, (column, doubt) in enumerate([(LOC, -500), (PEOP, -500), (LOC, -900), (ORG, -300)], 1)
    ]
    definitions = [("Jordan Oil Company", 4), ("Jordan Oil Co.", 3), ("Jordan Organ", 3)]
    settings = resolve.Settings(KINDS, (), 0)

    def agreed(rows, definitions):
        found = resolve.agree_on("jordan", rows, dict(definitions), settings, {})
        return [row | {"units": sorted(row["units"]), "columns": sorted(row["columns"])} for row in found]

    shuffled = data.draw(st.permutations(rows)), data.draw(st.permutations(definitions))
    assert agreed(*shuffled) == agreed(rows, definitions)
    assert {row["target"] for row in agreed(rows, definitions) if row["column"] != PEOP} == {"Jordan Oil Co."}
