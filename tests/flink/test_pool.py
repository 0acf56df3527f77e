"""One task manager of two slots, with a pool of `kgmill worker`, over a real S3 server on this machine."""

import json

import pytest

from kgmill.pipelines.engine.pool import ask_pool
from kgmill.pipelines.storage import open_storage

pytestmark = pytest.mark.flink


@pytest.fixture(scope="module")
def cluster(flink):
    return flink(1, 2)


@pytest.fixture
def pool(start, s3, tmp_path):
    """The address of a pool, with a folder for temporary files of its own, as on another machine."""
    (tmp_path / "tmp").mkdir()
    running = start("worker", "--port", 0, TMPDIR=str(tmp_path / "tmp"))
    running.wait_for(lambda: "workers are started at " in running.log.read_text(), "pool")
    yield running.log.read_text().split("workers are started at ")[1].split()[0]
    running.process.terminate()
    assert running.end().code == 143


def put(where, files):
    storage = open_storage(where)
    for path in files:
        storage.write(path.name, path.read_bytes())


@pytest.mark.parametrize("name", ["corpus", "ag_news"])
def test_bytes_are_those_of_a_local_build(cluster, pool, s3, kgmill, request, tmp_path, left_by, name):
    """From S3 into S3; what the job's processes leave for one another is there too, and gone afterwards."""
    source = request.getfixturevalue(name)
    put(f"{s3}/{name}/in", sorted(source.iterdir()) if source.is_dir() else [source])
    assert kgmill("build", f"{s3}/{name}/in", "--out", tmp_path / "local").code == 0
    out = f"{s3}/{name}/out"
    options = [f"--environment_config={pool}"]
    done = kgmill("build", f"{s3}/{name}/in", "--out", out, "--workers", 2, cluster=cluster, options=options)
    assert done.code == 0, done
    far = open_storage(out)
    assert far.read("graph/graph.nq.gz") == (tmp_path / "local" / "graph" / "graph.nq.gz").read_bytes()
    assert far.entries(".tmp") == []
    assert left_by(cluster) == []
    extracted = [line for line in done.progress if line["stage"] == "extract"]
    assert extracted[-1]["done"] == extracted[-1]["total"] == json.loads(far.read("run.json"))["documents"]["kept"]


def test_pool_says_what_it_is(pool):
    """For whoever checks it before a build."""
    told = ask_pool(pool)
    assert (told["kgmill"], told["n_gpus"]) == (__import__("kgmill").__version__, 0)
