"""Write a commented configuration; for types of your own an ontology too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from kgmill.flows.options import DataFormat, Json, one_of
from kgmill.flows.terminal import say, show_json
from kgmill.schemas.errors import UsageError

PANEL = "Build"
EXAMPLES = (
    "kgmill init",
    "kgmill init sample --sample",
    "kgmill init news --types 'Person,Company,Place' --relations 'works_for:Person>Company,based_in:Company>Place'",
    "kgmill init news --from annotated.json",
)


def init(
    folder: Annotated[str, Argument(metavar="DIR", help="the folder to write into")] = ".",
    *,
    types: Annotated[
        str | None, Option("--types", metavar="A,B", help="entity types of your own, with commas between them")
    ] = None,
    relations: Annotated[
        list[str] | None, Option("--relations", metavar="R:A>B", help="relations between them; A|B for several ends")
    ] = None,
    annotated: Annotated[
        list[str] | None, Option("--from", metavar="FILE", help="annotated sentences, whose types are taken")
    ] = None,
    form: DataFormat = "spert",
    sample: Annotated[
        bool, Option("--sample", help="a corpus of 66 short documents too, and a question to its graph, to try it on")
    ] = False,
    as_json: Json = False,
) -> None:
    """`kgmill init [DIR]`: kgmill.toml; with types, ontology.toml and train.toml too.

    Overwrites nothing.
    """
    one_of({"--types": types, "--from": annotated})
    if relations and not types:
        raise UsageError("--relations goes with --types")
    from kgmill.flows import scaffold

    place = Path(folder)
    texts = {scaffold.BUILD: scaffold.build_text()}
    if annotated:
        from kgmill.extractor.data.annotated import infer_ontology
        from kgmill.extractor.data.readers import read_annotated

        ontology = infer_ontology(read_annotated(annotated, form))
        texts[scaffold.TRAINING] = scaffold.training_text(place, annotated, form)
        texts[scaffold.ONTOLOGY] = scaffold.ontology_text(ontology)
    elif types:
        ontology = scaffold.parse_types(types, relations or ())
        texts[scaffold.TRAINING] = scaffold.training_text(place, [str(place / scaffold.SENTENCES)], "spert")
        texts[scaffold.ONTOLOGY] = scaffold.ontology_text(ontology)
        texts[scaffold.SENTENCES] = scaffold.sentences_text(ontology)
    documents = scaffold.sample_texts() if sample else {}
    written = [str(path) for path in scaffold.write_all(place, texts | documents)]
    if as_json:
        show_json({"written": written})
        return
    say(*(f"written: {path}" for path in written[: len(texts)]))
    if sample:
        say(f"written: {len(documents) - 1} documents in {place / scaffold.CORPUS}, and {place / scaffold.QUESTION}")
    source, out = (place / scaffold.CORPUS, "demo") if sample else ("SOURCE...", "kg")  # the question is asked of demo
    say("", f"next: kgmill build {source} --out {out} --config {place / scaffold.BUILD}")
    if sample:
        say(f"      kgmill query {out} @{place / scaffold.QUESTION}")
    if types:
        say(
            f"      put sentences of yours into {place / scaffold.SENTENCES}, in the form of those in it, and then",
        )
    if types or annotated:
        say(f"      kgmill debug data {place / scaffold.TRAINING}", f"      kgmill train {place / scaffold.TRAINING}")
