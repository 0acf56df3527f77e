"""What others say of a few things that the sample graph names too, and questions to both."""

from sample_graph import SCHEMA, WD, WDT, XSD

RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"

# What Wikidata says of a few things, in the form of its truthy dump; and schema.org, in that of a crawl.
WIKIDATA_SLICE = f"""
<{WD}Q90> <{RDFS}label> "Paris"@en ; <{WDT}P17> <{WD}Q142> ; <{WDT}P1082> 2145906 .
<{WD}Q142> <{RDFS}label> "France"@en .
<{WD}Q7186> <{RDFS}label> "Marie Curie"@en ; <{WDT}P19> <{WD}Q270> ;
    <{WDT}P569> "1867-11-07T00:00:00Z"^^<{XSD}dateTime> .
<{WD}Q270> <{RDFS}label> "Warsaw"@en .
"""
SCHEMA_SLICE = f"""
<https://paris.example/> a <{SCHEMA}Place> ; <{SCHEMA}name> "Paris" ; <{SCHEMA}telephone> "3975" ;
    <{SKOS}exactMatch> <{WD}Q90> .
<https://curie.example/> a <{SCHEMA}Person> ; <{SCHEMA}name> "Marie Curie" ;
    <{SCHEMA}birthDate> "1867-11-07"^^<{XSD}date> .
"""

BORN = """SELECT ?name ?date WHERE {
    ?person wdt:P569 ?date ; rdfs:label ?name
    FILTER(?date < "1900-01-01T00:00:00Z"^^xsd:dateTime) FILTER(!CONTAINS(?name, "urn:x"))
} ORDER BY ?date"""
COUNTRIES = """SELECT ?name ?country ?people WHERE {
    ?person wdt:P19 ?place ; rdfs:label ?name .
    ?place skos:exactMatch ?there .
    ?there wdt:P17/rdfs:label ?country ; wdt:P1082 ?people
}"""
BIRTHDAYS = """SELECT ?name ?date WHERE {
    ?person a schema:Person ; schema:name ?name ; schema:birthDate ?date
    FILTER(datatype(?date) = xsd:date)
} ORDER BY ?date"""
PHONES = """SELECT ?name ?phone WHERE {
    ?person schema:birthPlace ?place ; schema:name ?name .
    ?place skos:exactMatch ?same . ?there skos:exactMatch ?same ; schema:telephone ?phone
}"""
