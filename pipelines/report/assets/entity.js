// The page of an entity, beside all else: what it is called, its facts, their sentences.

const panel = byId("entity");
let opened = -1;
let openedFrom = null;

function openEntity(entity) {
  if (opened < 0) openedFrom = document.activeElement;
  opened = entity;
  drawEntity();
  panel.hidden = false;
  history.replaceState(null, "", `#entity=${encodeURIComponent(entities.id[entity])}`);
  byId("entity-title").focus({ preventScroll: true });
  panel.scrollTop = 0;
  showOnMap(entity);
}

function closeEntity() {
  if (opened < 0) return;
  opened = -1;
  panel.hidden = true;
  panel.replaceChildren();
  history.replaceState(null, "", "#graph");
  (openedFrom && openedFrom.isConnected && openedFrom !== document.body ? openedFrom : byId("search")).focus();
  showOnMap(-1);
}

function drawEntity() {
  const e = opened;
  if (e < 0) return;
  const all = factsOf(e);
  const visible = all.filter(isChosen);
  const parts = [
    make(
      "header",
      {},
      make("h2", { id: "entity-title", tabindex: "-1" }, make("bdi", {}, entities.label[e])),
      make("button", { type: "button", class: "close", "aria-label": "Close (Escape)", click: closeEntity }, "×"),
    ),
    make(
      "p",
      {},
      make("span", { class: "chip" }, typeDot(e), entities.types[entities.type[e]]),
      ` ${plural(entities.mentions[e], "mention", "mentions")} in ${plural(entities.documents[e], "document", "documents")}`,
    ),
  ];
  const also = entities.aliases[e];
  if (also) {
    const names = also.flatMap((name, i) => [i ? ", " : "", make("bdi", {}, name)]);
    parts.push(make("p", { class: "aliases" }, "Also called ", ...names));
  }
  parts.push(make("p", { class: "note" }, "id ", make("code", {}, entities.id[e])));
  if (visible.length < all.length) {
    const hidden = plural(all.length - visible.length, "fact is", "facts are");
    parts.push(make("p", { class: "note hidden-facts" }, `${hidden} hidden by the slider or the box above the lists.`));
  }
  const sides = [
    ["Facts about it", "out", visible.filter((f) => facts.head[f] === e)],
    ["Facts that lead to it", "in", visible.filter((f) => facts.head[f] !== e)],
  ];
  for (const [title, kind, found] of sides) {
    const place = make("div", { class: `facts-${kind}` });
    list(place, (f) => factRow(f, true, e), "none")(found);
    parts.push(make("h3", {}, `${title} `, make("span", { class: "note" }, count(found.length))), place);
  }
  panel.replaceChildren(...parts);
}
