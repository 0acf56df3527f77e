"""Which failures Prefect tries again: what may pass by itself (locks, disks, stores), never what somebody has to mend.

Trying again is safe, as a stage's commit is idempotent: the run goes on from the last committed work unit.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import AwaitingRetry

from kgmill.schemas.errors import CorruptPartError, DiskError, EngineError, LockError, StorageError, StoreError

RETRIES, RETRY_DELAY_S = 3, 60
PASSING = (LockError, DiskError, StorageError, EngineError, CorruptPartError)
"""A run that fails of these begins anew. A damaged part is among them, as the next run makes it again."""


def begin(tags: set[str], retries: int, delay_s: int) -> None:
    """Says to the server how often the current flow run may be tried again, and what it is called by."""
    run = _current()
    with get_client(sync_client=True) as client:
        policy = client.read_flow_run(run.id).empirical_policy
        policy = policy.model_copy(update={"retries": retries, "retry_delay": delay_s})
        client.update_flow_run(run.id, tags=sorted({*run.tags, *tags}), empirical_policy=policy)


def is_tried_again() -> bool:
    """Whether the current flow run is begun anew when it fails now."""
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(_current().id)
    return run.run_count <= (run.empirical_policy.retries or 0)


def give_up() -> None:
    """Lets the current flow run fail for good: what is wrong stays wrong."""
    run = _current()
    with get_client(sync_client=True) as client:
        policy = client.read_flow_run(run.id).empirical_policy
        client.update_flow_run(run.id, empirical_policy=policy.model_copy(update={"retries": 0}))


def is_passing_store(task: Any, task_run: Any, state: State[Any]) -> bool:
    """Whether a load that failed is tried again: the store refused or didn't answer."""
    return isinstance(state.data, (StoreError, *PASSING))


def start_again(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Schedules a run of a deployment again whose process died: it was killed, or the machine went down in order."""
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(flow_run.id)
        policy = run.empirical_policy
        retries = flow.retries if policy.retries is None else policy.retries
        if run.deployment_id is None or run.run_count > retries:
            return
        delay_s = RETRY_DELAY_S if policy.retry_delay is None else policy.retry_delay
        again: State[Any] = AwaitingRetry(
            scheduled_time=datetime.now(UTC) + timedelta(seconds=delay_s),
            message=f"{state.message} It goes on from the last committed work unit.",
        )
        client.set_flow_run_state(run.id, again)


def _current() -> FlowRun:
    context = FlowRunContext.get()
    assert context is not None  # noqa: S101 - a flow's function runs in one
    assert context.flow_run is not None  # noqa: S101
    return context.flow_run
