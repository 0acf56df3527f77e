"""Tell why an entity, a fact or a document is as it is in a finished graph."""

from __future__ import annotations

from typing import Annotated

from typer import Argument

from kgmill.flows.options import Dir, Json

PANEL = "Graph"
NEEDS = ("build",)
EXAMPLES = (
    "kgmill explain kg 'Enrico Fermi'",
    "kgmill explain kg 'Enrico Fermi' born_in Rome --json",
)


def explain(
    folder: Dir,
    what: Annotated[
        list[str],
        Argument(
            metavar="WHAT",
            help="id, IRI or name of an entity; id or IRI of a fact, or its head, relation and tail; id of a document",
        ),
    ],
    *,
    json: Json = False,
) -> None:
    """`kgmill explain DIR WHAT`: its sentences, candidates, scores, and the rules and thresholds that decided."""
    from kgmill.flows.explanation import explanation_lines
    from kgmill.flows.terminal import is_coloured, show_json, show_lines
    from kgmill.pipelines.explaining.explain import Explainer

    explainer = Explainer(folder)
    told = explainer.explain(explainer.find(what))
    if json:
        show_json(told)
        return
    show_lines(explanation_lines(told, is_coloured=is_coloured()))
