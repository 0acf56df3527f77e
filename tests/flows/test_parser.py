"""How a command line is read: what typer takes otherwise than it is meant is refused, in one line."""

from typing import get_args

import pytest

from kgmill.flows import cli, commands
from kgmill.flows.commands import find, lines
from kgmill.flows.options import BuildOptions
from kgmill.flows.parser import parse
from kgmill.pipelines.stages.stage import NAMES
from kgmill.schemas.errors import UsageError
from kgmill.schemas.training import AnnotationFormat


def parsed(command, *beam_options):
    name, *arguments = command.split()
    return parse(find(name), arguments, beam_options).keywords


def test_every_file_is_a_command():
    """Each file of the commands has a line of help and a function of its name; each stage of a build is a command."""
    found = {name: find(name) for name in lines()}
    assert {name for name, command in found.items() if not callable(command.function)} == set()
    assert {name for name, command in found.items() if command.line[-1:] != "." or len(command.line) > 80} == set()
    assert set(NAMES) <= set(found)


def test_command_is_found_by_its_file(tmp_path, monkeypatch, capsys):
    """A new file is a new command, with its line in the help; nothing else is touched."""
    text = '"""Say hello."""\n\n\ndef hello(name: str) -> None:\n    print(f"hello {name}")\n'
    (tmp_path / "hello.py").write_text(text)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])

    codes = [cli.run(["--help"]), cli.run(["hello", "Ada"])]

    shown = capsys.readouterr().out.splitlines()
    assert (codes, shown[-1], f"│ hello      Say hello.{' ' * 55} │" in shown) == ([0, 0], "hello Ada", True)


def test_options_of_a_build_come_as_one_value():
    """Flags are fields, what was not said is None, and what stands after -- is Beam's, as it is."""
    call = parsed("build a b --out x --formats nq,json --workers -3 --min-confidence nan --yes", "--x=1", "--", "-y")
    options = call["options"]
    assert (call["sources"], call["out"]) == (["a", "b"], "x")
    assert (options.formats, options.workers, options.yes, options.model) == (("nq", "json"), -3, True, None)
    assert str(options.min_confidence) == "nan"
    assert options.beam_options == ("--x=1", "--", "-y")
    assert isinstance(options, BuildOptions)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("build a", "missing option '--out'"),
        ("build --out x", "missing argument 'SOURCE'"),
        ("build a --out", "option '--out' requires an argument"),
        ("build a --out --yes", "option '--out' requires an argument"),
        ("build a --out x --modell y", "no option --modell (did you mean --mode or --model?)"),
        (
            "evaluate --data a --format b",
            f"invalid value for '--format': 'b' is not one of {', '.join(map(repr, get_args(AnnotationFormat)))}",
        ),
        ("gc d --keep-runs -1", "invalid value for '--keep-runs': '-1' is no number of runs"),
        (
            "complete --data a --out b --doubt 2",
            "invalid value for '--doubt': '2' is no confidence over 0 and up to 1",
        ),
    ],
)
def test_wrong_usage_is_one_line(command, line):
    """What is missing or no value of its option is named, with where to look."""
    name = command.split()[0]
    with pytest.raises(UsageError) as caught:
        parsed(command)
    assert str(caught.value) == f"{name}: {line}; see kgmill {name} --help"


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("build a --out x --prefect --no-prefect", "--prefect and --no-prefect exclude one another"),
        ("schedule a --out x", "wanted --cron or --every"),
        ("schedule a --out x --cron @daily --every 0", "--cron and --every exclude one another"),
        ("complete --out b", "wanted --data or --config"),
        ("complete --data a --out b --config c", "--data and --config exclude one another"),
        ("query d ASK{} -- --x=1", "query: takes no options after --"),
        ("--no-such", "no option --no-such; see kgmill --help"),
        ("", "wanted a command; see kgmill --help"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(capsys, command, line):
    """What excludes one another, what is needed, and what a command has no use for."""
    assert (cli.run(command.split()), capsys.readouterr().err) == (2, f"kgmill: {line}\n")


def test_unknown_command_is_one_line(capsys):
    """It is named, with one that is like it, or with those that there are."""
    assert (cli.run(["bild", "a"]), capsys.readouterr().err) == (
        2,
        "kgmill: no command bild (did you mean build?); see kgmill --help\n",
    )
    assert cli.run(["xyzzy"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("kgmill: no command xyzzy; there are aggregate, build, ")
    assert line.count("\n") == 1


def test_text_that_begins_with_a_dash_is_a_value():
    """A list item has a space in it, so it is no option; after = anything goes."""
    arguments = ["--text", "- Ada lives in Oslo ."]
    assert parse(find("predict"), arguments, ()).keywords["text"] == "- Ada lives in Oslo ."
    assert parsed("predict --text=--model")["text"] == "--model"
