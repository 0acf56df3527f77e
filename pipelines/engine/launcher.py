"""`kgmill-beam-worker`: what an engine starts for each of its workers, by itself (PROCESS) or by a pool (EXTERNAL).

It asks the engine for what Beam's worker has to know, and becomes that worker. One of another version than the build's
says so in the scratch instead of failing at whatever differs, which an engine may never notice.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import kgmill
from kgmill.schemas.leaving import leave

VERSION_OPTION, SCRATCH_OPTION = "kgmill_version=", "kgmill_scratch="  # among Beam's experiments, which pass anything
_ANSWER_S = 30.0


def main(argv: Sequence[str] | None = None) -> None:
    """A worker, until the engine lets go of it or whoever started it is gone."""
    parser = argparse.ArgumentParser(prog="kgmill-beam-worker")
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    given, _ = parser.parse_known_args(argv)
    os.dup2(2, 1)  # a pool reads nothing of what its workers print, which in the end would stop them
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    end_with_parent()
    options = _provide(given.id, given.provision_endpoint)
    from kgmill.pipelines.engine.presence import leave_in_order, tell_fault

    if wrong := version_fault(options):
        tell_fault(_told(options, SCRATCH_OPTION), wrong)
        sys.exit(f"kgmill-beam-worker: {wrong}")
    from apache_beam.runners.worker import sdk_worker_main

    take_away = leave_in_order()

    def stop(number: int, frame: object) -> None:
        take_away()
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    try:
        sdk_worker_main.main([])
    finally:
        take_away()
    leave(0)


def _provide(worker_id: str, endpoint: str) -> dict[str, Any]:
    """Puts what the engine says of a worker where Beam's worker looks for it; returns the options of the pipeline."""
    import grpc
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
    from google.protobuf import json_format, text_format

    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        wanted = beam_provision_api_pb2.GetProvisionInfoRequest()
        info = stub.GetProvisionInfo(
            wanted, metadata=(("worker_id", worker_id),), timeout=_ANSWER_S, wait_for_ready=True
        ).info
    options = json_format.MessageToJson(info.pipeline_options)
    os.environ |= {
        "WORKER_ID": worker_id,
        "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.control_endpoint),
        "LOGGING_API_SERVICE_DESCRIPTOR": text_format.MessageToString(info.logging_endpoint),
        "PIPELINE_OPTIONS": options,
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }
    return dict(json.loads(options))


def version_fault(options: Mapping[str, Any]) -> str:
    """Why this kgmill is not the build's; empty where it is, or where the options name none.

    >>> version_fault({"beam:option:experiments:v1": ["kgmill_version=0.0.1"]}).partition(" in ")[0]
    'a worker has kgmill 0.3.0'
    """
    wanted = _told(options, VERSION_OPTION)
    if wanted in ("", kgmill.__version__):
        return ""
    return (
        f"a worker has kgmill {kgmill.__version__} in {sys.prefix}, and the build {wanted}; "
        "install the same version for both"
    )


def _told(options: Mapping[str, Any], name: str) -> str:
    named = options.get("beam:option:experiments:v1") or ()
    return next((one.removeprefix(name) for one in named if one.startswith(name)), "")


def end_with_parent() -> None:
    """Ends this process when its parent is gone, even in the middle of a job."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger().setLevel(logging.WARNING)
    main()
