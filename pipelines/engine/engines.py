"""Where a build's jobs run: this machine, or an engine of others, a file a kind in kinds/. See docs/extending.md.

A runner of Beam needs no file there to be run. What a file adds is all that a build has to know of an engine beside
Beam: which options are right, whether it is in order, and how a job of it is watched and ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from kgmill.pipelines.engine.presence import Workers
from kgmill.pipelines.engine.request import Request
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.pipelines.registry import things_of
from kgmill.schemas.extras import EXTRAS, require

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is about to run.

    Attributes:
        options: of Beam, for it.
        watch: told the seconds that went by since it was called; raises where the job can't go on.
    """

    options: tuple[str, ...]
    watch: Callable[[float], None] = lambda elapsed_s: None


class Engine:
    """What runs the jobs of a build. This one leaves all to Beam: it does for this machine, and for any runner.

    Attributes:
        is_local: whether the worker is the one child process, so that the documents under a mark are its own.
        n_slots: how many tasks run at once, as far as that is known.
    """

    n_slots = 1

    def __init__(self, runner: str = LOCAL, options: Sequence[str] = ()) -> None:
        self.runner, self.options = runner, tuple(options)
        self.is_local = runner == LOCAL

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def check(self, on_note: Note) -> str:
        """Makes sure that a build can run there, as far as that can be asked without running anything; says what it is.

        Raises:
            ConfigError: an option is wrong.
            EngineError: the engine doesn't answer, has no room, or doesn't fit.
        """
        return f"{self.runner}: nothing is known of it here"

    def take_over(self, on_note: Note) -> None:
        """Ends what dead builds of the same output left running; called by who holds it.

        Raises:
            EngineError: it can't be ended.
        """

    @contextmanager
    def job(self, request: Request[Any, Any]) -> Iterator[Job]:
        """A job, from before it is handed over until it is gone: whatever ends the block, nothing of it runs after.

        Raises:
            EngineError: it can't be started, or ended.
        """
        if not self.is_local:
            Workers(request.shared)  # which look for what it leaves
        yield Job(self.options)

    def close(self) -> None:
        """Ends what was started for the build."""


@dataclass(frozen=True, slots=True)
class EngineKind:
    """A kind of engine.

    Attributes:
        runner: the name of its runner of Beam, in small letters and without the word Runner at its end.
        open: the engine, from the runner's name, the options that were given, the number of workers (0: as many as it
            has) and the output's place; asks nothing yet.
    """

    runner: str
    open: Callable[[str, Sequence[str], int, str], Engine]


@cache
def engine_kinds() -> dict[str, EngineKind]:
    """All kinds of engine by name."""
    return things_of("kgmill.pipelines.engine.kinds", "ENGINE", EngineKind)


def open_engine(runner: str, options: Sequence[str], n_workers: int, out: str) -> Engine:
    """The engine of a runner. Touches nothing.

    Raises:
        MissingExtraError: kgmill has an extra of the engine's name, and it is not installed.
    """
    if runner != LOCAL:
        name = runner.rpartition(".")[2].lower().removesuffix("runner")
        if name in EXTRAS:
            require(f"--runner {runner}", name)
        for kind in engine_kinds().values():
            if name == kind.runner:
                return kind.open(runner, options, n_workers, out)
    return Engine(runner, options)
