"""Log lines of a run: an object or a line each, with where they come from, and never a secret."""

import json
import logging
import re

import pytest

from kgmill.flows.logs import JsonLine, TextLine, logging_to, without_secrets
from kgmill.flows.terminal import Voice, note, progress, speaking
from kgmill.schemas.errors import ConfigError, LockError

WHERE = {"run": "2026-11-27T030000Z", "dataset": "news", "stage": "extract", "unit": "00-0000"}


def record(message, *args, where=WHERE, error=None, level=logging.WARNING):
    """A record of a module at 03:00:00.25 on 27 November 2026."""
    made = logging.LogRecord("kgmill.extractor.predict", level, "", 0, message, args, None)
    made.created, made.where = 1795748400.25, where
    if error:
        made.exc_info = (type(error), error, error.__traceback__)
    return made


def raised(error):
    """The error, as if it were raised here."""
    try:
        raise error
    except type(error) as caught:
        return caught


def test_json_line():
    """Time in UTC as RFC 3339 has it, level, logger, message, run, dataset, stage and unit."""
    assert JsonLine().format(record("out of memory with %d rows", 8)) == (
        '{"time": "2026-11-27T03:00:00.250Z", "level": "WARNING", "logger": "kgmill.extractor.predict", '
        '"message": "out of memory with 8 rows", "run": "2026-11-27T030000Z", "dataset": "news", "stage": "extract", '
        '"unit": "00-0000"}'
    )


def test_json_line_of_an_error():
    """An error of ours has its line, any other where it was raised; what is not known is null; all is one line."""
    ours = json.loads(JsonLine().format(record("failed", where={}, error=raised(LockError("kg: held")))))
    assert (ours["exception"], ours["unit"], ours["run"]) == ("LockError: kg: held", None, None)
    line = JsonLine().format(record("a\nb\u2028c\x1b[2J", error=raised(ValueError("no"))))
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == "a\nb\u2028c\x1b[2J"
    assert re.fullmatch(
        r'Traceback \(most recent call last\):\n  File ".*", line \d+, in raised\n(?s:.*)ValueError: no',
        json.loads(line)["exception"],
    )


def test_text_line():
    """The same for people; an exception's lines stand below it, and nothing reaches a terminal as a command."""
    assert TextLine().format(record("out of\x1b memory")) == (
        "2026-11-27T03:00:00.250Z WARNING kgmill.extractor.predict run=2026-11-27T030000Z dataset=news stage=extract "
        "unit=00-0000: out of\\x1b memory"
    )
    lines = TextLine().format(record("failed", where={}, error=raised(LockError("kg: held")))).splitlines()
    assert lines == [
        "2026-11-27T03:00:00.250Z WARNING kgmill.extractor.predict: failed",
        "  LockError: kg: held",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://ada:x1@kg.example.org/sparql: 401", "https://***@kg.example.org/sparql: 401"),
        ("s3://bucket/a?X-Amz-Signature=abc&n=1", "s3://bucket/a?X-Amz-Signature=***&n=1"),
        ("Authorization: Basic YWRh", "Authorization: Basic ***"),
        ("{'password': 'x1', 'n': 1}", "{'password': ***', 'n': 1}"),
        ("KGMILL_STORE_PASSWORD=x1", "KGMILL_STORE_PASSWORD=***"),
        ("https://kg.example.org/a@b: 7 tokens", "https://kg.example.org/a@b: 7 tokens"),
    ],
)
def test_secrets_are_left_out(text, expected):
    """Logins of URLs, and what follows the name of a secret, are in no line: messages and exceptions alike."""
    assert without_secrets(text) == expected
    line = JsonLine().format(record("%s", text, error=raised(ValueError(text))))
    assert json.loads(line)["message"] == expected
    assert "x1" not in line


def test_file_is_appended_to(tmp_path):
    """Two runs, one file; who had a handler or a level before has them after."""
    logger, file = logging.getLogger("kgmill"), tmp_path / "log.jsonl"
    before = (logger.level, logger.propagate, logger.handlers[:])
    for n in (1, 2):
        with logging_to("json", str(file)):
            logging.getLogger("kgmill.flows.tests").info("run %d", n)
            logging.getLogger("kgmill.flows.tests").debug("not said")
    assert [json.loads(line)["message"] for line in file.read_text().splitlines()] == ["run 1", "run 2"]
    assert (logger.level, logger.propagate, logger.handlers) == before


def test_file_that_cannot_be_written(tmp_path):
    """It is refused in a line, before anything is done."""
    with (
        pytest.raises(ConfigError, match=r"^--log-file .*/none/log: No such file or directory$"),
        logging_to("", str(tmp_path / "none" / "log")),
    ):
        pass


def test_standard_error_has_log_lines_alone(capsys):
    """Notes are log lines there, and bars and the lines of progress are not shown."""
    with speaking(Voice(verbose=True, progress="lines")), logging_to("json", ""), progress("documents") as shown:
        note("kgmill: a worker died")
        shown.update("extract", 0.5, 10)
        logging.getLogger("kgmill.flows.tests").debug("unit done")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("WARNING", "a worker died"),
        ("DEBUG", "unit done"),
    ]


def test_notes_are_in_a_file_too(tmp_path, capsys):
    """What people are told on standard error, a file has as well, once."""
    with speaking(Voice(verbose=True)), logging_to("", str(tmp_path / "log")):
        note("kgmill: a worker died")
    assert capsys.readouterr().err == "kgmill: a worker died\n"
    [line] = (tmp_path / "log").read_text().splitlines()
    assert line.endswith(" WARNING kgmill.flows.terminal: a worker died")


@pytest.mark.parametrize("command", ["resolve", "export", "forget"])
def test_every_command_is_watched_in_one_way(kgmill, copy, tmp_path, monkeypatch, command):
    """A flag, the variable or a key of --config begins a log and metrics, in this order; the run before has no say."""
    before = json.loads((copy / "run.json").read_text())
    before["config"] |= {"log_file": str(tmp_path / "before.log"), "metrics": str(tmp_path / "before.prom")}
    (copy / "run.json").write_text(json.dumps(before))
    (tmp_path / "f.toml").write_text(f'log_file = "{tmp_path}/key.log"\nmetrics = "{tmp_path}/key.prom"\n')

    def run(code, document, *options):
        documents = [document] if command == "forget" else []
        assert kgmill(command, copy, *documents, "--config", tmp_path / "f.toml", *options).code == code
        return {path.name for path in tmp_path.glob("*.*")} - {"f.toml"}

    assert run(0, "letters/b.txt") == {"key.log", "key.prom"}
    kept = (tmp_path / "key.log").read_text()
    monkeypatch.setenv("KGMILL_LOG_FILE", str(tmp_path / "variable.log"))
    assert run(0, "a.txt") == {"key.log", "key.prom", "variable.log"}
    wrong = [] if command == "forget" else ["--model", "none"]
    assert run(2, "none", "--log-file", tmp_path / "flag.log", *wrong) >= {"flag.log"}
    assert (" done: " in kept, (tmp_path / "key.log").read_text()) == (True, kept)
    assert "kgmill_documents" in (tmp_path / "key.prom").read_text()
    assert " ERROR " in (tmp_path / "flag.log").read_text()
