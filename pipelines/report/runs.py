"""The runs of an output, as their ledgers tell them, and what differs between each and the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kgmill.pipelines.output.format import check_format
from kgmill.pipelines.output.ledger import all_runs, run_name
from kgmill.pipelines.output.parts import Store
from kgmill.schemas.errors import UsageError

_COUNTED = ("kept", "added", "changed", "removed", "rejected")


def history(store: Store) -> list[dict[str, Any]]:
    """A row a run, the latest first; what a run that failed never counted is None.

    `run` is the name that `kgmill diff` takes, `seconds` are wall time, `facts_added` is how many facts more there are
    than after the run before, negative where there are fewer, and `changed_settings` are the settings, as run.json's
    fingerprints name them, that are not those of that run.

    Raises:
        UsageError: no run ever ended there.
    """
    check_format(store)
    runs = list(all_runs(store))
    if not runs:
        raise UsageError(f"{store.where}: no run ever ended here; run kgmill build SOURCE... --out {store.where} first")
    return [_row(run, runs[i + 1 :]) for i, run in enumerate(runs)]


def _row(run: Mapping[str, Any], before: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    graph, documents = run.get("graph", {}), run.get("documents", {})
    last = next((one for one in before if one.get("status") == "done"), {})
    facts = graph.get("facts")
    is_done = run.get("status") == "done"
    settings, earlier = run.get("fingerprints", {}), last.get("fingerprints", {})
    return {
        "run": run_name(str(run.get("started", ""))),
        "status": run.get("status", ""),
        "started": run.get("started", ""),
        "finished": run.get("finished", ""),
        "seconds": _seconds(run),
        "documents": {name: documents.get(name) for name in _COUNTED},
        "sentences_read": run.get("model_calls", {}).get("sentences"),
        "entities": graph.get("entities"),
        "facts": facts,
        "facts_added": facts - last.get("graph", {}).get("facts", 0) if is_done and facts is not None else None,
        "added_quads": graph.get("added_quads"),
        "removed_quads": graph.get("removed_quads"),
        "changed_settings": sorted(
            name for name in {*settings, *earlier} - {"run"} if earlier and settings.get(name) != earlier.get(name)
        ),
        "error": run.get("error", ""),
    }


def _seconds(run: Mapping[str, Any]) -> int | None:
    try:
        started, finished = (datetime.fromisoformat(str(run[name])) for name in ("started", "finished"))
    except (KeyError, ValueError):
        return None
    return round((finished - started).total_seconds())
