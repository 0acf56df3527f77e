"""What an engine says of a job that failed, in one line and of the right kind."""

from pathlib import Path

import pytest

from kgmill.pipelines.engine.failures import describe

FAILED = "Pipeline kgmill-1_2 failed in state FAILED: java.lang.RuntimeException: "
TRACEBACK = "Error received from SDK harness for instruction 1: Traceback (most recent call last):\n  File x\n"
MISSING = "ModuleNotFoundError: No module named 'kgmill'"
GONE = "org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: " * 2 + "CANCELLED: client cancelled"


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        (
            f"{TRACEBACK}kgmill.schemas.errors.DiskError: /out: No space left on device [while running 'Do']\n\n",
            "DiskError",
            "/out: No space left on device",
        ),
        (GONE, "WorkerError", "a worker is gone (CANCELLED: client cancelled)"),
        (
            f"{TRACEBACK}{MISSING}\n",
            "EngineError",
            f"a worker has no kgmill, or another one ({MISSING}); install this version where workers run",
        ),
        (f"{TRACEBACK}ValueError: no [while running 'Do']\n", "KgmillError", "a worker failed: ValueError: no"),
    ],
)
def test_kind_and_line(text, kind, line):
    """A worker's own error is taken out of the traceback; without one, a worker is gone."""
    assert describe(RuntimeError(f"{FAILED}{text}"), Path("/out")) == {"error": line, "kind": kind}
