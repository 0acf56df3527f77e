"""The engine of a runner."""

import sys

import pytest

from kgmill.pipelines.engine.engines import open_engine
from kgmill.schemas.errors import MissingExtraError


def test_engine_whose_extra_is_missing_is_named(monkeypatch):
    """Flink's needs a client of HTTP; a runner that is Beam's alone needs nothing more."""
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingExtraError, match=r"^--runner FlinkRunner: needs httpx: pip install 'kgmill\[flink\]'$"):
        open_engine("FlinkRunner", (), 1, "out")
    assert open_engine("FnApiRunner", (), 1, "out").is_local
