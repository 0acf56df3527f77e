"""The Python API of a build: documents in, a finished build out (`kgmill.pipelines.built`).

from kgmill.pipelines import build

built = build("corpus/", "DIR", {"min_confidence": 0.5}, n_workers=4)
print(built.status, built.documents["kept"], built.n_facts)
print(built.facts().to_pandas())
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kgmill.pipelines.building import Listener, Progress, finish, hold, run_stage
from kgmill.pipelines.built import Built
from kgmill.pipelines.checks import check_build, check_rejects
from kgmill.pipelines.engine.runners import LOCAL
from kgmill.pipelines.stages.stage import NAMES
from kgmill.schemas.config import BuildConfig

logger = logging.getLogger(__name__)
_untold = Listener().on_progress


def build(
    sources: str | Path | Sequence[str | Path],
    out: str | Path,
    config: BuildConfig | Mapping[str, Any] | str | Path | None = None,
    *,
    n_workers: int = 0,
    runner: str = LOCAL,
    beam_options: Sequence[str] = (),
    yes: bool = False,
    on_progress: Progress = _untold,
) -> Built:
    """Builds the graph of the sources in the folder `out`, as `kgmill build --no-prefect` does.

    What was built there before is reused, and the folder is held against other builds for as long as it takes. The
    model runs in a child process, which ends with this call.

    Args:
        sources: files, folders, patterns and URLs; one of them or several.
        out: the output, a folder or a URL.
        config: a BuildConfig, its keys, or the path of a TOML file; docs/reference/configuration.md lists them.
        n_workers: CPU threads that predict; 0 for all.
        runner: the Beam runner.
        beam_options: what it is told.
        yes: go on though over 20 % of the documents would leave the graph.
        on_progress: told a job's name, the share of it that is done, from 0 to 1, and its number of documents, or None.
            What else is to be told, as a worker that died and was started again, is logged as a warning.

    Raises:
        UsageError: a source, the configuration, the model or the output is wrong; nothing was touched.
        TooManyRejectsError: the build is done, with rejects above `max_reject_ratio`; `open_build(out)` has it.
        KgmillError: the run failed; what it had finished is kept, and the next one goes on from there.
    """
    one = isinstance(sources, (str, Path))
    places = tuple(str(source) for source in ([sources] if one else sources))  # type: ignore[union-attr]
    settings = _config(config)
    how = {"runner": runner, "beam_options": tuple(beam_options), "n_workers": n_workers, "yes": yes}
    context = check_build(places, str(out), settings, **how)  # type: ignore[arg-type]
    with hold(context, listener=Listener(on_progress, logger.warning)) as run:
        for stage in NAMES:
            run_stage(run, stage)
        ledger = finish(run)
    check_rejects(ledger["documents"]["read"], ledger["rejects"], settings.max_reject_ratio, str(out))
    return Built(context.out, ledger)


def _config(config: BuildConfig | Mapping[str, Any] | str | Path | None) -> BuildConfig:
    if isinstance(config, BuildConfig):
        return config
    if isinstance(config, (str, Path)):
        return BuildConfig.load(Path(config), {})
    return BuildConfig.load(None, dict(config or {}))
