"""The prefixes that a query may use undeclared: the usual ones, and those of a dataset."""

from __future__ import annotations

import re

from kgmill.pipelines.graph.vocabulary import KGMILL

# Tables and Turtle abbreviate with these, too.
PREFIXES = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "itsrdf": "http://www.w3.org/2005/11/its/rdf#",
    "nif": "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "prov": "http://www.w3.org/ns/prov#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "void": "http://rdfs.org/ns/void#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

# What can hold a word that is no keyword: strings, IRIs, comments, variables and prefixed names.
NOT_KEYWORDS = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""'
    r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\r\n]|\\.)*"'
    r"|'(?:[^'\\\r\n]|\\.)*'"
    r'|<[^\x00-\x20<>"{}|^`\\]*>'
    r"|#[^\r\n]*"
    r"|[?$]\w+"
    r"|(?P<prefix>[\w.-]*):[\w.-]*",
    re.DOTALL,
)
_DECLARES = re.compile(r"\bPREFIX\s*$", re.IGNORECASE)


def dataset_prefixes(base: str, dataset: str) -> dict[str, str]:
    """A dataset's own: `v:` its vocabulary, `x:` kgmill's terms, `e:` entities, `d:` documents, `g:` named graphs.

    >>> dataset_prefixes("https://kg.example.org/", "news")["d"]
    'https://kg.example.org/news/doc/'
    """
    return {
        "v": f"{base}vocab#",
        "x": KGMILL,
        "e": f"{base}{dataset}/entity/",
        "d": f"{base}{dataset}/doc/",
        "g": f"{base}{dataset}/graph/",
    }


def declared(sparql: str, prefixes: dict[str, str]) -> str:
    """The query with declarations of those prefixes that it uses and doesn't declare, on its first line.

    >>> declared("ASK { e:ada a ?t . ?t rdfs:label 'g:kg' }", {"e": "urn:e:", "g": "urn:g:", "rdfs": "urn:r#"})
    "PREFIX e: <urn:e:> PREFIX rdfs: <urn:r#> ASK { e:ada a ?t . ?t rdfs:label 'g:kg' }"
    """
    names = [match for match in NOT_KEYWORDS.finditer(sparql) if match["prefix"] is not None]
    own = {match["prefix"] for match in names if _DECLARES.search(sparql, 0, match.start())}
    wanted = sorted({match["prefix"] for match in names} - own & prefixes.keys())
    return "".join(f"PREFIX {name}: <{prefixes[name]}> " for name in wanted if name in prefixes) + sparql
