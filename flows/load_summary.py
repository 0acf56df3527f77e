"""What a person wants to see of a load: what was done, where the facts are, and a query that finds them."""

from __future__ import annotations

from kgmill.pipelines.triplestores.job import LoadReport

_QUERY = """\
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX x: <urn:kgmill:ns:>
SELECT ?head ?relation ?tail WHERE {{ {begin}
  ?a ?relation ?b . ?a rdfs:label ?head ; x:mentionCount ?n . ?b rdfs:label ?tail
{end} }} ORDER BY DESC(?n) ?head ?tail LIMIT 10"""


def format_load(report: LoadReport) -> str:
    """The report in words; the query in it works on every kind of store as it comes."""
    parts = [f"{report.n_replaced} graphs loaded"]
    if report.n_changed:
        parts.append(f"{report.n_changed} changed (+{report.n_inserted} -{report.n_deleted} triples)")
    parts += [f"{report.n_unchanged} unchanged", f"{report.n_removed} removed"]
    lines = [f"{report.n_graphs} graphs, {report.n_quads} quads: {', '.join(parts)}"]
    if report.note:
        lines.append(report.note)
    if report.facts is None:
        return "\n".join(lines)
    where = f"graph <{report.facts}>" if report.facts else "the store's default graph"
    return "\n".join([*lines, f"Entities and facts are in {where}; ask for some:", "", example_query(report.facts)])


def example_query(facts: str) -> str:
    """Ten facts between the entities that are named most; `facts` is the graph that holds them, empty the default."""
    begin, end = ("GRAPH ?g {", "}") if facts else ("", "")
    return _QUERY.format(begin=begin, end=end)
