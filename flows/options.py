"""Options that several commands share: types that typer reads, and values that hold what belongs together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, BadParameter, Option

from kgmill.flows.notes import note_slow
from kgmill.schemas.annotation import AnnotationFormat
from kgmill.schemas.errors import UsageError

if TYPE_CHECKING:
    from kgmill.pipelines.context import RunContext
    from kgmill.schemas.config import BuildConfig

_MODEL, _DOCUMENTS, _GRAPH, _RUN = "Model", "Documents", "Graph", "How it runs"  # panels of the help
_WATCH = "How it is watched"
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]


def folder(text: str) -> str:
    """A folder's name, which is not empty."""
    if not text.strip():
        raise BadParameter("wanted a folder, got an empty name; . is this one")
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


Sources = Annotated[list[str], Argument(metavar="SOURCE", help="a file, folder, quoted pattern or URL")]
Out = Annotated[str, Option("--out", metavar="DIR", parser=folder, help="the output folder")]
Dir = Annotated[str, Argument(metavar="DIR", help="the output folder of a build")]
DataFile = Annotated[str | None, Option("--data", metavar="FILE", help="annotated sentences")]
DevSets = Annotated[
    str | None, Option("--config", metavar="F.toml", help="instead of a file: a training's [[dev]] sets")
]
DataFormat = Annotated[AnnotationFormat, Option("--format", help="how the annotated data is written")]
MinConfidence = Annotated[float, Option("--min-confidence", metavar="P")]
Json = Annotated[bool, Option("--json", rich_help_panel="Output", help="print it as JSON, for programs")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Which model, and where it computes."""

    model: Annotated[str, Option("--model", metavar="NAME|PATH", help="a shipped model or a model folder")] = "default"
    device: Annotated[str, Option("--device", metavar="auto|cpu|cuda[:N]")] = "auto"
    precision: Annotated[Precision, Option("--precision")] = "fp32"


Runner = Annotated[
    str, Option("--runner", rich_help_panel=_RUN, metavar="NAME", help="Beam runner; its options follow after --")
]
Workers = Annotated[
    int,
    Option(
        "--workers",
        rich_help_panel=_RUN,
        metavar="N",
        show_default=False,
        help="CPU threads that predict, or an engine's workers (default: all)",
    ),
]


ConfigFile = Annotated[str | None, Option("--config", metavar="F.toml", help="the same as keys, and more; flags win")]
LogFormat = Annotated[
    Literal["text", "json"] | None,
    Option(
        "--log-format",
        rich_help_panel=_WATCH,
        envvar="KGMILL_LOG_FORMAT",
        help="log lines, to --log-file or instead of all else on standard error",
    ),
]
LogFile = Annotated[
    str | None,
    Option("--log-file", rich_help_panel=_WATCH, metavar="FILE", envvar="KGMILL_LOG_FILE", help="append the log to it"),
]
Metrics = Annotated[
    str | None,
    Option(
        "--metrics",
        rich_help_panel=_WATCH,
        metavar="FILE.prom",
        envvar="KGMILL_METRICS",
        help="keep a text file of metrics for Prometheus",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """How a run is watched that decides nothing else; a part of BuildOptions."""

    file: ConfigFile = None
    log_format: LogFormat = None
    log_file: LogFile = None
    metrics: Metrics = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Where a build would run.

    Attributes:
        beam_options: what stands after `--`.
    """

    runner: Runner = "FnApiRunner"
    workers: Workers = 0
    beam_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How to build. A field with a key's name is that key of the configuration, where it is given.

    Attributes:
        beam_options: what stands after `--`.
    """

    file: ConfigFile = None
    model: Annotated[
        str | None,
        Option("--model", rich_help_panel=_MODEL, metavar="NAME|PATH", help="a shipped model or a model folder"),
    ] = None
    ontology: Annotated[
        str | None,
        Option(
            "--ontology",
            rich_help_panel=_MODEL,
            metavar="F.toml|all",
            help="default: the model's without masked relations",
        ),
    ] = None
    device: Annotated[str | None, Option("--device", rich_help_panel=_MODEL, metavar="auto|cpu|cuda[:N]")] = None
    precision: Annotated[Precision | None, Option("--precision", rich_help_panel=_MODEL)] = None
    passage: Annotated[int | None, Option("--passage", rich_help_panel=_MODEL, metavar="SENTENCES")] = None
    references: Annotated[bool | None, Option("--references/--no-references", rich_help_panel=_MODEL)] = None
    mode: Annotated[
        Literal["snapshot", "append"] | None,
        Option("--mode", rich_help_panel=_DOCUMENTS, help="what is not in SOURCE any more leaves, or stays"),
    ] = None
    yes: Annotated[
        bool, Option("--yes", rich_help_panel=_DOCUMENTS, help="go on though over 20 % of the documents would leave")
    ] = False
    min_confidence: Annotated[float | None, Option("--min-confidence", rich_help_panel=_GRAPH, metavar="P")] = None
    decisions: Annotated[
        str | None,
        Option(
            "--decisions", rich_help_panel=_GRAPH, metavar="F.toml", help="what people have decided of names and facts"
        ),
    ] = None
    pin: Annotated[
        str | None,
        Option(
            "--pin",
            rich_help_panel=_GRAPH,
            metavar="FILE",
            help="tables/names of an earlier build: what had a name keeps its IRI",
        ),
    ] = None
    links: Annotated[
        str | None,
        Option(
            "--links",
            rich_help_panel=_GRAPH,
            metavar="FILE",
            help="CSV or TSV of name, type, iri: what others call entities",
        ),
    ] = None
    wanted_precision: Annotated[
        float | None,
        Option(
            "--wanted-precision",
            rich_help_panel=_GRAPH,
            metavar="P",
            help="how often facts are right that become plain triples",
        ),
    ] = None
    buckets: Annotated[
        int | None,
        Option(
            "--buckets",
            rich_help_panel=_GRAPH,
            metavar="N",
            help="pieces that the graph may be cut into: more for over 25 M mentions",
        ),
    ] = None
    base_iri: Annotated[str | None, Option("--base-iri", rich_help_panel=_GRAPH, metavar="IRI")] = None
    dataset: Annotated[str | None, Option("--dataset", rich_help_panel=_GRAPH, metavar="NAME")] = None
    formats: Annotated[
        object | None,
        Option(
            "--formats", rich_help_panel=_GRAPH, metavar="nq,graphml,json", parser=_names, help="files of DIR/graph"
        ),
    ] = None
    text: Annotated[
        Literal["none", "sentences", "full"] | None,
        Option(
            "--text", rich_help_panel=_GRAPH, help="of the documents' text, what the graph has besides the mentions"
        ),
    ] = None
    max_reject_ratio: Annotated[float | None, Option("--max-reject-ratio", rich_help_panel=_DOCUMENTS, metavar="R")] = (
        None
    )
    retry_rejects: Annotated[
        bool | None,
        Option("--retry-rejects", rich_help_panel=_DOCUMENTS, help="try documents again that the model broke on"),
    ] = None
    any_language: Annotated[
        bool | None,
        Option(
            "--any-language", rich_help_panel=_DOCUMENTS, help="read documents too that aren't in the model's language"
        ),
    ] = None
    runner: Runner = "FnApiRunner"
    workers: Workers = 0
    log_format: LogFormat = None
    log_file: LogFile = None
    metrics: Metrics = None
    beam_options: tuple[str, ...] = ()

    def config(self, before: dict[str, Any] | None = None) -> BuildConfig:
        """The configuration that a file and flags say; `before` stands under both."""
        from kgmill.schemas.config import BuildConfig

        given = {name: value for name, value in asdict(self).items() if name in BuildConfig.model_fields}
        return BuildConfig.load(Path(self.file) if self.file else None, given, before)

    @property
    def how(self) -> dict[str, Any]:
        """How a run goes, as `check_build` and the flow take it; it decides nothing of what comes out."""
        return {
            "n_workers": self.workers,
            "runner": self.runner,
            "beam_options": self.beam_options,
            "yes": self.yes,
        }

    def check(self, sources: list[str], out: str, config: BuildConfig) -> RunContext:
        """Asks all that can be wrong with a build, before anything is touched and before Prefect starts."""
        from kgmill.pipelines.checks import check_build

        context = check_build(tuple(sources), out, config, **self.how)
        note_slow(context.config.precision)
        return context


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitOptions:
    """How long a run may take, and what it does where another one is under way."""

    time_limit: Annotated[
        float, Option("--time-limit", metavar="SECONDS", show_default=False, help="that a run may take (default: any)")
    ] = 0.0
    when_busy: Annotated[
        Literal["wait", "skip", "fail"] | None,
        Option("--when-busy", help="where another build holds DIR (default: fail; on a schedule: wait)"),
    ] = None


def one_of(options: dict[str, object], *, is_needed: bool = False) -> None:
    """Refuses options that exclude one another.

    Args:
        options: what each was given, by its name; None or False where it wasn't.
        is_needed: one of them has to be given.

    Raises:
        UsageError: several were given, or none that is needed.
    """
    given = [name for name, value in options.items() if value is not None and value is not False]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude one another")
    if is_needed and not given:
        raise UsageError(f"wanted {' or '.join(options)}")
