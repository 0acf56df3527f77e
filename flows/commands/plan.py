"""What a build would reuse, run and drop; touches nothing."""

from __future__ import annotations

from kgmill.flows.options import BuildOptions, Json, Out, Sources

PANEL = "Build"
NEEDS = ("build",)
EXAMPLES = (
    "kgmill plan corpus --out kg",
    "kgmill plan corpus --out kg --min-confidence 0.6 --json",
)


def plan(sources: Sources, out: Out, options: BuildOptions, *, as_json: Json = False) -> None:
    """`kgmill plan`."""
    from kgmill.flows.summary import plan_parts
    from kgmill.flows.terminal import note, progress, show, show_json
    from kgmill.pipelines.building import Listener
    from kgmill.pipelines.plan import make_plan

    context = options.check(sources, out, options.config())
    with progress("documents") as shown:
        made = make_plan(context, Listener(shown.update, note))
    if as_json:
        show_json(made)
    else:
        show(*plan_parts(made))
