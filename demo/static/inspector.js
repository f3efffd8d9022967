// The flow inspector: a place of the result, and the places of the reference it looks at; and back.
// value: {run, result, reference, views: {name: address}, layers: [{name, label}], steps: [{step, label, trained}], arrows}
// marks: {side, from: [x, y], places: [{x, y, weight}], spread, heat, text}; places in [0, 1]
const root = element.querySelector(".lf-inspect");
const panes = { result: root.querySelector("[data-side=result]"), reference: root.querySelector("[data-side=reference]") };
const pictures = Object.fromEntries(Object.entries(panes).map(([side, pane]) => [side, pane.querySelector("img")]));
const heat = root.querySelector(".lf-heat");
const lines = root.querySelector("svg.lf-lines");
const views = root.querySelector(".lf-views");
const told = root.querySelector(".lf-told");
const layer = root.querySelector(".lf-layer"), step = root.querySelector(".lf-step-range");
const layerName = root.querySelector(".lf-layer-name"), stepName = root.querySelector(".lf-step-name");
const legend = root.querySelector(".lf-legend");
const VIEWS = ["result", "flow", "refined", "confidence", "mass", "arrows"];
const NAMESPACE = "http://www.w3.org/2000/svg";
let view = "result", run = null, cursor = { result: [0.5, 0.4], reference: [0.5, 0.4] };

const words = (key) => (props.words || {})[key] || "";
const chosenLayer = () => ((props.value || {}).layers || [])[layer.value - 1];
const chosenStep = () => ((props.value || {}).steps || [])[step.value - 1];

function spot(side, [x, y]) {
  const outer = root.querySelector(".lf-panes").getBoundingClientRect();
  const box = pictures[side].getBoundingClientRect();
  return [box.left - outer.left + x * box.width, box.top - outer.top + y * box.height, box.width];
}

function shape(kind, attributes) {
  const node = document.createElementNS(NAMESPACE, kind);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  lines.append(node);
}

function drawLines() {
  lines.replaceChildren();
  const value = props.value || {};
  if (view === "arrows") {
    (value.arrows || []).forEach(([x, y, u, v], i, all) => {
      const [x1, y1] = spot("result", [x, y]), [x2, y2] = spot("reference", [u, v]);
      const colour = `hsl(${(360 * i) / all.length} 80% 45%)`;
      shape("line", { x1, y1, x2, y2, stroke: colour, "stroke-width": 1, "stroke-opacity": 0.55 });
      shape("circle", { cx: x1, cy: y1, r: 3, fill: colour });
      shape("circle", { cx: x2, cy: y2, r: 3, fill: colour });
    });
  }
  const marks = props.marks;
  if (!marks || marks.run !== value.run) return;
  const other = marks.side === "result" ? "reference" : "result";
  const [x1, y1] = spot(marks.side, marks.from);
  const most = Math.max(...marks.places.map((place) => place.weight), 1e-9);
  for (const place of marks.places) {
    const [x2, y2] = spot(other, [place.x, place.y]);
    const strength = place.weight / most;
    shape("line", { x1, y1, x2, y2, stroke: "#fff", "stroke-width": 3.5, "stroke-opacity": 0.5 * strength });
    shape("line", { x1, y1, x2, y2, stroke: "#e0218a", "stroke-width": 1.5, "stroke-opacity": 0.25 + 0.75 * strength });
  }
  for (const place of marks.places) {
    const [x2, y2] = spot(other, [place.x, place.y]);
    const radius = 3 + 8 * Math.sqrt(place.weight / most);
    shape("circle", { cx: x2, cy: y2, r: radius, fill: "#e0218a", "fill-opacity": 0.55, stroke: "#fff", "stroke-width": 1.5, class: "lf-place" });
  }
  if (marks.middle) {
    const [x, y, wide] = spot(other, marks.middle);
    if (marks.spread) shape("circle", { cx: x, cy: y, r: Math.max(4, marks.spread * wide), fill: "none", stroke: "#fff", "stroke-width": 3 });
    if (marks.spread) shape("circle", { cx: x, cy: y, r: Math.max(4, marks.spread * wide), fill: "none", stroke: "#e0218a", "stroke-width": 1.5, "stroke-dasharray": "4 3" });
    shape("circle", { cx: x, cy: y, r: 2.5, fill: "#fff", stroke: "#e0218a", class: "lf-middle" });
  }
  shape("circle", { cx: x1, cy: y1, r: 6, fill: "none", stroke: "#fff", "stroke-width": 4 });
  shape("circle", { cx: x1, cy: y1, r: 6, fill: "none", stroke: "#3f4dc9", "stroke-width": 2.5, class: "lf-from" });
}

function put(picture, address, alt) {
  if (address && picture.getAttribute("src") !== address) picture.src = address;
  picture.alt = alt;
}

function drawViews() {
  if (!views.children.length) {
    for (const name of VIEWS) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.view = name;
      button.addEventListener("click", () => { view = name; draw(); });
      views.append(button);
    }
  }
  views.setAttribute("aria-label", words("views"));
  for (const button of views.children) {
    button.textContent = words(`view_${button.dataset.view}`);
    button.title = words(`hint_${button.dataset.view}`);
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
}

function drawScrubbers(value) {
  for (const [range, label, items] of [[layer, layerName, value.layers || []], [step, stepName, value.steps || []]]) {
    range.max = items.length;
    const item = items[range.value - 1];
    const text = item ? item.label : words(range === layer ? "all_layers" : "all_steps");
    label.textContent = text;
    range.setAttribute("aria-label", words(range === layer ? "layer" : "step"));
    range.setAttribute("aria-valuetext", text);
  }
  root.querySelector(".lf-layer-title").textContent = words("layer");
  root.querySelector(".lf-step-title").textContent = words("step");
}

function draw() {
  const value = props.value || {};
  root.hidden = !value.result;
  if (!value.result) return;
  if (value.run !== run) { run = value.run; view = "result"; layer.value = step.value = 0; }
  root.querySelector("h2").textContent = words("title");
  const shown = (value.views || {})[view];
  put(pictures.result, shown || value.result, words("alt_result"));
  put(pictures.reference, ["flow", "refined"].includes(view) && value.views.legend ? value.views.legend : value.reference, words("alt_reference"));
  for (const [side, pane] of Object.entries(panes)) pane.setAttribute("aria-label", words(`pane_${side}`));
  drawViews();
  drawScrubbers(value);
  const marks = props.marks && props.marks.run === value.run ? props.marks : null;
  heat.hidden = !(marks && marks.heat);
  if (marks && marks.heat) heat.src = marks.heat;
  told.textContent = (marks && marks.text) || value.text || words("invite");
  legend.textContent = words(`hint_${view}`);
  root.querySelector(".lf-score").textContent = value.score || "";
  requestAnimationFrame(() => { fitHeat(); drawLines(); });
}

function fitHeat() {
  const outer = panes.result.getBoundingClientRect(), box = pictures.result.getBoundingClientRect();
  Object.assign(heat.style, { left: `${box.left - outer.left}px`, top: `${box.top - outer.top}px`, width: `${box.width}px`, height: `${box.height}px` });
}

function ask(side, [x, y]) {
  if (x < 0 || y < 0 || x > 1 || y > 1) return;
  cursor[side] = [x, y];
  trigger("trace", { side, x, y, layer: chosenLayer()?.name ?? null, step: chosenStep()?.step ?? null });
}

for (const [side, pane] of Object.entries(panes)) {
  pane.addEventListener("click", (event) => {
    const box = pictures[side].getBoundingClientRect();
    ask(side, [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
  });
  pane.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-0.03, 0], ArrowRight: [0.03, 0], ArrowUp: [0, -0.03], ArrowDown: [0, 0.03] };
    if (moves[event.key]) {
      ask(side, cursor[side].map((value, i) => Math.min(1, Math.max(0, value + moves[event.key][i]))));
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === " ") {
      ask(side, cursor[side]);
      event.preventDefault();
    }
  });
  pictures[side].addEventListener("load", () => { fitHeat(); drawLines(); });
}
for (const range of [layer, step]) {
  range.addEventListener("input", () => drawScrubbers(props.value || {}));
  range.addEventListener("change", () => {
    if (view === "result") view = "flow";
    trigger("scrub", { layer: chosenLayer()?.name ?? null, step: chosenStep()?.step ?? null });
  });
}
new ResizeObserver(() => { fitHeat(); drawLines(); }).observe(root);
watch(["value", "marks", "words"], draw);
draw();
