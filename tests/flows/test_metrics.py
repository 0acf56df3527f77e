"""The file of metrics: its text to the letter, and how runs keep it: on their way, at their end, when they fail."""

import json
import shutil
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kgmill.flows.metrics import Held, Now, write_metrics
from kgmill.flows.watching import watched
from kgmill.pipelines.building import Listener, StageReport
from kgmill.pipelines.output.ledger import last_run
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.config import BuildConfig

RUN = {
    "status": "done",
    "documents": {"read": 3, "kept": 2, "rejected": 1, "reused": 1, "added": 1, "changed": 0, "removed": 0},
    "rejects": {"empty": 1},
    "model_calls": {"sentences": 12},
    "graph": {"entities": 5, "facts": 4, "quads": 300},
    "finished": "2026-11-27T03:00:00Z",
}
TEXT = """\
# HELP kgmill_documents Documents of the last run that ended well, by what became of them.
# TYPE kgmill_documents gauge
kgmill_documents{dataset="news",outcome="read"} 3.0
kgmill_documents{dataset="news",outcome="kept"} 2.0
kgmill_documents{dataset="news",outcome="rejected"} 1.0
kgmill_documents{dataset="news",outcome="reused"} 1.0
kgmill_documents{dataset="news",outcome="added"} 1.0
kgmill_documents{dataset="news",outcome="changed"} 0.0
kgmill_documents{dataset="news",outcome="removed"} 0.0
# HELP kgmill_rejects Documents and records that the last run that ended well rejected, by reason.
# TYPE kgmill_rejects gauge
kgmill_rejects{dataset="news",reason="empty"} 1.0
# HELP kgmill_mentions Rows of the table mentions.
# TYPE kgmill_mentions gauge
kgmill_mentions{dataset="news"} 9.0
# HELP kgmill_entities Entities of the graph.
# TYPE kgmill_entities gauge
kgmill_entities{dataset="news"} 5.0
# HELP kgmill_facts Facts of the graph.
# TYPE kgmill_facts gauge
kgmill_facts{dataset="news"} 4.0
# HELP kgmill_quads Quads of the graph.
# TYPE kgmill_quads gauge
kgmill_quads{dataset="news"} 300.0
# HELP kgmill_output_bytes Bytes below a folder of the output; on a disk tables are links to parts.
# TYPE kgmill_output_bytes gauge
kgmill_output_bytes{dataset="news",folder="graph"} 2048.0
# HELP kgmill_model_sentences Sentences that met the model in the last run that ended well.
# TYPE kgmill_model_sentences gauge
kgmill_model_sentences{dataset="news"} 12.0
# HELP kgmill_last_success_timestamp_seconds When the last run that ended well did, in seconds since 1970.
# TYPE kgmill_last_success_timestamp_seconds gauge
kgmill_last_success_timestamp_seconds{dataset="news"} 1.7957484e+09
# HELP kgmill_stage_seconds Seconds that a stage took.
# TYPE kgmill_stage_seconds gauge
kgmill_stage_seconds{dataset="news",stage="ingest"} 1.5
# HELP kgmill_stage_model_seconds Seconds inside of prediction, summed over work units.
# TYPE kgmill_stage_model_seconds gauge
kgmill_stage_model_seconds{dataset="news",stage="ingest"} 0.0
# HELP kgmill_stage_peak_memory_bytes Highest resident memory of the worker in a stage.
# TYPE kgmill_stage_peak_memory_bytes gauge
kgmill_stage_peak_memory_bytes{dataset="news",stage="ingest"} 2.097152e+06
# HELP kgmill_stage_units Work units of a stage, by whether they were made or found made.
# TYPE kgmill_stage_units gauge
kgmill_stage_units{dataset="news",how="made",stage="ingest"} 1.0
kgmill_stage_units{dataset="news",how="reused",stage="ingest"} 7.0
# HELP kgmill_stage_progress_ratio Share of a stage that this run has done, from 0 to 1.
# TYPE kgmill_stage_progress_ratio gauge
kgmill_stage_progress_ratio{dataset="news",stage="ingest"} 1.0
kgmill_stage_progress_ratio{dataset="news",stage="extract"} 0.25
# HELP kgmill_last_run_outcome 1 for what became of the last run, 0 for all else.
# TYPE kgmill_last_run_outcome gauge
kgmill_last_run_outcome{dataset="news",outcome="running"} 1.0
kgmill_last_run_outcome{dataset="news",outcome="done"} 0.0
kgmill_last_run_outcome{dataset="news",outcome="too_many_rejects"} 0.0
kgmill_last_run_outcome{dataset="news",outcome="failed"} 0.0
# HELP kgmill_last_run_started_timestamp_seconds When the last run started, in seconds since 1970.
# TYPE kgmill_last_run_started_timestamp_seconds gauge
kgmill_last_run_started_timestamp_seconds{dataset="news"} 1.7957484e+09
# HELP kgmill_info The version of kgmill.
# TYPE kgmill_info gauge
kgmill_info{dataset="news",version="VERSION"} 1.0
"""


def values(path):
    """The samples of a file, by name and labels without the dataset."""
    found = {}
    for family in text_string_to_metric_families(Path(path).read_text()):
        for sample in family.samples:
            assert sample.labels.pop("dataset") == "kg"
            found[sample.name.removeprefix("kgmill_"), *sorted(sample.labels.values())] = sample.value
    return found


def outcome(found):
    """What became of the last run."""
    return [key[1] for key, value in found.items() if key[0] == "last_run_outcome" and value]


def test_file_is_as_prometheus_has_it(tmp_path, monkeypatch):
    """HELP, TYPE and samples of a run that is under way, to the letter; nothing else is left in the folder."""
    monkeypatch.setattr("kgmill.flows.metrics.__version__", "VERSION")
    reports = {"ingest": StageReport(seconds=1.5, model_seconds=0.0, peak_rss_mb=2.0, n_done=1, n_reused=7)}
    now = Now(started=1795748400.9, progress={"ingest": 0.5, "extract": 0.25}, reports=reports)
    write_metrics(tmp_path / "kg.prom", "news", Held(RUN, RUN, {"mentions": 9}, {"graph": 2048}), now)
    assert (tmp_path / "kg.prom").read_text() == TEXT
    assert [path.name for path in tmp_path.iterdir()] == ["kg.prom"]


def test_file_of_an_output_without_a_build(tmp_path):
    """What no run ever counted has no sample, so no alert takes it for nothing."""
    write_metrics(tmp_path / "kg.prom", "kg", Held({}, {}, {}, {}), Now("failed", finished=1795748400.0))
    assert sorted({key[0] for key in values(tmp_path / "kg.prom")}) == [
        "info",
        "last_run_finished_timestamp_seconds",
        "last_run_outcome",
    ]


def test_build_writes_metrics_and_log(kgmill, source, copy, tmp_path):
    """A build in which nothing is new: what DIR holds, what was reused, when; and its log, in the words of run.json."""
    file, log = tmp_path / "kg.prom", tmp_path / "log.jsonl"
    done = kgmill("build", source, "--out", copy, "--metrics", file, "--log-file", log, "--log-format", "json")
    assert (done.code, done.errors) == (0, [])
    found, run = values(file), last_run(Store(copy))
    assert outcome(found) == ["done"]
    assert {key[1]: n for key, n in found.items() if key[0] == "documents"} == run["documents"]
    assert (found[("facts",)], found[("mentions",)], found[("model_sentences",)]) == (3, 29, 0)
    assert (found[("stage_units", "extract", "reused")], found[("stage_units", "extract", "made")]) == (1, 0)
    assert found["output_bytes", "graph"] == sum(path.stat().st_size for path in (copy / "graph").iterdir())
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert {(line["run"], line["dataset"]) for line in lines} == {(run["started"].replace(":", ""), "kg")}
    assert [line["stage"] for line in lines if line["message"] == "begins"] == list(run["stages"])
    assert lines[-1]["message"] == "done: 16 documents kept, 0 rejected; 3 facts"


def test_run_that_fails_says_so(kgmill, copy, tmp_path):
    """A source that is gone: the last success is still that of before, and the one line on standard error is JSON."""
    file = tmp_path / "kg.prom"
    done = kgmill("build", tmp_path / "gone", "--out", copy, "--metrics", file, "--log-format", "json")
    assert (done.code, done.errors, len(done.progress)) == (2, [], 1)
    [line] = done.progress
    assert (line["level"], line["dataset"], line["message"]) == (
        "ERROR",
        "kg",
        f"failed: {tmp_path}/gone: no such file or folder",
    )
    assert line["exception"] == f"SourceError: {tmp_path}/gone: no such file or folder"
    found = values(file)
    assert (outcome(found), found[("facts",)]) == (["failed"], 3)
    assert found[("last_success_timestamp_seconds",)] < found[("last_run_finished_timestamp_seconds",)] + 1


def test_run_that_leaves_a_folder_alone_leaves_its_metrics_alone(kgmill, source, copy, tmp_path):
    """Skipped or refused: the file is that of whoever holds the folder."""
    for when_busy, code in (("skip", 0), ("fail", 1)):
        with Store(copy).lock():
            done = kgmill(
                *("build", source, "--out", copy, "--when-busy", when_busy, "--metrics", tmp_path / "kg.prom")
            )
        assert (done.code, [path.name for path in tmp_path.iterdir()]) == (code, ["copy"])


def test_metrics_are_kept_while_a_run_goes_on(copy, tmp_path):
    """Each step of progress is in the file; before the run holds its folder, the file is another one's."""
    file = tmp_path / "kg.prom"
    config = BuildConfig(metrics=str(file), dataset="kg")
    with watched(config, str(copy)) as watch:
        listener = watch.listen(Listener())
        listener.on_progress("model", 0.0, None)
        assert not file.exists()
        run = type("Run", (), {"context": type("Context", (), {"started": "", "config": config}), "reports": {}})
        watch.holds(run)
        assert (outcome(values(file)), values(file)[("facts",)]) == (["running"], 3)
        listener.on_progress("names", 0.0, 16)
        listener.on_progress("names", 1.0, 16)
        listener.on_progress("resolve", 0.0, 16)
        assert values(file)["stage_progress_ratio", "decode"] == pytest.approx(1 / 3, abs=1e-4)
        shutil.rmtree(tmp_path / "copy")  # that it can't be looked at any more fails nothing
    assert outcome(values(file)) == ["done"]


def test_metrics_that_cannot_be_written(kgmill, source, tmp_path):
    """A folder that isn't there is refused in a line before anything is touched."""
    file = tmp_path / "none" / "kg.prom"
    done = kgmill("build", source, "--out", tmp_path / "out", "--metrics", file)
    assert (done.code, done.errors) == (
        2,
        [f"kgmill: --metrics {file}: wanted the name of a file in a folder that is there"],
    )
    assert not (tmp_path / "out").exists()
