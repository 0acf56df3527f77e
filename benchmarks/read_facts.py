"""Facts for people to read, what they said of them, and the confidence of facts that is fitted on it.

    python -m benchmarks.read_facts sample DIR... --n 300 --seed 1 --out sheet.jsonl     what a reader sees, shuffled
    python -m benchmarks.read_facts join sheet.jsonl verdicts.jsonl --into benchmarks/facts/read.jsonl
    python -m benchmarks.read_facts carry DIR... --read benchmarks/facts/read.jsonl --out again.jsonl
    python -m benchmarks.read_facts fit benchmarks/facts/read.jsonl --model FOLDER

`carry` is for another model: a fact that its build finds at a place that was read has the verdict that was given there.

benchmarks/facts/RULE.md says how facts are read. A sheet's rows have the keys that a reader needs, and `_` before those
that are not shown to one.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from kgmill.extractor.calibration import load_calibration
from kgmill.extractor.modelfolder import find_model
from kgmill.pipelines.facts import Support
from kgmill.pipelines.output.ledger import last_run
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.ontology import load_ontology
from kgmill.schemas.tables import conform

BANDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
_SENTENCES = 3
_BELOW = 0.05  # how much less often the facts of one genre may be right than those of all
_FEWEST = 20  # facts that say what a threshold is worth
_PRIOR = 25.0  # variance^-1 of a relation's own bias, and a genre's: some dozens of facts have to say that it differs
_GRID = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def rows(store: Store, table: str) -> list[dict[str, Any]]:
    """The rows of a published table."""
    found: list[dict[str, Any]] = conform(table, store.storage.dataset(f"tables/{table}").to_table()).to_pylist()
    return found


def sample(folders: list[str], n: int, seed: int, skip: set[str], genre: str) -> list[dict[str, Any]]:
    """Facts of several builds, as many of each band of confidence where there are so many, shuffled."""
    chosen: list[dict[str, Any]] = []
    for folder in folders:
        store = Store(folder)
        facts = [fact for fact in rows(store, "facts") if fact["fact_id"] not in skip]
        facts = shuffled(facts, seed)
        bands: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for fact in facts:
            bands[band_of(fact)].append(fact)
        share = n // len(folders)
        picked: list[dict[str, Any]] = []
        while len(picked) < share and any(bands.values()):
            picked += [band.pop() for band in bands.values() if band][: share - len(picked)]
        chosen += sheet(store, picked, seed, genre, Counter(map(band_of, facts)))
    return shuffled(chosen, seed)


def shuffled(found: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """The same in an order that the seed says."""
    return [found[i] for i in np.random.default_rng(seed).permutation(len(found))]


def band_of(fact: dict[str, Any]) -> int:
    """The band of a fact's confidence."""
    return int(np.searchsorted(BANDS, fact["confidence"], "right"))


def sheet(
    store: Store, facts: list[dict[str, Any]], seed: int = 0, genre: str = "", n_there: Counter[int] | None = None
) -> list[dict[str, Any]]:
    """What a reader sees of each fact, and what the fit needs.

    `_weight` is how many facts it stands for, of those in its band that were there to choose from; None: itself alone.
    """
    weights = {band: round((n_there or {band: n})[band] / n, 3) for band, n in Counter(map(band_of, facts)).items()}
    wanted = {fact["fact_id"] for fact in facts}
    labels = {entity["entity_id"]: entity["label"] for entity in rows(store, "entities")}
    texts = {document["doc_id"]: document["text"] for document in rows(store, "documents")}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for relation in rows(store, "relations"):
        if relation["fact_id"] in wanted:
            found[relation["fact_id"]].append(relation)
    run = last_run(store)
    ontology = load_ontology(Path(run["config"]["ontology"] or _model_folder(run) / "ontology.toml"))
    made = []
    for fact in facts:
        evidence = sorted(
            found[fact["fact_id"]], key=lambda r: (bool(r["stance"]), -r["confidence"], r["statement_id"])
        )
        support = Support.of(evidence)
        shown, seen = [], set()
        for row in evidence:
            if row["text_key"] not in seen and len(shown) < _SENTENCES:
                seen.add(row["text_key"])
                shown.append(row)
        made.append(
            {
                "id": fact["fact_id"],
                "fact": f"{labels[fact['head']]} --{fact['relation']}-> {labels.get(fact['tail'], fact['value'])}",
                "meaning": ontology.relations[fact["relation"]].comment,
                "sentences": [marked(texts[row["doc_id"]], row) for row in shown],
                "_relation": fact["relation"],
                "_places": [[row["doc_id"], *(row[name] for name in _OFFSETS)] for row in shown],
                "_confidences": support.confidences,
                "_share": fact["share"],
                "_stated": support.is_stated,
                "_between": support.n_between,
                "_around": support.n_around,
                "_confidence": fact["confidence"],
                "_model": run["fingerprints"]["model"],
                "_seed": seed,
                "_genre": genre,
                "_weight": weights[band_of(fact)],
            }
        )
    return made


_OFFSETS = ("sentence_begin", "sentence_end", "head_begin", "head_end", "tail_begin", "tail_end")


def marked(text: str, row: dict[str, Any]) -> str:
    """A sentence with its two mentions in brackets."""
    begin, end = row["sentence_begin"], row["sentence_end"]
    spans = sorted(((row["head_begin"], row["head_end"], "H"), (row["tail_begin"], row["tail_end"], "T")), reverse=True)
    sentence = text[begin:end]
    for a, b, name in spans:
        sentence = f"{sentence[: a - begin]}[{name} {sentence[a - begin : b - begin]}]{sentence[b - begin :]}"
    return " ".join(sentence.split())


def carry(folders: list[str], read: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Facts of builds that were read before, each with its verdict and what supports it now.

    A fact is one that was read if it has the same relation, the same names and a place of the other's. It stands for
    itself alone: for those that were not read before stand others, which `sample --skip` draws.
    """
    verdicts = {(tuple(place), row["fact"]): row for row in read for place in row["places"]}
    found = []
    for folder in folders:
        store = Store(folder)
        for row in sheet(store, rows(store, "facts")):
            said = next((verdicts[key] for p in row["_places"] if (key := (tuple(p), row["fact"])) in verdicts), None)
            if said:
                kept = {name: said[name] for name in ("verdict", "genre")}
                found.append(_kept(row) | kept)
    return sorted(found, key=lambda row: (row["genre"], row["places"]))


def _model_folder(run: dict[str, Any]) -> Path:
    return find_model(run["config"]["model"])


def fit(read: list[dict[str, Any]]) -> dict[str, Any]:
    """`facts` of a calibration: a logistic regression with weights of at least 0, and a shrunk bias a relation.

    And, in `report`, what it claims when it is fitted on nine tenths and asked of the last, by band.
    """
    is_right = np.array([row["verdict"] == "right" for row in read], float)
    names = sorted({row["relation"] for row in read})
    fold = np.random.default_rng(0).permutation(len(read)) % 10
    claimed = np.zeros(len(read))
    for k in range(10):
        mine = fold != k
        weights, bias, own = _solve([row for row, use in zip(read, mine, strict=True) if use], is_right[mine], names)
        for i in np.flatnonzero(~mine):
            claimed[i] = _claim(read[i], weights, bias, own)
    weights, bias, own = _solve(read, is_right, names)
    return {
        "facts": {
            "weights": [round(float(w), 4) for w in weights],
            "bias": round(float(bias), 4),
            "relations": {name: round(b, 4) for name, b in own.items() if abs(b) >= 0.01},
            "thresholds": thresholds(claimed, is_right, read),
        },
        "report": bands(claimed, is_right),
    }


def _features(row: dict[str, Any]) -> np.ndarray:
    n_together = round(len(row["confidences"]) / row["share"])
    return np.array(Support(row["confidences"], n_together, row["stated"], row["between"], row["around"]).features())


def _claim(row: dict[str, Any], weights: np.ndarray, bias: float, own: dict[str, float]) -> float:
    z = bias + own.get(row["relation"], 0.0) * row["stated"] + float(weights @ _features(row))
    return min(0.98, 1 / (1 + float(np.exp(-z))))


def _solve(
    read: list[dict[str, Any]], is_right: np.ndarray, names: list[str]
) -> tuple[np.ndarray, float, dict[str, float]]:
    """Projected gradient descent on the mean log loss with a Gaussian prior on the biases of relations."""
    x = np.stack([_features(row) for row in read])
    relation = np.array([names.index(row["relation"]) for row in read])
    is_stated = np.array([row["stated"] for row in read], float)  # of what is only denied no relation is known by
    weights, bias, own = np.full(x.shape[1], 0.3), 0.0, np.zeros(len(names))
    for step in range(20_000):
        z = np.clip(bias + own[relation] * is_stated + x @ weights, -30, 30)
        slope = (1 / (1 + np.exp(-z)) - is_right) / len(read)
        rate = 1.0 if step < 10_000 else 0.2
        weights = np.maximum(weights - rate * 0.3 * (x.T @ slope + 0.002 * weights), 0.0)
        bias -= rate * slope.sum()
        own -= rate * (np.bincount(relation, slope * is_stated, len(names)) + own * _PRIOR / 25 / len(read))
    return weights, bias, dict(zip(names, own.tolist(), strict=True))


def thresholds(claimed: np.ndarray, is_right: np.ndarray, read: list[dict[str, Any]]) -> list[list[float]]:
    """For each wanted precision the least claim at and above which facts are right, and claim, so often.

    So they are of all genres together, each with the same weight, and are right of none by more than _BELOW less often.
    A fact's weight in its genre is how many of its build it stands for. What few facts of a genre say is drawn to what
    all say, as _PRIOR facts weigh. Each threshold is at least the one before.
    """
    order = np.argsort(-claimed)
    weights = np.array([row["weight"] for row in read], float)[order]
    genres = np.array([row["genre"] for row in read])[order]
    of_genre = [genres == genre for genre in sorted(set(genres))]
    for mine in of_genre:
        weights[mine] /= weights[mine].sum()
    right, claims = (np.cumsum(values[order] * weights) / np.cumsum(weights) for values in (is_right, claimed))
    worst = np.min([_drawn(is_right[order], weights * mine, mine, right) for mine in of_genre], axis=0)
    has_all = np.diff(claimed[order], append=-1.0) < 0  # of equal claims the last
    has_all &= np.arange(len(order)) >= _FEWEST - 1
    found, least = [], 0.0
    for wanted in _GRID:
        kept = np.flatnonzero(has_all & (np.minimum(right, claims) >= wanted) & (worst >= wanted - _BELOW))
        least = max(least, float(claimed[order[kept[-1]]]) if len(kept) else 1.0)
        found.append([wanted, round(least, 4)])
    return found


def _drawn(is_right: np.ndarray, weights: np.ndarray, mine: np.ndarray, right: np.ndarray) -> np.ndarray:
    """How often a genre's facts are right down to each claim, drawn to how often those of all are."""
    n, total = np.cumsum(mine), np.cumsum(weights)
    share = np.divide(np.cumsum(is_right * weights), total, out=np.zeros(len(n)), where=total > 0)
    drawn: np.ndarray = (n * share + _PRIOR * right) / (n + _PRIOR)
    return drawn


def bands(claimed: np.ndarray, is_right: np.ndarray) -> list[dict[str, float]]:
    """Claimed and right by band of what is claimed."""
    found = []
    for low, high in pairwise(BANDS):
        mine = (claimed >= low) & (claimed < high)
        if mine.any():
            row = {"from": low, "n": int(mine.sum()), "claimed": claimed[mine].mean(), "right": is_right[mine].mean()}
            found.append({name: round(float(value), 3) for name, value in row.items()})
    return found


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a sheet's row: not the texts, which are where the places say."""
    return {name.removeprefix("_"): value for name, value in row.items() if name not in ("sentences", "meaning")}


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def write_lines(path: Path, found: list[dict[str, Any]]) -> None:
    """Writes objects as JSON Lines."""
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in found), encoding="utf-8")


def main() -> None:
    """`python -m benchmarks.read_facts`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.read_facts", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("sample", help="what a reader sees")
    asked.add_argument("folders", nargs="+")
    asked.add_argument("--n", type=int, default=300)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--genre", default="", help="of the texts, such as news")
    asked.add_argument("--skip", type=Path, nargs="*", default=[], help="facts that were read before")
    asked.add_argument("--out", type=Path, required=True)
    asked = commands.add_parser("join", help="what readers said to what they saw")
    asked.add_argument("sheet", type=Path)
    asked.add_argument("verdicts", type=Path, help='lines of {"id": ..., "verdict": right|unsaid|wrong}')
    asked.add_argument("--into", type=Path, required=True)
    asked = commands.add_parser("carry", help="what was read, as another model finds it")
    asked.add_argument("folders", nargs="+")
    asked.add_argument("--read", type=Path, nargs="+", required=True)
    asked.add_argument("--out", type=Path, required=True)
    asked = commands.add_parser("fit", help="the confidence of facts")
    asked.add_argument("read", type=Path)
    asked.add_argument("--model", type=Path, required=True, help="the folder whose calibration gets it")
    given = parser.parse_args()
    if given.command == "sample":
        skip = {row["id"] for path in given.skip for row in read_lines(path)}
        write_lines(given.out, sample(given.folders, given.n, given.seed, skip, given.genre))
    elif given.command == "join":
        said = {row["id"]: row["verdict"] for row in read_lines(given.verdicts)}
        kept = [_kept(row) | {"verdict": said[row["id"]]} for row in read_lines(given.sheet) if row["id"] in said]
        before = read_lines(given.into) if given.into.exists() else []
        write_lines(given.into, before + kept)
    elif given.command == "carry":
        write_lines(given.out, carry(given.folders, [row for path in given.read for row in read_lines(path)]))
    else:
        found = fit(read_lines(given.read))
        calibration = load_calibration(given.model)
        replace(calibration, facts=found["facts"]).save(given.model)
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
