"""See whether kgmill can run here, and what to do where it can't."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from typer import Option

from kgmill.flows.options import EngineOptions, Json
from kgmill.flows.terminal import show, show_json, waiting
from kgmill.schemas.errors import CheckError

EXAMPLES = (
    "kgmill doctor",
    "kgmill doctor --out s3://graphs/news --runner FlinkRunner --workers 2 -- --flink_master=127.0.0.1:8081",
    "kgmill doctor --config kgmill.toml --out kg --endpoint http://127.0.0.1:7878/query --json",
)


def doctor(
    engine: EngineOptions,
    *,
    file: Annotated[
        str | None, Option("--config", metavar="F.toml", help="a build's, for its model and device")
    ] = None,
    out: Annotated[str, Option("--out", metavar="DIR", help="an output folder, also one that is yet to be made")] = "",
    endpoint: Annotated[
        str, Option("--endpoint", metavar="URL", help="a triple store that answers queries there")
    ] = "",
    profile: Annotated[
        str, Option("--profile", metavar="NAME", help="its kind: URL is then the base URL that kgmill load takes")
    ] = "",
    as_json: Json = False,
) -> None:
    """`kgmill doctor`: each thing that has to be in order; the exit code is 1 where one is not."""
    from kgmill.flows.checkup import check_up
    from kgmill.schemas.config import BuildConfig

    config = BuildConfig.load(Path(file) if file else None, {})
    with waiting("looking at packages, machine and model"):
        checks = list(check_up(config, out, endpoint, profile, engine))
    if as_json:
        show_json({"ok": all(c.level != "fail" for c in checks), "checks": [asdict(c) for c in checks]})
    else:
        from rich.text import Text

        from kgmill.flows.tables import table

        styles = {"ok": "green", "warn": "yellow", "fail": "bold red"}
        rows = [
            (Text(c.level, styles[c.level]), c.name, c.told + (f"; {c.way_out}" if c.way_out else "")) for c in checks
        ]
        show(table(["", "what", "how it is"], rows))
    if failed := [c.name for c in checks if c.level == "fail"]:
        raise CheckError(f"doctor: {', '.join(failed)} not in order")
