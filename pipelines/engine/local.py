"""A job, from its request to its outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kgmill.pipelines.engine.engines import Engine
from kgmill.pipelines.engine.progress import Extent, Meter
from kgmill.pipelines.engine.request import Receipt, Request, read_receipts
from kgmill.pipelines.engine.supervise import HERE, supervise
from kgmill.pipelines.engine.worker import Worker
from kgmill.schemas.errors import KgmillError


def run_request(
    worker: Worker,
    request: Request[Any, Any],
    extent: Extent,
    on_share: Callable[[float, int | None], Any],
    on_note: Callable[[str], None],
    engine: Engine = HERE,
) -> tuple[Mapping[str, Receipt], float]:
    """Runs a job in the worker; returns its receipts, one a unit, and the highest memory of the worker, in MB.

    `on_share` is told the share of the job that is done, and its documents, None until they are known.

    Raises:
        WorkerError: workers die whatever is tried.
        KgmillError: the job raised it, or left units undone.
    """
    meter = Meter(request.scratch, extent, on_share)
    reply = supervise(worker, request, meter.poll, on_note, engine)
    meter.finish()
    receipts = read_receipts(request.scratch)
    if receipts.keys() != extent.units.keys():
        n_done, n_wanted = len(receipts), len(extent.units)
        raise KgmillError(f"{request.job}: {n_done} of {n_wanted} work units were committed; build again")
    return receipts, reply["peak_rss_mb"]
