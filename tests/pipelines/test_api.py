"""The Python API: a build, and what is read of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from kgmill import pipelines
from kgmill.pipelines import build, building, open_build, read_table
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import ConfigError, LockError, OutputError, SourceError, TooManyRejectsError, UsageError

TEXT = "Ada Byron worked for Acme Corp in Paris . Bob Stone lives in London ."


@pytest.fixture(scope="module", autouse=True)
def here(worker_here):
    """Jobs run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "Worker", lambda **limits: worker_here())
        yield


@pytest.fixture(scope="module")
def settings(tiny_model):
    return {"model": str(tiny_model), "device": "cpu", "dataset": "kg"}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    (folder / "a.txt").write_text(TEXT)
    return folder


@pytest.fixture(scope="module")
def told():
    """The jobs that the build told of."""
    return []


@pytest.fixture(scope="module")
def built(here, source, settings, told, tmp_path_factory):
    """The source, built."""
    out = tmp_path_factory.mktemp("built") / "out"
    return build(source, out, settings, n_workers=1, on_progress=lambda job, *_: told.append(job))


def test_build_says_what_it_is(built, told):
    """A build returns its counts and its places, and tells of its jobs while it runs."""
    assert (built.status, built.documents["kept"], built.rejects, built.n_facts) == ("done", 1, {}, 2)
    assert repr(built) == f"<Built {built.out}: documents 1, entities 5, facts 2>"
    assert {"extract", "aggregate"} <= set(told)
    assert pq.read_table(built.table_files["facts"].removesuffix("/*.parquet")).num_rows == 2
    assert Path(built.graph_file).read_bytes()[:2] == b"\x1f\x8b"


def test_build_is_read(built):
    """The facts are there, the surest first, and the graph to compute with."""
    facts = built.facts().to_pylist()

    assert facts == sorted(facts, key=lambda f: (-f["confidence"], f["fact_id"]))
    assert {f["relation"] for f in facts} == {"Work_For", "Live_In"}
    assert sorted(data["relation"] for *_, data in built.load_graph().edges(data=True)) == ["Live_In", "Work_For"]
    assert read_table(built.out, "entities", ["label"]).column_names == ["label"]


def test_second_build_reuses(built, source, settings):
    """A second build of the same calls no model, and is what is opened then; sources and settings come in any form."""
    before = {path.name for path in Path(built.out).glob("tables/*/*.parquet")}

    again = build([str(source)], Path(built.out), BuildConfig.load(None, settings), n_workers=1)

    assert {path.name for path in Path(built.out).glob("tables/*/*.parquet")} == before
    assert (again.documents["reused"], again.ledger["model_calls"]["sentences"]) == (1, 0)
    assert open_build(built.out).ledger == again.ledger


def test_configuration_file(source, settings, tmp_path):
    """A path is that of a configuration file; an unknown key is refused before anything is touched."""
    file = tmp_path / "kg.toml"
    file.write_text("".join(f'{key} = "{value}"\n' for key, value in settings.items()) + "min_confidance = 1\n")

    with pytest.raises(ConfigError, match=r"kg\.toml: unknown key 'min_confidance'"):
        build(source, tmp_path / "out", file)
    with pytest.raises(SourceError, match="nothing"):
        build(tmp_path / "nothing", tmp_path / "out", settings)
    assert not (tmp_path / "out").exists()


def test_rejects_above_the_ratio(settings, tmp_path):
    """The build is done, and says that it has too many rejects; it can be opened all the same."""
    records = tmp_path / "records.jsonl"
    records.write_text(f'{{"id": "a", "text": "{TEXT}"}}\n{{"id": "b", "text": ""}}\n')

    with pytest.raises(TooManyRejectsError, match="1 of 2 documents were rejected"):
        build(records, tmp_path / "out", settings, n_workers=1)
    assert open_build(tmp_path / "out").rejects == {"empty": 1}


def test_held_folder(source, settings, tmp_path):
    """A folder that another build holds is refused."""
    with Store(tmp_path / "out").lock(), pytest.raises(LockError, match="another build"):
        build(source, tmp_path / "out", settings)


def test_what_is_not_there(built, tmp_path):
    """No build, no such table and no such column are said in a line that names what there is."""
    with pytest.raises(UsageError, match="no finished build here"):
        open_build(tmp_path / "none")
    with pytest.raises(UsageError, match="no table 'fact'; there are documents, mentions"):
        read_table(built.out, "fact")
    with pytest.raises(UsageError, match=r"table facts: no columns \['label'\]; there are fact_id"):
        read_table(built.out, "facts", ["label"])


def test_tables_of_an_earlier_kgmill(built, tmp_path):
    """Columns that aren't there are not made up: the line names them, and what writes them."""
    copy = Path(shutil.copytree(built.out, tmp_path / "copy"))
    for path in (copy / "tables" / "facts").iterdir():
        old = pq.read_table(path).drop_columns(["head_label"])
        path.unlink()  # it is a link to a part's file
        pq.write_table(old, path)

    with pytest.raises(OutputError, match=r"facts: of an earlier kgmill, without head_label; run kgmill build SOURCE"):
        open_build(copy).facts()
    assert open_build(copy).table("entities").num_rows == 5


def test_reading_imports_little():
    """To open a build needs neither Beam nor a model nor a graph library; the package alone not even Arrow."""
    heavy = ("torch", "apache_beam", "networkx", "rdflib", "prefect")
    program = (
        "import sys, kgmill.pipelines\n"
        "print('pyarrow' in sys.modules)\n"
        "from kgmill.pipelines import open_build\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n[]\n"


def test_unknown_name_of_the_package():
    """The package has the names that it has."""
    with pytest.raises(AttributeError, match=r"module 'kgmill\.pipelines' has no attribute 'biult'"):
        _ = pipelines.biult
