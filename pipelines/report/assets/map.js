// The map, drawn by Cytoscape.js; where each entity lies was computed when the page was written.

let cy = null;
let pointed = -1; // the place in `picture.nodes` that the keys are at

function drawMap() {
  const nodes = picture.nodes.map((e, i) => ({
    group: "nodes",
    data: { id: `n${e}`, entity: e, label: entities.label[e], type: entities.type[e] % 8, size: 0, font: 0 },
    position: { x: picture.x[i], y: picture.y[i] },
  }));
  const onMap = new Set(picture.nodes);
  const edges = [];
  const degree = new Map();
  for (let f = 0; f < nFacts; f++) {
    const [head, tail] = [facts.head[f], facts.tail[f]];
    if (tail < 0 || head === tail || !onMap.has(head) || !onMap.has(tail)) continue;
    const relation = facts.relations[facts.relation[f]];
    edges.push({ group: "edges", data: { id: `f${f}`, fact: f, source: `n${head}`, target: `n${tail}`, relation } });
    for (const e of [head, tail]) degree.set(e, (degree.get(e) || 0) + 1);
  }
  for (const { data } of nodes) {
    const root = Math.sqrt(degree.get(data.entity) || 0);
    [data.size, data.font] = [9 + 5 * root, 9 + 3.4 * root];
  }
  cy = cytoscape({
    container: byId("map"),
    elements: [...nodes, ...edges],
    layout: { name: "preset", fit: true, padding: 24 },
    style: mapStyle(),
    minZoom: 0.08,
    maxZoom: 4,
    boxSelectionEnabled: false,
    autoungrabify: true,
    userZoomingEnabled: matchMedia("(pointer: coarse)").matches,
  });
  cy.on("tap", "node", (event) => openEntity(event.target.data("entity")));
  cy.on("mouseover", "node", (event) => event.target.addClass("near"));
  cy.on("mouseout", "node", (event) => event.target.removeClass("near"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy.style(mapStyle()));
  const place = byId("map");
  // Cytoscape keeps where the map is until it hears of a scroll, which comes a frame late, and of what grows above never.
  for (const event of ["pointerenter", "pointerdown"]) place.addEventListener(event, () => cy.resize(), { capture: true });
  place.addEventListener("keydown", mapKey);
  place.addEventListener("focus", () => cy.userZoomingEnabled(true));
  place.addEventListener("blur", () => cy.userZoomingEnabled(matchMedia("(pointer: coarse)").matches));
  place.append(
    make(
      "div",
      { class: "zoom" },
      make("button", { type: "button", "aria-label": "Closer", click: () => zoom(1.4) }, "+"),
      make("button", { type: "button", "aria-label": "Farther", click: () => zoom(1 / 1.4) }, "−"),
      make("button", { type: "button", "aria-label": "Whole map", click: () => cy.fit(undefined, 24) }, "⤢"),
    ),
  );
  const used = [...new Set(picture.nodes.map((e) => entities.type[e]))].sort((a, b) => a - b);
  byId("legend").replaceChildren(
    ...used.map((t) => make("li", {}, make("span", { class: `dot type-${t % 8}`, "aria-hidden": "true" }), entities.types[t])),
  );
  byId("map-note").textContent =
    `The ${plural(nodes.length, "entity", "entities")} that the surest facts join most, of ${count(nEntities)}. ` +
    "Click one to open it; click the map, then turn the wheel to zoom.";
}

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function mapStyle() {
  const types = Array.from({ length: 8 }, (_, t) => ({ selector: `node[type = ${t}]`, style: { "background-color": color(`type-${t}`) } }));
  const near = { "border-color": color("accent"), "min-zoomed-font-size": 0 };
  return [
    {
      selector: "node",
      style: {
        label: "data(label)",
        width: "data(size)",
        height: "data(size)",
        color: color("ink"),
        "font-size": "data(font)",
        "font-family": "system-ui, sans-serif",
        "min-zoomed-font-size": 9,
        "text-max-width": 240,
        "text-wrap": "ellipsis",
        "text-valign": "bottom",
        "text-margin-y": 2,
        "text-outline-color": color("paper"),
        "text-outline-width": 2,
        "border-width": 1,
        "border-color": color("paper"),
      },
    },
    ...types,
    {
      selector: "edge",
      style: {
        width: 1.4,
        "line-color": color("line"),
        "curve-style": "bezier",
        "target-arrow-shape": "triangle",
        "target-arrow-color": color("line"),
        "arrow-scale": 0.8,
        "font-size": 11,
        "min-zoomed-font-size": 7,
        color: color("soft"),
        "text-outline-color": color("paper"),
        "text-outline-width": 2,
        "text-rotation": "autorotate",
      },
    },
    { selector: ".hid", style: { display: "none" } },
    { selector: ".lone", style: { opacity: 0.25 } },
    { selector: ".near", style: { ...near, "border-width": 3, "font-size": 24, "z-index": 9 } },
    { selector: "edge.of", style: { label: "data(relation)", "font-size": 16, width: 2.4, "line-color": color("accent"), "target-arrow-color": color("accent"), "z-index": 8 } },
    { selector: "node.of", style: { "min-zoomed-font-size": 0, "font-size": 20, "z-index": 8 } },
    { selector: ".open", style: { ...near, "border-width": 5, "font-size": 26, "z-index": 10 } },
  ];
}

function zoom(by) {
  cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
}

function filterMap() {
  if (!cy) return;
  cy.batch(() => {
    cy.edges().forEach((edge) => edge.toggleClass("hid", !isChosen(edge.data("fact"))));
    cy.nodes().forEach((node) => node.toggleClass("lone", node.connectedEdges().every((edge) => edge.hasClass("hid"))));
  });
}

function showOnMap(entity) {
  if (!cy) return;
  cy.elements().removeClass("open of");
  const node = cy.getElementById(`n${entity}`);
  if (entity < 0 || node.empty()) return;
  node.addClass("open");
  node.connectedEdges().addClass("of").connectedNodes().addClass("of");
  bringIn(node);
}

function bringIn(node) {
  const { x, y } = node.renderedPosition();
  if (x < 0 || y < 0 || x > cy.width() || y > cy.height()) cy.center(node);
}

const TOWARDS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function mapKey(event) {
  if (event.target !== byId("map") || picture.nodes.length === 0) return;
  if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.4 : 1 / 1.4);
  else if (event.key === "Enter" && pointed >= 0) openEntity(picture.nodes[pointed]);
  else if (TOWARDS[event.key]) point(pointed < 0 ? 0 : nearest(...TOWARDS[event.key]));
  else return;
  event.preventDefault();
}

// The nearest place in a direction; what lies aside counts double.
function nearest(dx, dy) {
  let best = pointed;
  let least = Infinity;
  picture.nodes.forEach((_, i) => {
    const [x, y] = [picture.x[i] - picture.x[pointed], picture.y[i] - picture.y[pointed]];
    const ahead = x * dx + y * dy;
    const aside = Math.abs(x * dy) + Math.abs(y * dx);
    if (ahead > 0 && aside <= 2 * ahead && ahead + 2 * aside < least) [best, least] = [i, ahead + 2 * aside];
  });
  return best;
}

function point(i) {
  pointed = i;
  const node = cy.getElementById(`n${picture.nodes[i]}`);
  cy.nodes().removeClass("near");
  node.addClass("near");
  bringIn(node);
  byId("status").textContent = `${entities.label[picture.nodes[i]]}, ${entities.types[entities.type[picture.nodes[i]]]}`;
}
