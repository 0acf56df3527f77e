"""What is wrong with a command is said in one line, before anything is touched: exit code 2."""

import re
from importlib.metadata import version

import pytest

from kgmill.flows import cli

from .faults import SPOILT, WRONG


@pytest.fixture
def refused(kgmill, source, tmp_path):
    """Runs a build that must be refused with exit code 2 and one line, and nothing touched; returns the line."""

    def refused(*arguments, corpus=source):
        done = kgmill("build", corpus, "--out", tmp_path / "out", *arguments)
        assert (done.code, done.out, len(done.errors), (tmp_path / "out").is_dir()) == (2, "", 1, False)
        return done.errors[0].replace(str(tmp_path), "TMP")

    return refused


@pytest.mark.parametrize("fault", WRONG, ids=lambda fault: fault.name)
def test_what_is_wrong_touches_nothing(kgmill, tiny_model, tmp_path, fault):
    """Each fault of a command, source, checkpoint or output."""
    given = fault.prepare(tmp_path, tiny_model)
    before = sorted(tmp_path.rglob("*"))
    done = kgmill(*fault.command(given))
    assert (done.code, done.out, len(done.errors)) == (fault.code, "", 1)
    assert done.errors[0].replace(str(tmp_path), "TMP").startswith(f"kgmill: {fault.line}")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("fault", SPOILT, ids=lambda fault: fault.name)
def test_what_is_bad_costs_itself_alone(kgmill, tiny_model, tmp_path, fault):
    """Each fault that a build meets on its way: a line and an exit code, or rejects within the ratio."""
    done = kgmill(*fault.command(fault.prepare(tmp_path, tiny_model)))
    assert (done.code, len(done.errors)) == (fault.code, bool(fault.line)), done.errors
    assert "".join(done.errors).replace(str(tmp_path), "TMP").startswith(fault.line and f"kgmill: {fault.line}")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", done.out)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_confidense = 0.5\n", "unknown key 'min_confidense'; known keys: model, ontology, device, "),
        ("min_confidence = 2\n", "min_confidence: Input should be less than or equal to 1; known keys: "),
        ("min_confidence\n", "not TOML: "),
        (None, "No such file or directory"),
    ],
)
def test_wrong_configuration_is_refused(refused, tmp_path, text, message):
    """An unknown key, a value out of range, a file that is no TOML, and none at all."""
    if text is not None:
        (tmp_path / "f.toml").write_text(text)
    assert refused("--config", tmp_path / "f.toml").startswith(f"kgmill: TMP/f.toml: {message}")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--workers", "-3"], "--workers -3: wanted a number of CPU threads, or 0 for all of them"),
        (["--runner", "FlinkRuner"], "runner FlinkRuner: Beam has no such runner; did you mean FlinkRunner?"),
        (
            ["--formats", "nq,xml"],
            "formats: unknown formats ['xml']; known are graphml, json, jsonld, kgx, neo4j, ",
        ),
        (["--min-confidence", "1.5"], "min_confidence: Input should be less than or equal to 1; known keys: "),
        (["--min-confidence", "nan"], "min_confidence: Input should be less than or equal to 1; known keys: "),
        (["--max-reject-ratio", "-1"], "max_reject_ratio: Input should be greater than or equal to 0; known keys: "),
        (["--device", "gpu"], "device: String should match pattern "),
        (["--", "--no_such_option=1"], "unknown Beam option --no_such_option=1; Beam and this runner have none of "),
        (
            ["--", "--direct_num_worker=2"],
            "unknown Beam option --direct_num_worker=2; did you mean --direct_num_workers?",
        ),
    ],
)
@pytest.mark.parametrize("command", ["build", "plan", "ingest", "schedule"])
def test_wrong_value_touches_nothing(kgmill, source, tmp_path, command, arguments, line):
    """What is wrong with a flag or a Beam option is said by every command that builds, before anything is made."""
    every = ["--every", "60"] if command == "schedule" else []
    done = kgmill(command, source, "--out", tmp_path / "out", *every, *arguments)
    assert (done.code, done.out, len(done.errors), (tmp_path / "out").exists()) == (2, "", 1, False)
    assert done.errors[0].startswith(f"kgmill: {line}")


@pytest.mark.skipif("+cpu" not in version("torch"), reason="this torch may see a GPU")
@pytest.mark.parametrize("command", ["build", "plan", "ingest"])
@pytest.mark.parametrize("device", ["cuda", "cuda:9"])
def test_gpu_that_is_not_there_touches_nothing(kgmill, source, tmp_path, command, device):
    """A GPU that was asked for is looked for before the first byte is written."""
    done = kgmill(command, source, "--out", tmp_path / "out", "--device", device)
    assert (done.code, len(done.errors), (tmp_path / "out").exists()) == (2, 1, False)
    assert done.errors[0].startswith(f"kgmill: device {device}: this torch ({version('torch')}) sees no GPU; ")


COMMANDS = ["build", "plan", "extract", "schedule", "query", "gc", "load"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("name", "said"),
    [("nosuch://bucket/out", "Protocol not known: nosuch"), ("file://far/out", "wanted file:/// and an absolute path")],
)
def test_output_that_nobody_knows_is_refused(kgmill, source, tmp_path, monkeypatch, command, name, said):
    """A file system that isn't there, or another machine's files, are one line, and make no folder `nosuch:` here."""
    monkeypatch.chdir(tmp_path)
    others = {"query": ["ASK {}"], "gc": [], "load": ["--endpoint", "http://127.0.0.1:1"]}
    arguments = [name, *others[command]] if command in others else [source, "--out", name]
    done = kgmill(command, *arguments, *(["--every", "60"] if command == "schedule" else []))
    assert (done.code, len(done.errors)) == (2, 1)
    assert done.errors[0].startswith(f"kgmill: {name}: {said}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_file_url_is_a_folder(kgmill, source, tmp_path):
    """`file://` and a path are the same output."""
    assert kgmill("build", source, "--out", f"file://{tmp_path}/a%20b").code == 0
    assert kgmill("query", tmp_path / "a b", "ASK { ?s ?p ?o }").code == 0


def test_unknown_flag_is_refused(capsys):
    """A flag that isn't there is named, with exit code 2."""
    code = cli.run(["build", "source", "--out", "out", "--no-such-flag"])
    assert (code, "--no-such-flag" in capsys.readouterr().err) == (2, True)


def test_schedule_without_a_server_is_refused(kgmill, source, tiny_model, tmp_path):
    """A schedule needs a Prefect server, and says how to start one."""
    command = ("schedule", source, "--out", tmp_path / "out", "--model", tiny_model, "--every", "60")
    done = kgmill(*command)
    wanted = "start one with `prefect server start` and set PREFECT_API_URL=http://127.0.0.1:4200/api"
    assert (done.code, done.errors) == (2, [f"kgmill: a schedule needs a Prefect server: {wanted}"])


@pytest.mark.parametrize(
    ("when", "line"),
    [
        (["--cron", "0 3 * *"], "--cron '0 3 * *': no cron expression whose time comes; wanted "),
        (
            ["--cron", "61 * * * *"],
            "--cron '61 * * * *': no cron expression whose time comes; wanted ",
        ),
        (
            ["--cron", "0 0 30 2 *"],
            "--cron '0 0 30 2 *': no cron expression whose time comes; wanted ",
        ),
        (["--cron", ""], "--cron '': no cron expression whose time comes; wanted "),
        (
            ["--cron", "0 3 * * *", "--timezone", "Berlin"],
            "--timezone 'Berlin': no such time zone; wanted a name such as ",
        ),
        (["--every", "60", "--endpoint", "http://h", "--profile", "x"], "unknown profile 'x'; known: oxigraph, "),
        (["--every", "60", "--profile", "fuseki"], "--profile is for a store; wanted --endpoint URL too"),
        (["--every", "60", "--endpoint", "http://u:s3cret@h"], "endpoint: wanted a plain URL, without user name, "),
        (["--every", "60", "--time-limit", "-1"], "--time-limit -1: wanted a number of seconds, or 0 for no limit"),
        (["--every", "0"], "--every 0: wanted seconds from 1 to 315360000 (ten years)"),
        (["--every", "-5"], "--every -5: wanted seconds from 1 to 315360000 (ten years)"),
        (["--every", "nan"], "--every nan: wanted seconds from 1 to 315360000 (ten years)"),
        (["--every", "1e300"], "--every 1e+300: wanted seconds from 1 to 315360000 (ten years)"),
    ],
)
def test_wrong_time_is_refused(kgmill, source, tmp_path, when, line):
    """A time that is none is said before any server is asked for."""
    done = kgmill("schedule", source, "--out", tmp_path / "out", *when)
    assert (done.code, len(done.errors), (tmp_path / "out").exists()) == (2, 1, False)
    assert done.errors[0].startswith(f"kgmill: {line}")
