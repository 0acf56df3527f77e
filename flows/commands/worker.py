"""Start workers for an engine: a pool beside a task manager of Flink."""

from __future__ import annotations

from typing import Annotated

from typer import Option

PANEL = "Build"
EXAMPLES = (
    "kgmill worker",
    "kgmill worker --host 0.0.0.0 --port 51000",
)
GOES_ON = "; its workers are stopped too"
NEEDS = ("flink",)


def worker(
    *,
    port: Annotated[
        int, Option("--port", metavar="N", min=0, max=65535, help="where builds find it; 0: one that is free")
    ] = 50000,
    host: Annotated[
        str, Option("--host", metavar="ADDRESS", help="whoever reaches it can run code here: keep it from strangers")
    ] = "127.0.0.1",
) -> None:
    """`kgmill worker`: answers until it is stopped."""
    from kgmill.flows.terminal import note
    from kgmill.pipelines.checks import gpus
    from kgmill.pipelines.engine.pool import serve

    serve(host, port, gpus()[0], lambda address: note(f"workers are started at {address}"))
