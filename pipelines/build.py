"""A build: its stages, what each needs, and the ledger they end in. Runs with or without an orchestrator."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kgmill import __version__
from kgmill.extractor.calibration import Calibration, load_calibration
from kgmill.extractor.candidates import Floors
from kgmill.extractor.modelfolder import model_languages
from kgmill.pipelines.checks import check_build, check_finished, check_vanishing, named
from kgmill.pipelines.engine.job import Descriptor, Request, read_receipts
from kgmill.pipelines.engine.progress import Extent, Meter
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.pipelines.engine.supervise import supervise
from kgmill.pipelines.engine.worker import MODEL_JOB, Worker
from kgmill.pipelines.output.ledger import last_run, run_name, write_run
from kgmill.pipelines.output.origins import commit_origins, known_origins, known_others, publish_origins
from kgmill.pipelines.output.parts import Part, Store, remove
from kgmill.pipelines.output.upkeep import verify
from kgmill.pipelines.sources.find import Found, count_others, find
from kgmill.pipelines.stages import aggregate, changes, combine, decode, export, extract, ingest
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import DISK_HINTS, DiskError, KgmillError, UsageError, WorkerError
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.ontology import Ontology

STAGES = ("ingest", "extract", "decode", "aggregate", "export")
Progress = Callable[[str, float, int | None], None]
Note = Callable[[str], None]


@dataclass
class StageReport:
    """What a stage did.

    Attributes:
        seconds: wall time.
        model_seconds: time inside prediction, summed over work units.
        peak_rss_mb: highest memory of the worker in this stage; 0 where it had nothing to do.
        n_done, n_reused: work units made now, and found made.
    """

    seconds: float = 0.0
    model_seconds: float = 0.0
    peak_rss_mb: float = 0.0
    n_done: int = 0
    n_reused: int = 0


@dataclass
class Build:
    """One run over an output folder. The stages are methods, to be called in the order of STAGES inside `open_build`.

    Attributes:
        yes: go on though many documents would vanish.
        on_progress: told a job's name, the share of it that is done, and its documents, None until they are known.
        parts: the committed parts of each stage, in unit order.
        counts: the documents of the ledger.
        others: the files of the sources that are passed over, by rule.
        quads_changed: how many quads the graph got and lost; empty before it is published.
        graph_before: sha256 of the graph that this one took the place of; empty: there was none.
    """

    sources: tuple[str, ...]
    config: BuildConfig
    store: Store
    worker: Worker
    model_folder: Path
    model: str
    ontology: Ontology
    device: str
    runner: str = "FnApiRunner"
    beam_options: tuple[str, ...] = ()
    yes: bool = False
    on_progress: Progress = lambda job, share, n_documents: None
    on_note: Note = lambda line: None
    started: str = ""
    parts: dict[str, list[Part]] = field(default_factory=dict)
    reports: dict[str, StageReport] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    others: dict[str, int] = field(default_factory=dict)
    quads_changed: dict[str, int | None] = field(default_factory=dict)
    graph_before: str = ""

    def try_model(self) -> None:
        """Loads the model in the worker, which keeps it, unless an earlier run here did; touches nothing.

        What only loading shows (tensors that don't fit, a damaged tokenizer, no compiler) is so found before the first
        byte is written. A worker that dies of it is left to the stage, which tries again.

        Raises:
            UsageError: the model can't be used.
        """
        is_known = any(part.counts["key"] == self.extract_key for part in self.store.live("extract"))
        if is_known or self.runner != LOCAL:
            return
        self.on_progress(MODEL_JOB, 0.0, None)
        with TemporaryDirectory(prefix="kgmill-") as folder:
            request = Request(MODEL_JOB, folder, f"{folder}/request", [], self.predictor_settings)
            try:
                self.worker.run(request.save())
            except WorkerError as error:
                self.on_note(f"{MODEL_JOB}: {error}; it is started again")
        self.on_progress(MODEL_JOB, 1.0, None)

    def run_stage(self, stage: str) -> StageReport:
        """Runs one stage and publishes its tables; safe to call again after a failure."""
        started = perf_counter()
        report = StageReport()
        for name in (key for key in self.counts if key.startswith(f"{stage}.")):
            self.counts[name] = 0
        getattr(self, f"_{stage}")(report)
        report.seconds = round(perf_counter() - started, 3)
        self.reports[stage] = report
        return report

    def recall(self, stage: str) -> None:
        """Takes the parts that the last finished run of a stage left, so that a later stage can run alone.

        Raises:
            OutputError: that stage never finished here.
        """
        check_finished(self.store, [stage])
        self.parts[stage] = self.store.live(stage)
        if stage == "ingest":
            self.others = known_others(self.store)

    def find(self) -> Found:
        """What the sources have; in mode append a file that was read before keeps its name."""
        known = known_origins(self.store) if self.config.mode == "append" else {}
        return find(self.sources, self.config.source, self.store.root, known)

    def _ingest(self, report: StageReport) -> None:
        found = self.find()
        files = found.files
        self.others = count_others(found, self.config.source)
        key = ingest.source_key(files, self.config)
        live, is_whole = self.store.live("ingest"), self.store.is_whole("ingest")
        if self.is_ingested(key):
            for part in live:
                part.read_bytes("documents.parquet")  # a damaged one must not be taken for done
            self._finish_units("ingest", live, {}, report)
        else:
            if not is_whole and self.config.mode == "append":
                raise KgmillError(
                    f"{self.store.root}: some documents of earlier runs are gone; build without --mode append"
                )
            tasks, settings = ingest.plan(files, live, self.config)
            receipts = self._run("ingest", tasks, settings, ingest.extent(tasks, settings), report)
            for receipt in receipts.values():
                for name in ("added", "changed", "removed"):
                    self.counts[f"ingest.{name}"] += receipt[name]
            check_vanishing(self.counts["ingest.removed"], sum(part.counts["kept"] for part in live), self.yes)
            self._finish_units("ingest", [], receipts, report)
            if key != ingest.source_key(self.find().files, self.config):
                key = ""  # the sources changed while they were read: which version was met is not known
        known = known_origins(self.store) if self.config.mode == "append" else {}
        origins = commit_origins(self.store, self.parts["ingest"], known | found.origins, self.others)
        self.store.publish("ingest", self.parts["ingest"], ["documents"], key)
        publish_origins(self.store, origins)

    def is_ingested(self, key: str) -> bool:
        """Whether what is live was made from the sources of this key."""
        return key == self.store.live_key("ingest") and self.store.is_whole("ingest")

    def _extract(self, report: StageReport) -> None:
        retry_rejects = self.config.retry_rejects
        done, tasks = extract.plan(
            self.store, self.parts["ingest"], self.extract_key, self.languages, retry_rejects=retry_rejects
        )
        ingested = {part.unit: part for part in self.parts["ingest"]}
        self.counts["extract.reused"] += sum(ingested[part.unit].counts["kept"] for part in done)
        settings = {
            "predictor": self.predictor_settings,
            "floors": asdict(self.floors),
            "key": self.extract_key,
            "languages": self.languages,
            "timeout_s": self.config.document_timeout,
            "retry_rejects": retry_rejects,
        }
        receipts = self._run("extract", tasks, settings, self._documents_of(tasks), report) if tasks else {}
        for receipt in receipts.values():
            self.counts["extract.sentences"] += receipt["sentences"]
            self.counts["extract.reused"] += receipt["reused"]
            report.model_seconds = round(report.model_seconds + receipt["model_seconds"], 3)
        self._finish_units("extract", done, receipts, report)
        self.store.publish("extract", self.parts["extract"], [])

    def _decode(self, report: StageReport) -> None:
        settings = self.decode_settings
        done, tasks = decode.plan(self.store, self.parts["ingest"], self.parts["extract"], settings)
        receipts = self._run("decode", tasks, settings, self._documents_of(tasks), report) if tasks else {}
        self._finish_units("decode", done, receipts, report)
        self.store.publish("decode", self.parts["decode"], ["mentions", "relations"])

    def _aggregate(self, report: StageReport) -> None:
        n_bits = combine.partition_bits(self.parts["decode"])
        done, tasks = combine.plan(self.store, self.parts["decode"], n_bits)
        extent = self._partitions(task["unit"] for task in tasks)
        receipts = self._run("combine", tasks, {"n_bits": n_bits}, extent, report) if tasks else {}
        self._finish_units("combine", done, receipts, report)
        self.store.publish("combine", self.parts["combine"], [])
        done, tasks = aggregate.plan(self.store, self.parts["combine"], n_bits)
        settings = {"combined": [(part.unit, part.fingerprint) for part in self.parts["combine"]]}
        extent = self._partitions(task["unit"] for task in tasks)
        receipts = self._run("aggregate", tasks, settings, extent, report) if tasks else {}
        self._finish_units("aggregate", done, receipts, report)
        self.store.publish("aggregate", self.parts["aggregate"], ["entities", "facts", "evidence"])

    def _export(self, report: StageReport) -> None:
        settings = self.export_settings
        done, tasks, units = export.plan(
            self.store, self.parts["ingest"], self.parts["decode"], self.parts["aggregate"], settings
        )
        keys = {part.unit: part.fingerprint for part in done} | {task["unit"]: task["fingerprint"] for task in tasks}
        members = [(unit, keys[unit]) for unit in units]
        key = fingerprint({"version": export.VERSION, "members": members, "formats": self.config.formats})
        graph = self.store.find("graph", export.GRAPH_UNIT, key)
        receipts = {}
        if graph is None or tasks:
            settings |= {
                "key": key,
                "members": members,
                "formats": self.config.formats,
                "aggregated": [(part.unit, part.fingerprint) for part in self.parts["aggregate"]],
            }
            extent = self._partitions([*(task["unit"] for task in tasks), export.GRAPH_UNIT])
            receipts = self._run("export", tasks, settings, extent, report)
            receipts.pop(export.GRAPH_UNIT)
            graph = self.store.find("graph", export.GRAPH_UNIT, key)
        self._finish_units("export", done, receipts, report)
        if graph is None:
            raise KgmillError(f"{self.store.root}: the graph was written but can't be found; build again")
        self._publish_graph(graph, report)
        self.store.publish("export", self.parts["export"], [])

    def _publish_graph(self, graph: Part, report: StageReport) -> None:
        """Writes what changes, makes the graph live, and then lays the changes beside it.

        The graph's live key names the changes that led to it, so that a run that dies in between loses none: the next
        one finds them. Changes of a run that died earlier lead to no graph and go.
        """
        live, key = self.store.live("graph"), self.store.live_key("graph")
        self._release_changes(key)
        self.graph_before = live[0].counts.get("sha256", "") if live else ""
        if not live:
            self.quads_changed = {"added_quads": graph.counts["quads"], "removed_quads": 0}
        elif live[0].fingerprint == graph.fingerprint:
            self.quads_changed = {"added_quads": 0, "removed_quads": 0}
        else:
            run, members = run_name(self.started), live[0].counts.get("members", [])
            key = changes.change_key(run, live[0].fingerprint, graph.fingerprint)
            self.quads_changed = {"added_quads": None, "removed_quads": None}  # a member was deleted: not to be known
            if members and all(self.store.find("export", *member) for member in members):
                settings = {"key": key, "run": run, "before": members, "after": graph.counts["members"]}
                receipt = self._run("changes", [], settings, self._partitions([changes.UNIT]), report)[changes.UNIT]
                self.quads_changed = {name: receipt[name] for name in self.quads_changed}
        self.store.publish("graph", [graph], [], key)
        self.store.publish_files("graph", graph)
        self.parts["graph"] = [graph]
        self._release_changes(key)
        self.store.publish("changes", [], [])

    def _release_changes(self, key: str) -> None:
        if change := self.store.find("changes", changes.UNIT, key):
            self.store.release(change, "changes", change.counts["run"])

    def _run(
        self, job: str, tasks: list[Descriptor], settings: dict[str, Any], extent: Extent, report: StageReport
    ) -> dict[str, dict[str, Any]]:
        """Runs a job in the worker; returns its receipts, of which there must be one a unit."""
        scratch = self.store.scratch()
        request = Request(job, str(self.store.root), str(scratch), tasks, settings, self.runner, self.beam_options)
        meter = Meter(scratch, extent, partial(self.on_progress, job))
        reply = supervise(self.worker, request, meter.poll, self.on_note)
        meter.finish()
        report.peak_rss_mb = max(report.peak_rss_mb, reply["peak_rss_mb"])
        receipts = read_receipts(scratch)
        remove(scratch)
        if receipts.keys() != extent.units.keys():
            n_done, n_wanted = len(receipts), len(extent.units)
            raise KgmillError(f"{job}: {n_done} of {n_wanted} work units were committed; build again")
        return receipts

    def _documents_of(self, tasks: Iterable[Descriptor]) -> Extent:
        """What a job over units of documents has to do."""
        ingested = {part.unit: part.counts for part in self.parts["ingest"]}
        units = {task["unit"]: ingested[task["unit"]] for task in tasks}
        n_documents = sum(counts["kept"] for counts in units.values())
        return Extent({unit: 1.0 + counts["bytes"] for unit, counts in units.items()}, n_documents=n_documents)

    def _partitions(self, units: Iterable[str]) -> Extent:
        """What a job over parts of the graph has to do; all documents are in each."""
        n_documents = sum(part.counts["kept"] for part in self.parts["ingest"])
        return Extent(dict.fromkeys(units, 1.0), n_documents=n_documents)

    def _finish_units(
        self, stage: str, done: list[Part], receipts: dict[str, dict[str, Any]], report: StageReport
    ) -> None:
        made = [self.store.find(stage, unit, receipt["fingerprint"]) for unit, receipt in receipts.items()]
        self.parts[stage] = sorted([*done, *(part for part in made if part)], key=lambda part: part.unit)
        report.n_done, report.n_reused = len(made), len(done)

    @property
    def left_out(self) -> dict[str, int]:
        """What was left out of the documents, or replaced, and what was passed over, by rule."""
        counts = Counter(self.others)
        for part in self.parts.get("ingest", []):
            counts.update(part.counts.get("left_out", {}))
        for part in self.parts.get("extract", []):
            counts.update({f"language.{code}": n for code, n in part.counts.get("languages", {}).items()})
        return dict(sorted(counts.items()))

    @property
    def predictor_settings(self) -> dict[str, Any]:
        """How the worker opens the model."""
        return {
            "folder": str(self.model_folder),
            "device": self.device,
            "precision": self.config.precision,
            "n_threads": self.worker.n_threads,
            "is_compiled": self.config.compile,
        }

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that a document must be in to be read; none: any."""
        return () if self.config.any_language else model_languages(self.model_folder)

    @property
    def extract_key(self) -> str:
        """Fingerprint of all that decides a document's candidates."""
        kind = self.device.partition(":")[0]
        precision = self.config.precision + ("+compiled" if self.config.compile else "")
        return extract.extract_key(self.model, kind, precision, self.floors)

    @property
    def calibration(self) -> Calibration:
        """The model's calibration."""
        return load_calibration(self.model_folder)

    @property
    def floors(self) -> Floors:
        """The least margins of the candidates that extract keeps."""
        return self.calibration.floors(self.config.min_confidence, self.config.candidate_floor)

    @property
    def run_key(self) -> str:
        """16 hex digits that name the activity behind the statements: model, settings and ontology, no time."""
        return fingerprint({"extract": self.extract_key, "decode": self.decode_settings})[:16]

    @property
    def decode_settings(self) -> dict[str, Any]:
        """What decides how candidates become mentions and relations."""
        return {
            "ontology": self.ontology.rules(),
            "min_confidence": self.config.min_confidence,
            "calibration": asdict(self.calibration),
        }

    @property
    def export_settings(self) -> dict[str, Any]:
        """What decides how tables become graphs."""
        return {
            "base_iri": self.config.base_iri,
            "dataset": self.config.dataset,
            "ontology": self.ontology.model_dump(mode="json"),
            "run_key": self.run_key,
            "model": self.model,
            "model_name": f"kgmill two-phase {self.ontology.name}",
            "configuration": {
                "candidate_floor": self.config.candidate_floor,
                "device": self.device.partition(":")[0],
                "min_confidence": self.config.min_confidence,
                "precision": self.config.precision,
            },
        }

    @property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of all that decides, stage by stage, what comes out of given sources."""
        decode_parts = {name: fingerprint(value) for name, value in self.decode_settings.items()}
        return {
            "sources": ingest.settings_key(self.config),
            "model": self.model,
            "extract": self.extract_key,
            "languages": fingerprint(list(self.languages)),
            **decode_parts,
            "names": fingerprint([self.config.base_iri, self.config.dataset]),
            "run": self.run_key,
        }

    def finish(self) -> dict[str, Any]:
        """Publishes the rejects and writes run.json; returns its content.

        Raises:
            KgmillError: documents read are not documents kept and rejected.
        """
        documents, reasons = self.publish_rejects(("ingest", "extract"))
        documents["reused"] = self.counts["extract.reused"]
        documents |= {name: self.counts[f"ingest.{name}"] for name in ("added", "changed", "removed")}
        report = self._report("done", documents, reasons)
        write_run(self.store, report)
        return report

    def publish_rejects(self, stages: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
        """Publishes what these stages rejected; returns the documents read, kept and rejected, and these by reason.

        Raises:
            KgmillError: documents read are not documents kept and rejected.
        """
        parts = [part for stage in stages for part in self.parts[stage]]
        rejects = pa.concat_tables(part.read("rejects") for part in parts)
        n_stored = sum(part.counts["kept"] for part in self.parts["ingest"])
        n_refused = sum(part.counts["rejected"] for part in self.parts["ingest"])
        n_broken = sum(part.counts["rejected"] for part in parts) - n_refused
        documents = {"read": n_stored + n_refused, "kept": n_stored - n_broken, "rejected": n_refused + n_broken}
        if documents["rejected"] != rejects.num_rows:
            raise KgmillError(f"{self.store.root}: {documents} doesn't balance with {rejects.num_rows} rejects")
        key = fingerprint([part.fingerprint for part in parts])
        ledger = self.store.commit("rejects", "all", key, {"rejects": rejects}, {})
        self.store.publish("rejects", [ledger], ["rejects"])
        return documents, _reasons(rejects)

    def fail(self, error: BaseException) -> None:
        """Says in run.json that the run failed, and why; `graph` stays true of what is in DIR/graph.

        Where it can't be written, as on a full disk, the run.json before stays.
        """
        report = self._report("failed", {}, {})
        if "graph" not in self.parts:
            report["graph"] = last_run(self.store.root).get("graph", report["graph"])
            report["graph_before"] = report["graph"]["sha256"]  # this run changed nothing
        report["error"] = str(error) or type(error).__name__
        with suppress(OSError):
            write_run(self.store, report)

    def _report(self, status: str, documents: dict[str, int], reasons: dict[str, int]) -> dict[str, Any]:
        graph = self.parts["graph"][0].counts if "graph" in self.parts else {}
        aggregated = self.parts.get("aggregate", [])
        return {
            "status": status,
            "documents": documents,
            "rejects": reasons,
            "left_out": self.left_out,
            "model_calls": {"sentences": self.counts["extract.sentences"]},
            "stages": {stage: asdict(report) for stage, report in self.reports.items()},
            "graph": {
                "entities": sum(part.rows("entities") for part in aggregated),
                "facts": sum(part.rows("facts") for part in aggregated),
                "quads": graph.get("quads", 0),
                "sha256": graph.get("sha256", ""),
                **self.quads_changed,
            },
            "graph_before": self.graph_before,
            "versions": {"kgmill": __version__, "python": platform.python_version()}
            | {name: version(name) for name in ("apache-beam", "pyarrow", "torch", "transformers")},
            "config": self.config.model_dump(mode="json"),
            "fingerprints": self.fingerprints,
            "started": self.started,
            "finished": _now(),
        }


@contextmanager
def open_build(
    sources: tuple[str, ...],
    out: Path,
    config: BuildConfig,
    *,
    n_workers: int = 0,
    runner: str = "FnApiRunner",
    beam_options: tuple[str, ...] = (),
    yes: bool = False,
    stages: Sequence[str] = STAGES,
    on_progress: Progress = lambda job, share, n_documents: None,
    on_note: Note = lambda line: None,
) -> Iterator[Build]:
    """Checks everything that can be wrong before anything is touched, then holds the output folder and the worker.

    `stages` are those that will be run. `on_note` is told a line for each damaged part that was found and removed, and
    each worker that died.

    Raises:
        UsageError: a source, the model, the ontology or the output is wrong.
        LockError: another build holds the output.
        DiskError: a file of the output could not be written.
    """
    config = named(config, out)
    checked = check_build(sources, out, config, runner, beam_options, n_workers)
    store = Store(out.resolve())
    with Worker(n_workers, memory_mb=config.worker_memory_mb) as worker:
        build = Build(sources, config, store, worker, *checked, runner, beam_options, yes)
        build.on_progress, build.on_note, build.started = on_progress, on_note, _now()
        if "extract" in stages:
            build.try_model()
        with _held(build):
            yield build


@contextmanager
def _held(build: Build) -> Iterator[None]:
    """Holds the output folder, and says in run.json if what is done there fails."""
    store = build.store
    with store.lock():
        try:
            for line in verify(store):
                build.on_note(line)
            yield
        except UsageError:
            raise  # nothing was touched, so the last run is still what run.json says
        except BaseException as error:
            with suppress(OSError):
                store.clear()  # room for run.json on a full disk
            if isinstance(error, OSError) and error.errno in DISK_HINTS:
                error = DiskError.of(error, store.root)
            build.fail(error)
            raise error from None


def _reasons(rejects: pa.Table) -> dict[str, int]:
    counted = pc.value_counts(rejects["reason"].combine_chunks()).to_pylist()
    return {row["values"]: row["counts"] for row in sorted(counted, key=lambda row: row["values"])}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
