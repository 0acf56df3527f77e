"""What can be wrong with a build, asked before anything is touched."""

from __future__ import annotations

import glob
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from kgmill.extractor.modelfolder import find_model, model_fingerprint, model_languages, model_passage
from kgmill.extractor.neural.devices import check_device, check_precision, choose_precision
from kgmill.extractor.references import are_read
from kgmill.extractor.text.language import check_languages
from kgmill.pipelines.context import RunContext
from kgmill.pipelines.decoding import Decoding
from kgmill.pipelines.engine.runners import LOCAL, check_runner
from kgmill.pipelines.graph.formats import known_formats
from kgmill.pipelines.graph.vocabulary import Namespace
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.format import check_format
from kgmill.pipelines.output.ledger import last_run, now
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.sources.find import SourceFile, find_files, fixed_part
from kgmill.pipelines.storage.files import hash_file
from kgmill.pipelines.urls import file_system, split_url
from kgmill.schemas.config import BuildConfig, dataset_name, default_base
from kgmill.schemas.decisions import Decisions, load_links
from kgmill.schemas.errors import CheckpointError, ConfigError, OutputError, TooManyRejectsError

# Rejects that say nothing about the quality of the sources.
_NO_FAULTS = ("duplicate", "near_duplicate", "language", "forgotten")


def check_build(
    sources: tuple[str, ...],
    out: str | Path,
    config: BuildConfig,
    *,
    runner: str = LOCAL,
    beam_options: Sequence[str] = (),
    n_workers: int = 0,
    yes: bool = False,
    started: str = "",
) -> RunContext:
    """The context of a run, if nothing is wrong; touches nothing.

    Raises:
        UsageError: a source, the runner or its options, the device, the model, the ontology or the output is wrong.
    """
    if n_workers < 0:
        raise ConfigError(f"--workers {n_workers}: wanted a number of CPU threads, or 0 for all of them")
    check_runner(runner, beam_options)
    check_formats(config.formats)
    device = _check_device(config, runner)
    config = config.model_copy(update={"precision": choose_precision(device, config.precision, lambda: gpus()[1])})
    store = Store(out)
    store.storage.check()
    check_format(store)
    if sources:  # a later stage alone reads none
        check_places(sources, store.where)
        check_nothing_lost(find_files(sources, config.source), store.where)
    folder = find_model(config.model)
    config = config.model_copy(update={"passage": config.passage or model_passage(folder)})
    model, languages = model_fingerprint(folder), model_languages(folder)
    config = config.model_copy(update={"references": config.references and are_read(config.passage, languages)})
    check_languages(languages)
    decoding = Decoding.of(config, folder)
    ontology = decoding.ontology
    whole = named(config, store)
    Namespace(whole.base_iri, whole.dataset, ontology)
    decisions = Decisions.load(Path(config.decisions)) if config.decisions else Decisions()
    decisions.check_relations(config.decisions, ontology.relations)
    return RunContext(
        sources=sources,
        out=store.where,
        config=whole,
        model_folder=str(folder),
        model=model,
        languages=languages,
        calibration=decoding.calibration.as_dict(),
        ontology=ontology,
        columns=decoding.columns,
        decisions=decisions,
        pins=pin_files(config.pin) if config.pin else (),
        links=load_links(Path(config.links)) if config.links else {},
        device=device,
        runner=runner,
        beam_options=tuple(beam_options),
        n_workers=n_workers,
        yes=yes,
        started=started or now(),
    )


def pin_files(place: str) -> tuple[tuple[str, str], ...]:
    """The Parquet files of a table `names`, a file or all of a folder, each with its SHA-256.

    Raises:
        ConfigError: there are none, or one is no such table.
    """
    path = Path(place)
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise ConfigError(f"--pin {place}: holds no Parquet file; give DIR/tables/names of an earlier build, or a copy")
    for file in files:
        try:
            columns = set(pq.read_schema(file).names)
        except (OSError, pa.ArrowInvalid) as error:
            raise ConfigError(f"--pin {file}: not a Parquet file: {str(error).splitlines()[0]}") from None
        if lacking := sorted({"entity_id", "name", "rule", "n_mentions"} - columns):
            raise ConfigError(f"--pin {file}: not a table of names, which has the columns {', '.join(lacking)} too")
    return tuple((str(file.resolve()), hash_file(file)) for file in files)


def check_formats(names: Sequence[str]) -> None:
    """Makes sure that graphs can be written in all of these formats.

    Raises:
        ConfigError: there is no such format.
    """
    known = known_formats()
    if unknown := sorted(set(names) - set(known)):
        raise ConfigError(f"formats: unknown formats {unknown}; known are {', '.join(known)}")


def named(config: BuildConfig, store: Store) -> BuildConfig:
    """The configuration with a dataset and a base IRI: given ones, those that the folder was built with, or its own.

    A folder keeps its names, so that moving it, or leaving `--base-iri` out the next time, renames nothing in a store.
    """
    before = last_run(store).get("config", {})
    kept = str(before.get("dataset", ""))
    dataset = config.dataset or kept or dataset_name(store.storage.name)
    base = config.base_iri or str(before.get("base_iri", ""))
    if not base or (not config.base_iri and base == default_base(kept)):
        base = default_base(dataset)
    return config.model_copy(update={"dataset": dataset, "base_iri": base})


def check_places(sources: Sequence[str], out: str) -> None:
    """Makes sure that no source is the output folder or lies in it, also by links; touches nothing.

    Raises:
        OutputError: one is, or does.
    """
    for source in sources:
        protocol, path = split_url(source)
        is_far = bool(split_url(out)[0])
        if protocol and is_far:
            fs, where = file_system(source)
            found = str(fs.unstrip_protocol(where.rstrip("/")))
            if found == out:
                raise OutputError(f"{out}: is the source {source} itself; give --out a folder of its own")
            if found.startswith(f"{out}/"):
                raise OutputError(f"{out}: the source {source} lies inside; give --out a folder of its own")
        if protocol or is_far or not path.strip():
            continue
        wanted = Path(out)
        is_pattern = glob.has_magic(path) and not Path(path).exists()
        place = Path(fixed_part(path) if is_pattern else path).resolve()
        if place == wanted:
            raise OutputError(f"{out}: is the source {source} itself; give --out a folder of its own")
        if place.is_relative_to(wanted):
            raise OutputError(f"{out}: the source {source} lies inside; give --out a folder of its own")


def check_nothing_lost(files: Sequence[SourceFile], out: str) -> None:
    """Makes sure that the output folder, which is no source from its first build on, has no document before that.

    Raises:
        OutputError: it has.
    """
    lost = next((file.path for file in files if file.path.startswith(f"{out}/")), None)
    if lost:
        raise OutputError(f"{out}: holds documents, such as {lost}, that no build would see again; give a new folder")


def check_finished(store: Store, stages: Sequence[str]) -> None:
    """Makes sure that stages before a later one ended here; touches nothing.

    Raises:
        OutputError: one of them never finished here, or lost a part since.
    """
    for stage in stages:
        if not (listed := store.listed(stage)) or len(store.live(stage)) < len(listed):
            raise OutputError(f"{store.where}: no finished {stage} here; run kgmill {stage} first")


def check_rejects(n_read: int, reasons: Mapping[str, int], max_ratio: float, out: str) -> None:
    """Fails a build that is done if more of its documents were rejected than the configuration allows.

    Raises:
        TooManyRejectsError: naming how many of how many, and where they are listed.
    """
    n_faults = sum(n for reason, n in reasons.items() if reason not in _NO_FAULTS)
    if n_faults > max_ratio * n_read:
        raise TooManyRejectsError(
            f"{n_faults} of {n_read} documents were rejected, more than --max-reject-ratio {max_ratio}; "
            f"see {out}/{layout.TABLES}/rejects"
        )


def _check_device(config: BuildConfig, runner: str) -> str:
    """The kind of device; GPUs are counted only where one was asked for by name and the model runs on this machine."""
    device = resolve_device(config.device)
    check_precision(device, config.precision)
    if runner == LOCAL:
        check_device(config.device, lambda: gpus()[0])
    return device


@cache
def gpus() -> tuple[int, bool]:
    """The GPUs that torch sees, and whether the first computes in bfloat16 itself.

    Where this machine has none, those of the workers are taken to. Asked in a process: this one does without torch.

    Raises:
        CheckpointError: torch fails.
    """
    if "+cpu" in version("torch"):
        return 0, True
    asked = subprocess.run([sys.executable, "-P", "-c", _ASK_TORCH], capture_output=True, text=True, check=False)
    try:
        n, has_bf16 = map(int, asked.stdout.split())
    except ValueError:
        said = (asked.stderr.strip() or f"exit code {asked.returncode}").splitlines()[-1]
        raise CheckpointError(f"torch can't be asked for GPUs: {said}; say --device cpu, or mend torch") from None
    return n, bool(has_bf16)


_ASK_TORCH = """
import torch
n = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(n, int(not n or torch.cuda.is_bf16_supported(including_emulation=False)))
"""


def resolve_device(name: str) -> str:
    """What `auto` means on this machine, found without importing torch: `cuda` or `cpu`; other names as they are."""
    if name != "auto":
        return name
    return "cuda" if Path("/dev/nvidiactl").exists() and "+cpu" not in version("torch") else "cpu"
