"""Files read as `neo4j-admin database import full` is documented to read them, and more strictly.

The rules are those of Neo4j's operations manual, Import, "CSV header format" and "Options". What the import would pass
over or mend, such as an empty label or a boolean that is neither word, is refused.
"""

import re

ARRAY = "\x1f"  # --array-delimiter=U+001F
_CELL = re.compile(r'"((?:[^"]|"")*)"|([^",\r\n]*)')
_FIELD = re.compile(r"(?P<name>.*?)(?::(?P<kind>[A-Za-z_]+)(?P<array>\[\])?)?", re.DOTALL)
_NODE, _EDGE = {"ID", "LABEL"}, {"START_ID", "END_ID", "TYPE"}
_NUMBER = {"byte": 8, "short": 16, "int": 32, "long": 64}
_FLOAT = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


def read_import(nodes, edges):
    """What the import would make of a file of nodes and one of relationships.

    Args:
        nodes: its bytes, unpacked.
        edges: the same.

    Returns:
        The nodes by id, each its labels and its properties, and the relationships: start, type, end, properties.

    Raises:
        ValueError: naming the line and what is wrong with it.
    """
    found = {}
    for where, special, properties in _rows(nodes, _NODE):
        [identifier], labels = special["ID"], special["LABEL"]
        _refuse(not identifier or identifier in found, where, f"no id, or that of another node: {identifier!r}")
        _refuse(not labels or not all(labels), where, "a node without a label, or with an empty one")
        found[identifier] = labels, properties
    related = []
    for where, special, properties in _rows(edges, _EDGE):
        (start,), (end,), (kind,) = (special[name] for name in ("START_ID", "END_ID", "TYPE"))
        _refuse(start not in found or end not in found, where, f"no such node: {start!r} or {end!r}")
        _refuse(not kind, where, "a relationship without a type")
        related.append((start, kind, end, properties))
    return found, related


def _rows(data, specials):
    """Each row of a file: where it is, its special fields as lists, its properties."""
    head, *rows = _table(data.decode())
    fields = [_FIELD.fullmatch(text).groupdict() for _, text in head]
    _refuse({f["kind"] for f in fields} & (_NODE | _EDGE) != specials, "head", f"wanted {specials}, got {fields}")
    for field in fields:
        kind = field["kind"] or "string"
        known = kind in specials or kind in ("string", "boolean", "float", "double", *_NUMBER)
        _refuse(not known or (kind in specials and field["array"]), "head", f"no type of a field: {field}")
        _refuse(kind not in specials and not field["name"], "head", "a property without a name")
    names = [field["name"] for field in fields if field["name"]]
    _refuse(len({*names}) != len(names), "head", f"a name twice: {names}")
    for number, row in enumerate(rows, 2):
        where = f"row {number}"
        _refuse(len(row) != len(fields), where, f"{len(row)} cells for {len(fields)} fields")
        special, properties = {}, {}
        for field, (is_quoted, text) in zip(fields, row, strict=True):
            kind, name = field["kind"] or "string", field["name"]
            parts = text.split(ARRAY) if (field["array"] or kind == "LABEL") else [text]
            if kind in specials:
                special[kind] = parts if text else [""]
            if name and (text or is_quoted):
                values = [_value(kind, part, where) for part in parts]
                properties[name] = values if field["array"] else values[0]
        yield where, special, properties


def _value(kind, text, where):
    if kind in _NUMBER:
        is_whole = re.fullmatch(r"-?\d+", text) is not None
        _refuse(
            not is_whole or not -(1 << _NUMBER[kind] - 1) <= int(text) < 1 << _NUMBER[kind] - 1,
            where,
            f"no {kind}: {text!r}",
        )
        return int(text)
    if kind in ("float", "double"):
        _refuse(_FLOAT.fullmatch(text) is None, where, f"no {kind}: {text!r}")
        return float(text)
    if kind == "boolean":
        _refuse(text not in ("true", "false"), where, f"no boolean: {text!r}")
        return text == "true"
    _refuse(ARRAY in text, where, f"what parts lists, in a text: {text!r}")
    return text


def _table(text):
    """The rows of a CSV file: of each cell whether it is in quotes, which may hold line ends, and its text."""
    rows, row, at = [], [], 0
    while at < len(text):
        match = _CELL.match(text, at)
        quoted, plain = match.groups()
        row.append((quoted is not None, plain if quoted is None else quoted.replace('""', '"')))
        at = match.end()
        _refuse(
            at == len(text) or text[at] not in ",\n",
            f"row {len(rows) + 1}",
            f"no end of a cell: {text[at : at + 20]!r}",
        )
        if text[at] == "\n":
            rows.append(row)
            row = []
        at += 1
    return rows


def _refuse(is_wrong, where, what):
    if is_wrong:
        raise ValueError(f"{where}: {what}")
