// Lists of facts and entities, a window of rows at a time.

const ROWS = 25;

// A list in `place` whose rows `row` makes; call what it returns with what is to be listed.
function list(place, row, nothing) {
  let rows = [];
  let first = 0;
  const draw = (isMoved) => {
    const items = rows.slice(first, first + ROWS).map(row);
    const parts = [items.length ? make("ul", { class: "rows" }, ...items) : make("p", { class: "note" }, nothing)];
    if (rows.length > ROWS) {
      const step = (by) => () => {
        first += by;
        draw(true);
      };
      const range = `${count(first + 1)} to ${count(Math.min(first + ROWS, rows.length))} of ${count(rows.length)}`;
      parts.push(
        make(
          "nav",
          { class: "pages", "aria-label": "Windows of the list" },
          make("button", { type: "button", disabled: first === 0, click: step(-ROWS) }, "Back"),
          make("span", {}, range),
          make("button", { type: "button", disabled: first + ROWS >= rows.length, click: step(ROWS) }, "On"),
        ),
      );
    }
    place.replaceChildren(...parts);
    if (isMoved) {
      place.scrollIntoView({ block: "nearest" });
      place.querySelector("button")?.focus();
    }
  };
  return (found) => {
    rows = found;
    first = 0;
    draw(false);
  };
}

function endButton(entity, kind) {
  const open = () => openEntity(entity);
  return make("button", { type: "button", class: `end ${kind}`, click: open }, make("bdi", {}, entities.label[entity]));
}

// `isOpen`: with its sentences; else a button shows them. `subject`: the entity whose page it is on, which is no button.
function factRow(f, isOpen, subject) {
  const [head, tail] = [facts.head[f], facts.tail[f]];
  const end = (entity, kind) =>
    entity === subject
      ? make("span", { class: `here ${kind}` }, make("bdi", {}, entities.label[entity]))
      : endButton(entity, kind);
  const value = () => make("span", { class: "value tail" }, make("bdi", {}, facts.values[f]));
  const said = make(
    "div",
    { class: "said" },
    end(head, "head"),
    make("span", { class: "relation" }, make("bdi", {}, facts.relations[facts.relation[f]])),
    tail < 0 ? value() : end(tail, "tail"),
  );
  const told = make("div", { class: "told" }, ...confidenceOf(f));
  const row = make("li", { class: "fact", "data-fact": facts.id[f] }, said, told);
  if (isOpen) row.append(sentencesOf(f));
  else told.append(disclosure(f, row));
  return row;
}

function confidenceOf(f) {
  const thousandths = facts.confidence[f];
  const parts = [
    make("meter", { min: 0, max: 1000, value: thousandths, "aria-hidden": "true" }),
    make("span", { class: "sure" }, sure(thousandths)),
    make("span", { class: facts.asserted[f] ? "chip yes" : "chip" }, facts.asserted[f] ? "asserted" : "not asserted"),
  ];
  if (facts.documents[f] > 1) parts.push(make("span", {}, `${count(facts.documents[f])} documents`));
  const [first, last] = facts.dates[f] || ["", ""];
  if (first || last) parts.push(make("span", {}, first === last || !last ? first : `${first || "?"} to ${last}`));
  return parts;
}

function disclosure(f, row) {
  let shown = null;
  const toggle = () => {
    if (shown) shown.remove();
    else row.append(sentencesOf(f));
    shown = shown ? null : row.lastElementChild;
    button.setAttribute("aria-expanded", String(shown !== null));
  };
  const label = plural(facts.evidence[f], "sentence", "sentences");
  const button = make("button", { type: "button", class: "more", "aria-expanded": "false", click: toggle }, label);
  return button;
}

// The sentences of a fact. They are the last of the page to come: until then there is a line that says so.
function sentencesOf(f) {
  const block = make("div", { class: "evidence" });
  if (document.readyState === "loading") {
    block.append(make("p", { class: "note" }, "The sentences are still being read."));
    addEventListener("DOMContentLoaded", () => fill(block, f), { once: true });
  } else {
    fill(block, f);
  }
  return block;
}

function fill(block, f) {
  block.replaceChildren();
  const evidence = evidenceOf(f);
  for (const { text, document: [id, title, date], marks, confidence, stance } of evidence) {
    const from = [title ? make("bdi", { class: "title" }, title) : "", make("bdi", { class: "id" }, id), date, sure(confidence), stance];
    block.append(
      make(
        "blockquote",
        {},
        make("p", { dir: "auto" }, ...marked(text, marks)),
        make("footer", {}, ...from.filter(Boolean).flatMap((part, i) => (i ? [" ·\u00a0", part] : [part]))),
      ),
    );
  }
  const missing = facts.evidence[f] - evidence.length;
  if (missing > 0) {
    const none = evidence.length ? "" : " Ask for them with kgmill query.";
    block.append(make("p", { class: "note" }, `${plural(missing, "sentence is", "sentences are")} not on this page.${none}`));
  }
}

// The sentence as nodes, with head and tail marked; one may lie in the other.
function marked(text, [headBegin, headEnd, tailBegin, tailEnd]) {
  const cuts = [...new Set([0, headBegin, headEnd, tailBegin, tailEnd, text.length])].sort((a, b) => a - b);
  const nodes = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const piece = text.slice(cuts[i], cuts[i + 1]);
    const kinds = [];
    if (cuts[i] >= headBegin && cuts[i] < headEnd) kinds.push("head");
    if (cuts[i] >= tailBegin && cuts[i] < tailEnd) kinds.push("tail");
    nodes.push(kinds.length ? make("mark", { class: kinds.join(" "), title: kinds.join(" and ") }, piece) : piece);
  }
  return nodes;
}

function entityRow(e) {
  const row = make(
    "li",
    { class: "entity", "data-entity": entities.id[e] },
    endButton(e, ""),
    make("span", { class: "chip" }, typeDot(e), entities.types[entities.type[e]]),
    make("span", { class: "note" }, `${plural(entities.mentions[e], "mention", "mentions")}, ${plural(factsOf(e).length, "fact", "facts")}`),
  );
  const also = entities.aliases[e];
  if (also) row.append(make("span", { class: "also" }, "also ", make("bdi", {}, also.slice(0, 3).join(", "))));
  return row;
}

const typeDot = (e) => make("span", { class: `dot type-${entities.type[e] % 8}`, "aria-hidden": "true" });
