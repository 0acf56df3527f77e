"""The alerts of docs/observability.md: the page shows the example, and they ask for metrics that there are."""

import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from kgmill.flows.metrics import OUTCOMES, Held, Now, write_metrics

from .page import ROOT

RULES = ROOT / "examples/alerts.yml"
PAGE = (ROOT / "docs/observability.md").read_text(encoding="utf-8")
PROMTOOL = shutil.which("promtool")
RUN = {
    "status": "done",
    "documents": {"read": 1},
    "rejects": {"empty": 1},
    "stages": {"ingest": {"seconds": 1, "model_seconds": 0, "peak_rss_mb": 1, "n_done": 1, "n_reused": 0}},
    "graph": {"entities": 1, "facts": 1, "quads": 1},
    "finished": "2026-11-27T03:00:00Z",
}


@pytest.fixture
def metrics(tmp_path):
    """The names of all metrics."""
    now = Now(started=1.0, finished=2.0, progress={"ingest": 1.0})
    write_metrics(tmp_path / "all.prom", "kg", Held(RUN, RUN, {"mentions": 1, "relations": 1}, {"graph": 1}), now)
    return {family.name for family in text_string_to_metric_families((tmp_path / "all.prom").read_text())}


def test_alerts_ask_for_what_is_there(metrics):
    """Each metric and outcome that an alert asks for is one that a run writes; a typing error would never fire."""
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert [rule["alert"] for rule in rules] == ["KgmillStale", "KgmillFailed", "KgmillStuck", "KgmillFewerFacts"]
    asked = {name for rule in rules for name in re.findall(r"\bkgmill_\w+", rule["expr"])}
    assert asked <= metrics
    outcomes = re.findall(r'outcome=~?"([^"]+)"', " ".join(rule["expr"] for rule in rules))
    assert {one for named in outcomes for one in named.split("|")} <= set(OUTCOMES)


def test_page_has_each_metric_and_the_alerts(metrics):
    """The table names what is written and nothing else; the block is the example without its first line."""
    assert set(re.findall(r"`(kgmill_\w+)`", PAGE)) == metrics
    assert f"```yaml\n{RULES.read_text().partition(chr(10))[2]}```\n" in PAGE


@pytest.mark.skipif(not PROMTOOL, reason="promtool is not installed")
def test_promtool_takes_the_alerts():
    """Prometheus reads the rules."""
    subprocess.run([PROMTOOL, "check", "rules", RULES], check=True, capture_output=True)
