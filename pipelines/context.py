"""The context of a run: everything that was checked, once, before the first byte is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from kgmill.extractor.calibration import Calibration
from kgmill.extractor.candidates import Floors
from kgmill.pipelines.decoding import decoding_fingerprints, of_candidates
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.pipelines.graph.documents import Shown
from kgmill.pipelines.stages import candidates, export, extract, ingest, names
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.decisions import Decisions
from kgmill.schemas.identity import BUCKET_BITS, fingerprint
from kgmill.schemas.ontology import Columns, Ontology


class RunContext(BaseModel):
    """A run: what it reads, where it writes, by which settings. Frozen, and JSON for another process.

    Attributes:
        out: the output: a whole path, or a URL.
        config: with the dataset and base IRI that the folder has.
        model_folder, model: where the model is, and its fingerprint.
        languages: that the model reads.
        calibration: as calibration.json has it.
        columns: the model's types, of which the ontology may leave some out.
        decisions: of people.
        pins: the files of names that keep their IRIs, each with its SHA-256.
        links: what others call entities (`kgmill.schemas.decisions.load_links`).
        device: `cpu`, `cuda` or `cuda:N`, where the configuration may say `auto`.
        n_workers: CPU threads that predict, or on an engine workers of one thread; 0 for all.
        yes: go on though many documents would vanish.
        started: when, in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    sources: tuple[str, ...]
    out: str
    config: BuildConfig
    model_folder: str
    model: str
    languages: tuple[str, ...]
    calibration: Mapping[str, Any]
    ontology: Ontology
    columns: Columns
    decisions: Decisions = Decisions()
    pins: tuple[tuple[str, str], ...] = ()
    links: Mapping[str, tuple[str, ...]] = {}
    device: str
    runner: str = "FnApiRunner"
    beam_options: tuple[str, ...] = ()
    n_workers: int = 0
    yes: bool = False
    started: str = ""

    @property
    def read_languages(self) -> tuple[str, ...]:
        """The languages that a document must be in to be read; none: any."""
        return () if self.config.any_language else self.languages

    @property
    def predictor(self) -> candidates.PredictorSettings:
        """How the worker opens the model."""
        config = self.config
        n_threads = self.n_workers if self.runner == LOCAL else 1  # elsewhere it is the number of workers
        return candidates.PredictorSettings(
            self.model_folder, self.device, config.precision, n_threads, config.compile, config.model, self.model
        )

    @property
    def floors(self) -> Floors:
        """The least margins of the candidates that extract keeps."""
        calibration = Calibration.parse(self.calibration)
        return calibration.floors(self.config.min_confidence, self.config.candidate_floor)

    @property
    def reading(self) -> candidates.Reading:
        """How the worker reads documents."""
        return candidates.Reading(self.predictor, self.floors, self.config.passage, self.config.references)

    @property
    def extract_key(self) -> str:
        """Fingerprint of all that decides a document's candidates."""
        kind = self.device.partition(":")[0]
        precision = self.config.precision + ("+compiled" if self.config.compile else "")
        return extract.extract_key(self.model, kind, precision, self.reading)

    @property
    def decoding(self) -> names.Settings:
        """What decides how candidates become mentions and relations."""
        columns = None if self.columns == self.ontology.columns else self.columns
        calibration = of_candidates(self.calibration)
        return names.Settings(self.ontology.rules(), self.config.min_confidence, calibration, columns)

    @property
    def run_key(self) -> str:
        """16 hex digits that name the activity behind the statements: model, settings and ontology, no time."""
        return fingerprint({"extract": self.extract_key, "decode": self.decoding.decisive})[:16]

    @property
    def names(self) -> export.Names:
        """What decides how tables become graphs."""
        return export.Names(
            base_iri=self.config.base_iri,
            dataset=self.config.dataset,
            ontology=self.ontology,
            run_key=self.run_key,
            model=self.model,
            model_name=f"kgmill two-phase {self.ontology.name}",
            configuration={
                "candidate_floor": self.config.candidate_floor,
                "device": self.device.partition(":")[0],
                "min_confidence": self.config.min_confidence,
                "passage": self.config.passage,
                **({"references": True} if self.config.references else {}),
                "precision": self.config.precision,
            },
            links=self.links,
            licence=self.config.license,
            shown=Shown(self.config.text, self.config.metadata),
        )

    @property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of all that decides, stage by stage, what comes out of given sources."""
        return {
            "sources": ingest.settings_key(self.config),
            "model": self.model,
            "extract": self.extract_key,
            "languages": fingerprint(list(self.read_languages)),
            **decoding_fingerprints(self.ontology, self.config.min_confidence, self.calibration),
            **({"functional": fingerprint(self.ontology.functional)} if self.ontology.functional else {}),
            "decisions": fingerprint([self.decisions.model_dump(mode="json"), self.pins, dict(self.links)]),
            "wanted_precision": fingerprint(self.config.wanted_precision),
            **({"buckets": fingerprint(self.config.buckets)} if self.config.bucket_bits != BUCKET_BITS else {}),
            "names": fingerprint([self.config.base_iri, self.config.dataset, self.config.license]),
            "shown": fingerprint([self.config.text, self.config.metadata]),
            "run": self.run_key,
        }
