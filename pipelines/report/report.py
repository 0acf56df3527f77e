"""Writes DIR/report.html: one page that holds its data, its looks and its scripts, and asks no network for anything.

What the corpus says stays text: in HTML it is escaped, in the data it is JSON that can end no script element, and the
page's script makes text nodes of it. Should one of these fail, the page's policy lets no script run, no style apply
and no request go out but those that the page itself was written with.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files
from typing import Any

from kgmill.pipelines.decoding import remembered
from kgmill.pipelines.output import layout
from kgmill.pipelines.output.ledger import finished_run
from kgmill.pipelines.output.parts import Store
from kgmill.pipelines.report import charts, sections, tables
from kgmill.pipelines.report.changes import Changes, changes_of
from kgmill.pipelines.report.data import Cut, Limits, PageData, page_data, script_json
from kgmill.pipelines.report.excerpts import shown
from kgmill.pipelines.report.picture import picture

_SAMPLES = 5
_SCRIPTS = ("page.js", "lists.js", "entity.js", "map.js", "start.js")
_MAP_STYLE = ".__________cytoscape_container { position: relative; }"  # what the library would put there itself
_SLOT = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True, slots=True)
class Written:
    """A report that was written.

    Attributes:
        place: the page, for people.
        n_bytes: its size.
        cut: what is on it, and of how much.
    """

    place: str
    n_bytes: int
    cut: Cut


def write_report(store: Store, limits: Limits | None = None) -> Written:
    """Writes the page of a finished build, whole or not at all. An equal output gives equal bytes.

    Raises:
        UsageError: no finished build.
        LockError: a build is running.
    """
    finished_run(store)  # what is no build isn't touched, not even by a lock
    with store.lock(clear=False):
        run = finished_run(store)
        data = page_data(store, limits or Limits())
        page = _page(store, run, data).encode()
        store.storage.write(layout.REPORT, page)
    return Written(store.storage.place(layout.REPORT), len(page), data.cut)


def _page(store: Store, run: Mapping[str, Any], data: PageData) -> str:
    changes = changes_of(store, run["started"])
    found = picture(data.facts, data.place)
    style, script = _asset("page.css"), "\n".join(map(_asset, _SCRIPTS))
    library = _asset("cytoscape.min.js")
    name = escape(shown(run["config"]["dataset"]))
    return _filled(
        _asset("page.html"),
        policy=_policy((style, _MAP_STYLE), (library, script)),
        title=f"{name}: knowledge graph",
        style=style,
        map_style=_MAP_STYLE,
        dataset=name,
        about=sections.about(run),
        tiles=sections.tiles(run, data.counts.asserted.total()),
        changes=sections.changed(run, changes, data, _labels(store, changes, data)),
        cut=sections.cut(data.cut),
        relations=charts.relations(data.counts, tables.documents_by_relation(store)),
        confidence=charts.confidence(data.counts),
        calibration=_calibration(run),
        rejects=sections.rejects(run, tables.reject_samples(store, _SAMPLES)),
        run=sections.ledger(run),
        graph=script_json(data.graph | {"map": asdict(found)}),
        sentences=script_json(data.sentences),
        library=library,
        script=script,
    )


def _asset(name: str) -> str:
    return (files("kgmill.pipelines.report") / "assets" / name).read_text(encoding="utf-8")


def _filled(template: str, **parts: str) -> str:
    """The template with each slot filled once; nothing that fills one is looked at again."""
    return _SLOT.sub(lambda slot: parts[slot[1]], template)


def _policy(styles: tuple[str, ...], scripts: tuple[str, ...]) -> str:
    """A content security policy for these blocks and pictures in the page, and nothing else."""
    allowed = [" ".join(f"'sha256-{_sha256(block)}'" for block in blocks) for blocks in (scripts, styles)]
    return (
        f"default-src 'none'; script-src {allowed[0]}; style-src {allowed[1]}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(block: str) -> str:
    return base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()


def _labels(store: Store, changes: Changes | None, data: PageData) -> dict[str, str]:
    """Labels of the entities that facts which came or went have: as they are now, else as they were."""
    if changes is None:
        return {}
    ends = sections.ends(changes)
    now = {name: data.entities[data.place[name]].label for name in ends if name in data.place}
    found, _, _ = tables.entities_of(store, ends - now.keys(), 0)
    return changes.before.labels | now | {name: entity.label for name, entity in found.items()}


def _calibration(run: Mapping[str, Any]) -> str:
    """The chart of what confidences of facts are worth, where the model of the run is at hand and says so."""
    judged = remembered(run).facts
    if judged is None or not judged.thresholds:
        return ""
    wanted = run["config"]["wanted_precision"]
    rows = [row for row in judged.thresholds if row[1] < 1]
    chart = charts.calibration(rows, least := judged.threshold(wanted), wanted)
    note = (
        "Of the facts that people read when the model was calibrated, how many were right from which confidence on. "
        f"This build asserts facts from {least:.2f} on, where {wanted:.0%} were right."
    )
    return f'<figure><figcaption><h2>Calibration</h2><p class="note">{note}</p></figcaption>{chart}</figure>'
