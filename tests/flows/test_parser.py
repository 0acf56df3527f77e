"""How a command line is read: what typer takes otherwise than it is meant is refused, in one line."""

import shlex
from typing import get_args

import pytest

from kgmill.flows import cli, commands
from kgmill.flows.commands import find, lines
from kgmill.flows.options import BuildOptions
from kgmill.flows.parser import documented, parse, typer_command
from kgmill.flows.terminal import Voice
from kgmill.pipelines.stages.stage import NAMES
from kgmill.schemas.annotation import AnnotationFormat
from kgmill.schemas.errors import UsageError


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


@pytest.mark.parametrize("name", lines())
def test_help_is_whole_at_80_columns(capsys, name):
    """Every argument and option has words, and nothing is cut: what one may choose from is broken over lines."""
    assert cli.run([name, "--help"]) == 0
    shown = capsys.readouterr().out
    panels = [line for line in shown.splitlines() if line.startswith(("╭", "│", "╰"))]
    assert ("…" in shown, {len(line) for line in panels}) == (False, {80})
    command = find(name)
    assert [one.opts for one in documented(typer_command(command), command).params if not one.help] == []


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


@pytest.mark.parametrize("name", sorted(lines()))
def test_examples_are_understood_and_shown(name, capsys):
    """Every command has examples in its help, which the parser takes; no line of a panel is over 80 columns."""
    command = find(name)
    assert command.examples
    for example in command.examples:
        program, first, *arguments = shlex.split(example)
        assert (program, first) == ("kgmill", name)
        cut = arguments.index("--") if "--" in arguments else len(arguments)
        assert parse(command, arguments[:cut], arguments[cut + 1 :]).func is command.function
    assert parse(command, ["--help"], ()) is None
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line.startswith("│") and len(line) != 80] == []
    assert f"  {command.examples[0]}" in shown


def test_help_has_defaults_of_the_configuration(capsys):
    """An option that is a key has the key's default; one that only has its name has its own."""
    parse(find("build"), ["-h"], ())
    parse(find("predict"), ["-h"], ())
    built, predicted = " ".join(capsys.readouterr().out.replace("│", " ").split()).split("Usage: kgmill predict")
    assert "decode drops a mention or a relation [default: 0.4]" in built
    assert "[default: sentences]" in built
    assert "[default: sentences]" not in predicted


def test_every_command_can_be_quiet():
    """What a command says is an option of each, and no argument of its function."""
    call = parsed("gc d --quiet --progress json")
    assert "quiet" not in call
    assert parse(find("gc"), ["d", "-q"], ()).voice == Voice(quiet=True, progress="json")  # as the variable says
    with pytest.raises(UsageError, match="--quiet and --verbose exclude one another"):
        parsed("gc d -q -v")


@pytest.mark.parametrize(
    ("words", "at", "expected"),
    [
        ("kgmill bu", 1, ["build"]),
        ("kgmill build --mi", 2, ["--min-confidence"]),
        ("kgmill build --precision ", 3, ["auto", "fp32", "bf16", "fp16", "int8"]),
        ("kgmill debug ", 2, ["data"]),
        ("kgmill build x", 2, []),
    ],
)
def test_shells_complete(words, at, expected, monkeypatch, capsys):
    """Commands, options and choices; files are the shell's own."""
    for name, value in (("COMP_WORDS", words), ("COMP_CWORD", str(at)), ("_KGMILL_COMPLETE", "complete_bash")):
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        cli.main([])
    assert capsys.readouterr().out.split() == expected


def test_completion_is_installed_where_the_shell_looks(monkeypatch, tmp_path, capsys):
    """The script is shown, and written for a shell that is named; one that isn't known is refused."""
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    for shell in ("bash", "zsh", "fish"):
        assert cli.run(["--show-completion", shell]) == 0
        assert "_KGMILL_COMPLETE=complete_" in capsys.readouterr().out
        assert cli.run(["--install-completion", shell]) == 0
    assert len([path for path in tmp_path.rglob("*kgmill*") if path.is_file()]) == 3
    assert cli.run(["--install-completion", "tcsh"]) == 2
    assert "name one of bash, zsh, fish" in capsys.readouterr().err


def test_verbose_says_where_an_error_comes_from(tmp_path, capsys):
    """The one line, and above it the way to it."""
    assert cli.run(["gc", str(tmp_path / "none"), "-v"]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "Traceback (most recent call last):"
    assert shown[-1].startswith(f"kgmill: {tmp_path}/none: no output folder")
    assert cli.run(["gc", str(tmp_path / "none")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
