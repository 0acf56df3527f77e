"""By what candidates become mentions, relations and facts; and whether that is still what decided in a run.

The fingerprints of it in run.json are made here, and compared here: whoever tells of an earlier run by the model's
folder asks `remembered` first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kgmill.extractor.calibration import Calibration, load_calibration
from kgmill.extractor.modelfolder import find_model
from kgmill.pipelines.facts import FactConfidence
from kgmill.schemas.config import BuildConfig
from kgmill.schemas.errors import KgmillError, OntologyError
from kgmill.schemas.identity import fingerprint
from kgmill.schemas.ontology import Columns, Ontology, load_ontology

EVERYTHING = "all"  # as an ontology: the model's own, with the relations that its calibration masks


@dataclass(frozen=True, slots=True)
class Decoding:
    """What decides.

    Attributes:
        min_confidence: the least confidence of what has no threshold of its own.
        columns: of the model; of its types the ontology may leave some out.
    """

    ontology: Ontology
    calibration: Calibration
    min_confidence: float
    columns: Columns

    @classmethod
    def of(cls, config: BuildConfig, folder: Path) -> Decoding:
        """What a model's folder and a configuration say.

        Raises:
            UsageError: the calibration or the ontology is wrong, or the ontology isn't the model's.
        """
        calibration = load_calibration(folder)
        if config.ontology == EVERYTHING:
            calibration = replace(calibration, masked=())
        own = config.ontology in ("", EVERYTHING)
        ontology = load_ontology(folder / "ontology.toml" if own else Path(config.ontology))
        columns = ontology.columns if own else _columns_for(ontology, config.ontology, folder)
        return cls(ontology, calibration, config.min_confidence, columns)

    def least(self, name: str) -> float:
        """The least confidence of a type; infinite where it is masked."""
        return self.calibration.cuts.get(name, self.min_confidence)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What decided in a run, each None where it isn't known any more: the model's folder, or a setting, is another.

    Attributes:
        ontology: what may be said; its words may be new ones.
        decoding: what became of candidates.
        facts: how sure facts are, and from when on they are asserted.
    """

    ontology: Ontology | None = None
    decoding: Decoding | None = None
    facts: FactConfidence | None = None


def remembered(run: Mapping[str, Any]) -> Remembered:
    """What decided in a run, given as run.json has it. No hub is asked for its model."""
    try:
        config = BuildConfig.load(None, dict(run.get("config", {})))
        found = Decoding.of(config, find_model(config.model, is_offline=True))
    except (KgmillError, OSError):
        return Remembered()
    now = decoding_fingerprints(found.ontology, found.min_confidence, found.calibration.as_dict())
    then = run.get("fingerprints", {})
    same = {name for name in (*now, "facts") if now.get(name) == then.get(name)}
    return Remembered(
        found.ontology if "ontology" in same else None,
        found if same >= {"ontology", "min_confidence", "calibration"} else None,
        FactConfidence.parse(found.calibration.facts) if "facts" in same else None,
    )


def decoding_fingerprints(ontology: Ontology, min_confidence: float, calibration: Mapping[str, Any]) -> dict[str, str]:
    """Fingerprints of what decides; of the fit of facts only where there is one.

    Args:
        ontology: of which the words decide nothing.
        min_confidence: see `Decoding`.
        calibration: as calibration.json has it.
    """
    facts = calibration.get("facts")
    return {
        "ontology": fingerprint(ontology.rules()),
        "min_confidence": fingerprint(min_confidence),
        "calibration": fingerprint(of_candidates(calibration)),
        **({"facts": fingerprint(facts)} if facts else {}),
    }


def of_candidates(calibration: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a calibration that decides what becomes of candidates: all but the fit of facts."""
    return {name: value for name, value in calibration.items() if name != "facts"}


def _columns_for(ontology: Ontology, where: str, folder: Path) -> Columns:
    """The model's columns, of which an ontology for decoding may leave types out, but has no others."""
    columns = load_ontology(folder / "ontology.toml").columns
    unknown = [name for name in ontology.entity_names if name not in columns.entities]
    unknown += [name for name in ontology.relation_names if name not in columns.relations]
    if unknown:
        raise OntologyError(
            f"{where}: the model in {folder} knows no type {', '.join(unknown)}; it has the types "
            f"{', '.join(columns.entities)} and the relations {', '.join(columns.relations) or 'none'}, of which an "
            "ontology may leave some out"
        )
    return columns
