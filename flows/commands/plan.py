"""What a build would reuse, run and drop; touches nothing."""

from __future__ import annotations

import json

from kgmill.flows.options import BuildOptions, Json, Out, Sources


def plan(sources: Sources, out: Out, options: BuildOptions, *, as_json: Json = False) -> None:
    """`kgmill plan`."""
    from kgmill.flows.summary import format_plan
    from kgmill.flows.terminal import note, progress
    from kgmill.pipelines.build import Listener
    from kgmill.pipelines.plan import make_plan

    context = options.check(sources, out, options.config())
    with progress("documents") as shown:
        made = make_plan(context, Listener(shown.update, note))
    print(json.dumps(made, indent=1) if as_json else format_plan(made))
