"""The files that `kgmill init` writes: a build's configuration; an ontology and a training of a user's own types."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgmill.schemas.config import BuildConfig, Config, field_docs
from kgmill.schemas.errors import OutputError, UsageError
from kgmill.schemas.ontology import Ontology, parse_ontology

if TYPE_CHECKING:
    from kgmill.schemas.annotation import AnnotationFormat

BUILD, ONTOLOGY, TRAINING, SENTENCES = "kgmill.toml", "ontology.toml", "train.toml", "train.json"
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"  # beside the rooms, in a checkout and where it is installed
CORPUS, QUESTION = "corpus", "new-jersey.rq"
_RELATION = re.compile(r"(?P<name>[^:]+):(?P<head>[^>]+)>(?P<tail>.+)")


def build_text() -> str:
    """All keys of a build's configuration, commented out with their defaults, each with what it is for."""
    head = [
        f"# Of a build: kgmill build SOURCE... --out DIR --config {BUILD}",
        "# Every key stands here with its default. Take the # from one that is to be another; flags win over keys.",
        "",
    ]
    return "\n".join([*head, *_keys(BuildConfig, "")]) + "\n"


def _keys(kind: type[Config], table: str) -> Iterator[str]:
    """The keys of a table, then those of the tables in it."""
    told, tables = field_docs(kind), []
    for name, field in kind.model_fields.items():
        value = field.get_default(call_default_factory=True)
        if isinstance(value, Config):
            tables.append((name, type(value)))
            continue
        yield from textwrap.wrap(told[name], 100, initial_indent="# ", subsequent_indent="# ")
        yield f"#{name} = {_value(value)}"
        yield ""
    for name, inner in tables:
        path = f"{table}.{name}".removeprefix(".")
        yield f"# {told[name]}"
        yield f"[{path}]"
        yield ""
        yield from _keys(inner, path)


def _value(value: Any) -> str:
    """A value as TOML has it, which writes these as JSON does."""
    return json.dumps(value, ensure_ascii=False)


def parse_types(types: str, relations: Sequence[str]) -> Ontology:
    """The ontology of a list of entity types and of relations such as `works_for:Person>Company`.

    Several ends are joined by `|`: `based_in:Company|School>Place`.

    Raises:
        UsageError: a relation of another form, or with an end that is no type.
        OntologyError: a name that can't be one.
    """
    names = [name.strip() for name in types.split(",") if name.strip()]
    if not names:
        raise UsageError("--types: wanted names with commas between them, such as Person,Company")
    found: dict[str, Any] = {}
    for text in (one.strip() for listed in relations for one in listed.split(",")):
        match = _RELATION.fullmatch(text)
        if not match:
            raise UsageError(f"--relations {text}: wanted NAME:HEAD>TAIL, such as works_for:Person>Company")
        ends = {side: [name.strip() for name in match[side].split("|")] for side in ("head", "tail")}
        if unknown := [name for side in ends.values() for name in side if name not in names]:
            raise UsageError(f"--relations {text}: {unknown[0]} is not among --types {types}")
        found[match["name"].strip()] = {"label": _words(match["name"]), **ends}
    return parse_ontology(
        {"entities": {name: {"label": _words(name)} for name in names}, "relations": found}, "--types"
    )


def _words(name: str) -> str:
    return name.strip().replace("_", " ")


def ontology_text(ontology: Ontology) -> str:
    """The ontology as TOML."""
    lines = [
        "# Entity types, and the relations that they may have. docs/graph.md says what else a type may say: iri,",
        "# labels, parent, and of relations symmetric, inverse, functional, transitive.",
        f"overlapping_entities = {_value(ontology.overlapping_entities)}",
    ]
    for name, entity in ontology.entities.items():
        lines += ["", f"[entities.{_key(name)}]", f"label = {_value(entity.label or _words(name))}"]
    for name, relation in ontology.relations.items():
        lines += ["", f"[relations.{_key(name)}]", f"label = {_value(relation.label or _words(name))}"]
        lines += [f"head = {_value(relation.head)}", f"tail = {_value(relation.tail)}"]
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def training_text(folder: Path, train: Sequence[str], form: AnnotationFormat) -> str:
    """A training of such an ontology; paths are relative to where it is run."""
    return "\n".join(
        [
            f"# A training: kgmill train {folder / TRAINING}; docs/reference/configuration.md has all keys.",
            "# Look at the data first: kgmill debug data " + str(folder / TRAINING),
            f"train = {_value(list(train))}",
            '#dev = "dev.json"  # sentences that are not trained on, to see how good the model is',
            f"format = {_value(form)}",
            f"ontology = {_value(str(folder / ONTOLOGY))}",
            f"out = {_value(str(folder / 'model'))}",
            "",
            "# Goes on from the model that comes with kgmill, so that fewer sentences do.",
            'start = "default"',
            "epochs = 30",
            "",
        ]
    )


def sentences_text(ontology: Ontology) -> str:
    """A made-up sentence a relation, to show the form; or one an entity type, where there is no relation."""
    rows = []
    for name, relation in ontology.relations.items():
        head, tail = relation.head[0], relation.tail[0]
        words = [f"A-{head}".replace(" ", "-"), *_words(name).split(), f"B-{tail}".replace(" ", "-"), "."]
        ends = [{"type": head, "start": 0, "end": 1}, {"type": tail, "start": len(words) - 2, "end": len(words) - 1}]
        rows.append({"tokens": words, "entities": ends, "relations": [{"type": name, "head": 0, "tail": 1}]})
    for name in ontology.entities if not rows else ():
        words = ["This", "is", f"A-{name}".replace(" ", "-"), "."]
        rows.append({"tokens": words, "entities": [{"type": name, "start": 2, "end": 3}], "relations": []})
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def sample_texts() -> dict[str, str]:
    """The sample corpus that comes with kgmill, a text a file, and the question that is asked of its graph."""
    paths = [EXAMPLES / QUESTION, *(EXAMPLES / CORPUS).glob("*.txt")]
    return {str(path.relative_to(EXAMPLES)): path.read_text(encoding="utf-8") for path in sorted(paths)}


def write_all(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Writes the files into a folder, which is made; all or none.

    Raises:
        OutputError: one of them is there already, or can't be written.
    """
    paths = {folder / name: text for name, text in texts.items()}
    if there := [str(path) for path in paths if path.exists()]:
        raise OutputError(f"{', '.join(there)}: there already; give another folder, or move it away")
    try:
        for path, text in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{error.filename or folder}: {error.strerror or error}") from None
    return list(paths)
