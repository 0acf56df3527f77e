"""`kgmill worker`: a pool that starts workers for an engine, and says which kgmill they are.

Beam's own pool starts whatever `python` is first on PATH: without Beam there, no worker ever comes, and the job waits
for ever. This one starts workers with the interpreter that it runs with itself, and answers who asks what it has.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kgmill
from kgmill.schemas.errors import ConfigError, EngineError

_SERVICE, _METHOD = "kgmill.Pool", "Describe"
ANSWER_S = 5.0
_POLL_S = 1.0


def describe_here(n_gpus: int) -> dict[str, Any]:
    """What a pool says of itself."""
    return {
        "kgmill": kgmill.__version__,
        "beam": version("apache-beam"),
        "python": sys.executable,
        "host": socket.gethostname(),
        "n_gpus": n_gpus,
    }


def serve(host: str, port: int, n_gpus: int, on_ready: Callable[[str], None]) -> None:
    """Serves until it is stopped; its workers end with it.

    Args:
        port: 0 for one that is free.
        on_ready: told HOST:PORT when it answers.

    Raises:
        ConfigError: the port can't be had.
    """
    import grpc
    from apache_beam.portability.api import beam_fn_api_pb2_grpc
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer, kill_process_gracefully
    from apache_beam.utils import thread_pool_executor

    def describe(asked: bytes, context: Any) -> bytes:
        return json.dumps(describe_here(n_gpus)).encode()

    with tempfile.TemporaryDirectory(prefix="kgmill-pool-") as folder:
        program = str(launcher(Path(folder)))
        servicer = BeamFnExternalWorkerPoolServicer(use_process=True, container_executable=program)
        options = {"grpc.http2.max_pings_without_data": 0, "grpc.http2.max_ping_strikes": 0, "grpc.so_reuseport": 0}
        server = grpc.server(thread_pool_executor.shared_unbounded_instance(), options=list(options.items()))
        try:
            bound = server.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            raise ConfigError(f"--port {port}: can't be had on {host}; give another, or 0 for a free one") from None
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(servicer, server)
        methods = {_METHOD: grpc.unary_unary_rpc_method_handler(describe)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, methods),))
        server.start()
        try:
            on_ready(f"{host}:{bound}")
            while True:
                time.sleep(_POLL_S)
                for process in list(servicer._worker_processes.values()):
                    process.poll()  # one that was killed stays no zombie
        finally:
            server.stop(0)
            for process in list(servicer._worker_processes.values()):
                kill_process_gracefully(process)


def launcher(folder: Path) -> Path:
    """A program in the folder that starts a worker with this very interpreter, whatever is first on PATH."""
    path = folder / "kgmill-beam-worker"
    command = f'exec "{sys.executable}" -P -m kgmill.pipelines.engine.launcher "$@"'
    path.write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def installed_launcher() -> Path:
    """Where the console script lies that an engine may start as a worker, beside this interpreter."""
    return Path(os.path.abspath(sys.executable)).with_name("kgmill-beam-worker")  # noqa: PTH100 - a link stays one


def ask_pool(address: str) -> dict[str, Any]:
    """What the pool at HOST:PORT says of itself.

    Raises:
        EngineError: nothing answers there, or no pool of kgmill.
    """
    import grpc

    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(f"/{_SERVICE}/{_METHOD}")
        try:
            return dict(json.loads(call(b"", timeout=ANSWER_S)))
        except grpc.RpcError as error:
            code = error.code()
        except ValueError:
            code = grpc.StatusCode.UNIMPLEMENTED
    if code == grpc.StatusCode.UNIMPLEMENTED:
        raise EngineError(f"pool {address}: answers, but is none of kgmill's; start kgmill worker there instead")
    raise EngineError(f"pool {address}: doesn't answer ({code.name}); start kgmill worker there")
