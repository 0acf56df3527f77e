// What people do, and what follows.

const listFacts = list(byId("facts"), (f) => factRow(f, false, -1), "No fact is found.");
const listEntities = list(byId("entities"), entityRow, "No entity is found.");
let found = { facts: [], entities: [] };

function find() {
  chosen.words = fold(byId("search").value).split(/\s+/).filter(Boolean);
  chosen.least = Number(byId("least").value);
  chosen.asserted = byId("asserted").checked;
  byId("least-shown").value = sure(chosen.least);
  found = { facts: factsFound(), entities: entitiesFound() };
  listFacts(found.facts);
  listEntities(found.entities);
  byId("n-facts").textContent = count(found.facts.length);
  byId("n-entities").textContent = count(found.entities.length);
  byId("status").textContent = `${plural(found.facts.length, "fact", "facts")}, ${plural(found.entities.length, "entity", "entities")}`;
}

function filter() {
  find();
  filterMap();
  const before = document.activeElement;
  drawEntity();
  if (opened >= 0 && !before.isConnected) byId("entity-title").focus();
}

let asked = 0;
const soon = (what) => () => {
  cancelAnimationFrame(asked);
  asked = requestAnimationFrame(what);
};

const tabs = [byId("tab-facts"), byId("tab-entities")];
function choose(tab) {
  for (const other of tabs) {
    const isIt = other === tab;
    other.setAttribute("aria-selected", String(isIt));
    other.tabIndex = isIt ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = !isIt;
  }
}

for (const [i, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    choose(tabs[1 - i]);
    tabs[1 - i].focus();
  });
}

byId("search").addEventListener("input", soon(find));
byId("least").addEventListener("input", soon(filter));
byId("asserted").addEventListener("change", filter);
byId("controls").addEventListener("submit", (event) => event.preventDefault());
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    find();
    if (chosen.words.length && found.entities.length) openEntity(found.entities[0]);
  } else if (event.key === "ArrowDown") {
    byId(tabs.find((tab) => tab.tabIndex === 0).getAttribute("aria-controls")).querySelector("button")?.focus();
    event.preventDefault();
  }
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, textarea");
  if (event.key === "Escape" && opened >= 0) {
    closeEntity();
    event.preventDefault();
  } else if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
    byId("search").focus();
    event.preventDefault();
  }
});
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => part.setAttribute("open", "")));

function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id; // a link that was cut, or none of ours
  }
}

function openNamed() {
  const [, id] = /^#entity=(.+)$/.exec(location.hash) || [];
  if (!id) return;
  const entity = places.get(decoded(id));
  if (entity !== undefined) openEntity(entity);
}

find();
drawMap();
openNamed();
addEventListener("hashchange", openNamed);
requestAnimationFrame(() => setTimeout(() => {
  document.documentElement.dataset.ready = String(Math.round(performance.now()));
}));
