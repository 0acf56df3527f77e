"""The command `kgmill`. Only the parser lives here: what a command needs is imported when it runs."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from kgmill import __version__
from kgmill.pipelines.stages.stage import NAMES
from kgmill.pipelines.triplestores.profiles import DEFAULT_PROFILE, PROFILES
from kgmill.schemas.errors import KgmillError
from kgmill.schemas.text import printable

_FORMATS = ("spert", "dygie")
_PRECISIONS = ("fp32", "bf16", "fp16", "int8")
_GOES_ON = {
    **dict.fromkeys(("build", *NAMES), "; the next run goes on from the last committed work unit"),
    "train": "; the next run goes on after the last whole epoch",
    "load": "; the next load goes on from what the store holds",
}


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the command line; ends the process with the contract's exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    logging.getLogger().addHandler(logging.NullHandler())  # the command says what there is to say
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the threads are ours, and forks of tokenizers' own warn
    sys.exit(run(sys.argv[1:] if argv is None else argv))


class Terminated(KeyboardInterrupt):
    """SIGTERM came: what runs is left in order, as with Ctrl-C."""


def _terminate(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end has begun; it takes seconds, and a second one spoils it
    raise Terminated("stopped by SIGTERM")


def run(argv: Sequence[str]) -> int:
    """Runs a command line; returns the exit code: 0 done, 1 failed, 2 wrong, 3 too many rejects, 130, 143 stopped."""
    for argument in argv:
        if (shown := argument.encode(errors="backslashreplace").decode()) != argument:
            print(f"kgmill: {shown}: not UTF-8; give a name that is", file=sys.stderr)
            return 2
    args, beam_options = list(argv), []
    if "--" in args:
        cut = args.index("--")
        args, beam_options = args[:cut], args[cut + 1 :]
    options = parser().parse_args(args)
    options.beam_options = beam_options
    module, _, function = options.handler.partition(":")
    try:
        return int(getattr(import_module(module), function)(options) or 0)
    except KgmillError as error:
        print(f"kgmill: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(printable(f"kgmill: {error.filename or 'system'}: {error.strerror or error}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print(f"kgmill: stopped{_GOES_ON.get(options.command, '')}", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(prog="kgmill", description="Turns a corpus of text into a typed knowledge graph.")
    top.add_argument("--version", action="version", version=f"kgmill {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    build = _command(commands, "build", "corpus to graph: ingest, extract, decode, aggregate, export", "graph:build")
    _build_options(build)
    how = build.add_mutually_exclusive_group()
    how.add_argument("--prefect", action="store_true", default=None, help="run as a Prefect flow")
    how.add_argument("--no-prefect", dest="prefect", action="store_false", help="run without Prefect")
    plan = _command(commands, "plan", "what a build would reuse, run and drop; touches nothing", "graph:plan")
    _build_options(plan)
    plan.add_argument("--json", action="store_true", help="print the plan as JSON")
    for stage in NAMES:
        one = _command(commands, stage, f"only the stage {stage} of a build", "graph:stage")
        one.set_defaults(stage=stage)
        _build_options(one, can_be_a_folder=stage == "export")
    schedule = _command(commands, "schedule", "serve a build as a scheduled Prefect deployment", "graph:schedule")
    _build_options(schedule)
    when = schedule.add_mutually_exclusive_group(required=True)
    when.add_argument("--cron", metavar="EXPR", help="such as '0 3 * * *'")
    when.add_argument("--every", metavar="SECONDS", type=float)

    gc = _command(commands, "gc", "remove what dead runs left in an output folder", "graph:gc")
    gc.add_argument("dir", metavar="DIR")
    gc.add_argument("--keep-runs", metavar="N", type=_count, help="keep the newest N run.json and changes (all)")
    gc.add_argument("--dry-run", action="store_true", help="only say what would go")
    query = _command(commands, "query", "ask a finished graph in SPARQL", "graph:query")
    query.add_argument("dir", metavar="DIR")
    query.add_argument("sparql", metavar="SPARQL", help="the query, or @FILE to read it from a file")
    query.add_argument("--format", choices=("table", "json", "csv"), default="table")
    query.add_argument("--timeout", metavar="SECONDS", type=float, help="how long it may take (default: no limit)")
    load = _command(commands, "load", "load a finished graph into a triple store; repeatable", "graph:load")
    load.add_argument("dir", metavar="DIR")
    load.add_argument("--endpoint", metavar="URL", required=True)
    kinds = ", ".join(PROFILES)
    load.add_argument("--profile", default=DEFAULT_PROFILE, help=f"the kind of store: {kinds} (default: %(default)s)")
    load.add_argument("--facts", choices=("graph", "default"), default="graph", help="where entities and facts go")
    load.add_argument("--prune", action="store_true", help="remove what others put under this dataset's name")
    load.add_argument("--adopt", action="store_true", help="take over what this folder loaded by kgmill 0.1.0")
    load.add_argument("--yes", action="store_true", help="go on though over 20 %% of the documents would leave")

    train = _command(commands, "train", "train a model", "model:train")
    train.add_argument("config", metavar="F.toml")
    train.add_argument("--exclude", metavar="FILE", action="append", help="sentences, or hashes, not to train on")
    _complete_options(_command(commands, "complete", "add to annotated data what a model finds", "model:complete"))
    evaluate = _command(commands, "evaluate", "score a model on annotated sentences", "model:evaluate")
    _model_options(evaluate)
    evaluate.add_argument("--data", metavar="FILE", required=True)
    evaluate.add_argument("--format", default="spert", choices=_FORMATS)
    evaluate.add_argument("--min-confidence", type=float, default=0.4, metavar="P")
    evaluate.add_argument("--sizes", action="store_true", help="also by entity length and relation distance")
    evaluate.add_argument("--json", action="store_true", help="print the report as JSON")
    predict = _command(commands, "predict", "mentions and relations of text, as JSON lines", "model:predict")
    _model_options(predict)
    predict.add_argument("files", metavar="FILE", nargs="*", help="text files; none: standard input")
    predict.add_argument("--text", help="the text itself")
    predict.add_argument("--min-confidence", type=float, default=0.4, metavar="P")
    calibrate = _command(
        commands, "calibrate", "fit a model's confidence to data it was not trained on", "model:calibrate"
    )
    _model_options(calibrate)
    calibrate.add_argument("--data", metavar="FILE", required=True)
    calibrate.add_argument("--format", default="spert", choices=_FORMATS)
    calibrate.add_argument("--into", metavar="FOLDER", help="model folder to write calibration.json into (the model's)")
    calibrate.add_argument("--wanted-precision", type=float, default=0.0, metavar="P", help="choose a threshold a type")
    calibrate.add_argument("--svg", metavar="FILE", help="write a reliability diagram")
    stats = _command(commands, "stats", "data distributions, beside the paper's", "model:stats")
    stats.add_argument("data", metavar="FILE", nargs="+")
    stats.add_argument("--format", default="spert", choices=_FORMATS)
    stats.add_argument("--hashes", metavar="OUT.toml", help="write the sentences' hashes, for `train --exclude`")
    convert = _command(commands, "convert", "annotated data from one format to the other", "model:convert")
    convert.add_argument("source", metavar="SOURCE")
    convert.add_argument("target", metavar="TARGET")
    convert.add_argument("--from", dest="source_format", required=True, choices=_FORMATS)
    convert.add_argument("--to", dest="target_format", required=True, choices=_FORMATS)
    return top


def _command(commands: argparse._SubParsersAction, name: str, text: str, handler: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    module, _, function = handler.partition(":")
    command.set_defaults(handler=f"kgmill.flows.{module}_commands:{function}", command=name)
    return command


def _build_options(command: argparse.ArgumentParser, *, can_be_a_folder: bool = False) -> None:
    sources = "a file, folder, quoted pattern or URL" + (
        "; without --out: the output folder" if can_be_a_folder else ""
    )
    command.add_argument("sources", metavar="SOURCE", nargs="+", help=sources)
    command.add_argument("--out", metavar="DIR", required=not can_be_a_folder, type=_folder)
    command.add_argument("--config", metavar="F.toml", help="everything below as keys; flags win")
    command.add_argument("--model", metavar="NAME|PATH", help="a shipped model or a model folder (default: default)")
    command.add_argument("--ontology", metavar="F.toml", help="default: the model's")
    command.add_argument("--device", metavar="auto|cpu|cuda[:N]")
    command.add_argument("--precision", choices=_PRECISIONS)
    command.add_argument(
        "--mode", choices=("snapshot", "append"), help="what is not in SOURCE any more leaves, or stays"
    )
    command.add_argument("--yes", action="store_true", help="go on though over 20 %% of the documents would leave")
    command.add_argument("--min-confidence", metavar="P", type=float)
    command.add_argument("--base-iri", metavar="IRI")
    command.add_argument("--dataset", metavar="NAME")
    command.add_argument("--formats", metavar="nq,graphml,json", type=lambda text: tuple(text.split(",")))
    command.add_argument("--max-reject-ratio", metavar="R", type=float)
    command.add_argument(
        "--retry-rejects", action="store_true", default=None, help="try documents again that the model broke on"
    )
    command.add_argument(
        "--any-language",
        action="store_true",
        default=None,
        help="read documents too that aren't in the model's language",
    )
    command.add_argument("--runner", default="FnApiRunner", help="Beam runner; its options follow after --")
    command.add_argument("--workers", metavar="N", type=int, default=0, help="CPU threads that predict (default: all)")


def _folder(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("wanted a folder, got an empty name; . is this one")
    return text


def _complete_options(command: argparse.ArgumentParser) -> None:
    _model_options(command)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", metavar="FILE", help="annotated sentences, under the labels of the model")
    what.add_argument("--config", metavar="F.toml", help="each set of a training that names a file `completed`")
    command.add_argument("--out", metavar="FILE", help="the file to write, with --data")
    command.add_argument("--format", default="spert", choices=_FORMATS)
    help_text = "confidence from which on {}"
    for name, default, then in (
        ("entities", 0.5, "an entity is added"),
        ("relations", 0.6, "a relation is added"),
        ("doubt", 0.2, "what is not added is doubtful, and not trained on"),
    ):
        command.add_argument(
            f"--{name}", type=_share, default=default, metavar="P", help=f"{help_text.format(then)} ({default})"
        )


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no confidence over 0 and up to 1")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs")
    return int(text)


def _model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", default="default", metavar="NAME|PATH")
    command.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]")
    command.add_argument("--precision", default="fp32", choices=_PRECISIONS)


if __name__ == "__main__":
    main()
