"use strict";
// What the page holds, what is asked of it, and how its text becomes nodes. Text is never parsed as HTML: all that is
// shown goes through `make`, whose strings become text nodes.

const byId = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "click") node.addEventListener("click", value);
    else if (value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const count = (n) => n.toLocaleString("en");
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
const sure = (thousandths) => (thousandths / 1000).toFixed(2);

const { entities, facts, map: picture } = JSON.parse(byId("graph-data").textContent);
const nFacts = facts.id.length;
const nEntities = entities.id.length;

let sentenceData = null; // parsed when the first sentence is asked for
function evidenceOf(fact) {
  sentenceData = sentenceData || JSON.parse(byId("sentence-data").textContent);
  return (sentenceData.evidence[fact] || []).map(([text, document, ...rest]) => ({
    text: sentenceData.texts[text],
    document: sentenceData.documents[document],
    marks: rest.slice(0, 4),
    confidence: rest[4],
    stance: rest[5],
  }));
}

let joined = null; // per entity the facts that it has an end of, best first
function factsOf(entity) {
  if (!joined) {
    joined = Array.from({ length: nEntities }, () => []);
    for (let f = 0; f < nFacts; f++) {
      joined[facts.head[f]].push(f);
      if (facts.tail[f] >= 0 && facts.tail[f] !== facts.head[f]) joined[facts.tail[f]].push(f);
    }
  }
  return joined[entity];
}

const places = new Map(entities.id.map((id, e) => [id, e]));
const chosen = { words: [], least: 0, asserted: false };
const isChosen = (f) => facts.confidence[f] >= chosen.least && (!chosen.asserted || facts.asserted[f] === 1);

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

let folded = null; // what is searched, made at the first search
function searchable() {
  if (!folded) {
    folded = {
      entities: entities.label.map((label, e) => fold([label, ...(entities.aliases[e] || [])].join("\n"))),
      types: entities.types.map(fold),
      relations: facts.relations.map((name) => `${fold(name)}\n${fold(name.replaceAll("_", " "))}`),
      values: new Map(Object.entries(facts.values).map(([f, value]) => [Number(f), fold(value)])),
    };
  }
  return folded;
}

// The facts in which each word names an end, the relation or the value, best first.
function factsFound() {
  const found = [];
  const hits = chosen.words.map((word) => {
    const { entities: names, relations, values } = searchable();
    return {
      ends: Uint8Array.from(names, (name) => (name.includes(word) ? 1 : 0)),
      relations: relations.map((name) => name.includes(word)),
      isValue: (f) => (values.get(f) || "").includes(word),
    };
  });
  for (let f = 0; f < nFacts; f++) {
    if (!isChosen(f)) continue;
    const tail = facts.tail[f];
    const isHit = (hit) =>
      hit.ends[facts.head[f]] === 1 || hit.relations[facts.relation[f]] || (tail < 0 ? hit.isValue(f) : hit.ends[tail] === 1);
    if (hits.every(isHit)) found.push(f);
  }
  return found;
}

// The entities that all words name, by a name of theirs or their type: those that are called so, that begin so, others.
function entitiesFound() {
  const { words } = chosen;
  const found = [];
  if (words.length === 0) {
    for (let e = 0; e < nEntities; e++) found.push(e);
    return found.sort((a, b) => entities.mentions[b] - entities.mentions[a] || a - b);
  }
  const { entities: names, types } = searchable();
  const asked = words.join(" ");
  const rank = new Map();
  for (let e = 0; e < nEntities; e++) {
    const name = names[e];
    if (!words.every((word) => name.includes(word) || types[entities.type[e]].includes(word))) continue;
    found.push(e);
    rank.set(e, name.split("\n").includes(asked) ? 0 : name.startsWith(asked) ? 1 : 2);
  }
  return found.sort((a, b) => rank.get(a) - rank.get(b) || entities.mentions[b] - entities.mentions[a] || a - b);
}
