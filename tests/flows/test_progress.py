"""What people and programs see of work that takes long."""

import io
import json
import re
import sys
from functools import partial
from types import SimpleNamespace

import pytest

from kgmill.flows.progress import Progress
from kgmill.flows.terminal import Voice, note, speaking, waiting
from kgmill.flows.terminal import progress as on_stderr
from kgmill.pipelines.engine.progress import Extent, Meter, Teller


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """The seconds of a clock that stands still."""
    now = [100.0]
    monkeypatch.setattr("kgmill.flows.progress.time.monotonic", lambda: now[0])
    return now


def run(progress, clock, steps, total, stage="extract"):
    for share, seconds in steps:
        clock[0] += seconds
        progress.update(stage, share, total)


def test_json_lines_where_there_is_no_terminal(capsys, clock):
    """A line when a stage begins, one when it ends, and between them one in ten seconds with an estimate."""
    with speaking(Voice(progress="json")), on_stderr("documents") as progress:
        run(progress, clock, [(0, 0.0), (0.125, 5.0), (0.25, 6.0), (0.375, 1.0), (1, 4.0)], 800)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert all(len(line.pop("time")) == 20 for line in lines)
    same = {"stage": "extract", "unit": "documents", "total": 800, "note": ""}
    assert lines == [
        same | {"done": 0, "share": 0, "seconds": 0.0, "per_second": None, "seconds_left": None},
        same | {"done": 200, "share": 0.25, "seconds": 11.0, "per_second": 18.1818, "seconds_left": 33.0},
        same | {"done": 800, "share": 1, "seconds": 16.0, "per_second": 50.0, "seconds_left": 0.0},
    ]


def test_total_may_not_be_known_yet(capsys, clock):
    """While nobody knows how many documents there are, the share and the time left are told alone."""
    with speaking(Voice(progress="json")), on_stderr("documents") as progress:
        run(progress, clock, [(0, 0.0), (0.5, 10.0)], None)
    line = json.loads(capsys.readouterr().err.splitlines()[1])
    assert (line["done"], line["total"], line["per_second"]) == (None, None, None)
    assert (line["share"], line["seconds_left"]) == (0.5, 10.0)


def test_what_was_done_before_counts_for_no_speed(capsys, clock):
    """A training that goes on at half, and a load that finds half unchanged, estimate by what they do now."""
    with speaking(Voice(progress="json")), on_stderr("steps") as progress:
        run(progress, clock, [(0.5, 0.0), (0.75, 10.0)], 100, "train")
    line = json.loads(capsys.readouterr().err.splitlines()[1])
    assert (line["done"], line["per_second"], line["seconds_left"]) == (75, 2.5, 10.0)


def test_start_up_counts_for_no_speed(capsys, clock):
    """Empty units are done at once, loading a model takes 20 s, then it goes at 1 % a second; in the end all counts."""
    with speaking(Voice(progress="json")), on_stderr("documents") as progress:
        run(progress, clock, [(0, 0.0), (0.0001, 1.0), (0.01, 19.0), (0.11, 10.0), (0.26, 15.0), (1, 75.0)], 100)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["seconds"], line["per_second"], line["seconds_left"]) for line in lines] == [
        (0.0, None, None),
        (20.0, None, None),
        (30.0, 1.0, 89.0),
        (45.0, 1.0, 74.0),
        (120.0, 0.8333, 0.0),
    ]


def test_first_percent_in_one_step_counts(capsys, clock):
    """Where the first unit is a quarter of the work, the mean is all there is."""
    with speaking(Voice(progress="json")), on_stderr("documents") as progress:
        run(progress, clock, [(0, 0.0), (0, 30.0), (0.25, 30.0), (0.25, 20.0)], 100)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["seconds_left"] for line in lines] == [None, None, 180.0, 240.0]


def test_log_has_sentences(clock):
    """A log, such as Prefect's, gets the same statuses at the same times, for people to read."""
    lines = []
    progress = Progress("documents", log=lambda status: lines.append(str(status)))
    run(progress, clock, [(0, 0.0), (0.25, 10.0), (0.5, 2.0), (1, 28.0)], 800)
    assert lines == [
        "extract: 0 of 800 documents",
        "extract: 200 of 800 documents, 20.0 a second, about 30 s left",
        "extract: 800 of 800 documents, 20.0 a second",
    ]


@pytest.fixture
def screen(monkeypatch):
    """Standard error as a terminal of 80 columns."""
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    for name in ("CI", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kgmill.flows.terminal.sys", SimpleNamespace(stderr=screen, stdout=sys.stdout))
    return screen


def told(screen):
    """What a terminal was told, without colours and moves, line by line, also those that were drawn over."""
    return [line.strip() for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()))]


def test_bar_on_a_terminal(screen, clock):
    """A bar a stage, with what was done, the speed and the time left; a note stands on a line of its own."""
    with on_stderr("documents") as progress:
        run(progress, clock, [(0.0, 0.0)], None, "ingest")
        run(progress, clock, [(1.0, 5.0)], 10, "ingest")
        run(progress, clock, [(0.0, 0.0)], 10)
        note("the worker died")
        run(progress, clock, [(0.5, 20.0)], 10)
    bars = told(screen)
    assert "the worker died" in bars
    assert any(bar.startswith("✓ ingest") and bar.endswith("100% 10/10 documents  0:05") for bar in bars)
    assert any("extract" in bar and bar.endswith(" 50% 5/10 documents  0.2/s  0:20 left") for bar in bars)
    assert max(map(len, bars)) <= 80


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_lines_where_nobody_looks(screen, monkeypatch, clock, name, value):
    """Logs of a CI and terminals that can't move their cursor get lines, though they are terminals."""
    monkeypatch.setenv(name, value)
    with on_stderr("documents") as progress:
        run(progress, clock, [(0, 0.0), (1, 10.0)], 20)
    assert [line[21:] for line in screen.getvalue().splitlines()] == [
        "extract: 0 of 20 documents",
        "extract: 20 of 20 documents, 2.0 a second",
    ]


def test_quiet_says_nothing(screen, clock):
    """Neither progress nor notes nor what is for people alone; results are shown."""
    with speaking(Voice(quiet=True)), on_stderr("documents") as progress, waiting("loading the model"):
        run(progress, clock, [(0, 0.0), (1, 10.0)], 20)
        note("the worker died")
    assert screen.getvalue() == ""


def test_wait_is_seen_on_a_terminal(screen):
    """A spinner with what is waited for."""
    with waiting("loading the model"):
        pass
    assert "loading the model ..." in told(screen)[0]


def test_notes_move_no_terminal(monkeypatch, capsys, clock):
    """A note, and what a bar or a line says of the work, may hold names of files; json.dumps leaves 8-bit controls."""
    with speaking(Voice(progress="json")), on_stderr("documents") as progress:
        note("a\x1b[2J.txt: gone\n")
        progress.update("extract", 0.0, 10, "b\x9b")
    assert capsys.readouterr().err.splitlines()[0] == "a\\x1b[2J.txt: gone\\n"
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with speaking(Voice(progress="bar")), on_stderr("documents") as progress:
        progress.update("extract", 0.0, 10, "b\x9b\x07")
    assert "b\\x9b\\x07" in screen.getvalue()
    logged = []
    Progress("documents", log=lambda status: logged.append(str(status))).update("extract", 0.0, 10, "b\x9b")
    assert logged == ["extract: 0 of 10 documents b\\x9b"]


def test_first_estimate_leaves_the_models_loading_out(tmp_path, clock, capsys):
    """A corpus of one unit and ten batches of two seconds: after 30 s of loading, the first estimate is of the work."""
    with speaking(Voice(progress="json")), on_stderr("documents") as progress:
        meter = Meter(tmp_path, Extent({"00-0000": 5000.0}, n_documents=50), partial(progress.update, "extract"))
        for _ in range(30):  # the worker starts, the model is loaded
            meter.poll()
            clock[0] += 1.0
        teller = Teller(tmp_path, "00-0000")
        meter.poll()
        for batch in range(1, 10):
            clock[0] += 2.0
            teller.tell(batch / 10)
            meter.poll()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [(line["seconds"], line["seconds_left"]) for line in lines if line["seconds_left"] is not None]
    assert told == [(40.0, 10.0)]


def test_first_estimate_of_a_large_first_step(tmp_path, clock):
    """Where a task first tells of a tenth of the work, the time before it began still doesn't count."""
    told = []
    with Progress("documents", log=lambda status: told.append((status.seconds, status.seconds_left))) as progress:
        meter = Meter(tmp_path, Extent({"00-0000": 5000.0}, n_documents=50), partial(progress.update, "extract"))
        meter.poll()
        clock[0] += 60.0
        teller = Teller(tmp_path, "00-0000")
        meter.poll()
        clock[0] += 12.0
        teller.tell(0.1)
        meter.poll()
    assert [(seconds, left and round(left)) for seconds, left in told] == [(0.0, None), (60.0, None), (72.0, 108)]
