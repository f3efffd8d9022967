// The mask on the photo: shown at once, painted with brush and eraser, undone stroke by stroke.
// value: {photo, mask, parts, strokes, people: [[left, top, right, bottom]], chosen}; places in [0, 1]
const frame = element.querySelector(".lf-frame");
const canvas = element.querySelector("canvas");
const context = canvas.getContext("2d");
const tools = element.querySelector(".lf-tools");
const share = element.querySelector(".lf-share");
const people = element.querySelector(".lf-people");
const cursor = element.querySelector(".lf-cursor");
const size = element.querySelector(".lf-size");
const buttons = Object.fromEntries([...element.querySelectorAll("[data-do]")].map((b) => [b.dataset.do, b]));

let photo = null, automatic = null, parts = null;
let strokes = [], before = [], stroke = null;
let tool = "brush", shown = "mask", point = [0.5, 0.5], keyDown = false;
let loaded = {};

const words = (key) => (props.words || {})[key] || "";

function picture(address) {
  return new Promise((resolve) => {
    if (!address) return resolve(null);
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => resolve(null);
    image.src = address;
  });
}

function sheet() {
  const layer = document.createElement("canvas");
  layer.width = canvas.width;
  layer.height = canvas.height;
  return [layer, layer.getContext("2d")];
}

function asAlpha(image) {
  const [layer, paint] = sheet();
  paint.drawImage(image, 0, 0, layer.width, layer.height);
  const pixels = paint.getImageData(0, 0, layer.width, layer.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    pixels.data[i + 3] = pixels.data[i];
    pixels.data[i] = pixels.data[i + 1] = pixels.data[i + 2] = 255;
  }
  paint.putImageData(pixels, 0, 0);
  return layer;
}

function drawStroke(paint, { points, radius, erase }) {
  const wide = radius * Math.max(canvas.width, canvas.height);
  paint.globalCompositeOperation = erase ? "destination-out" : "source-over";
  paint.fillStyle = paint.strokeStyle = "#fff";
  paint.lineWidth = 2 * wide;
  paint.lineCap = paint.lineJoin = "round";
  const places = points.map(([x, y]) => [x * canvas.width, y * canvas.height]);
  paint.beginPath();
  if (places.length === 1) {
    paint.arc(places[0][0], places[0][1], wide, 0, 2 * Math.PI);
    paint.fill();
  } else {
    places.forEach(([x, y], i) => (i ? paint.lineTo(x, y) : paint.moveTo(x, y)));
    paint.stroke();
  }
}

function area() {
  const [layer, paint] = sheet();
  if (automatic) paint.drawImage(automatic, 0, 0);
  for (const one of stroke ? [...strokes, stroke] : strokes) drawStroke(paint, one);
  return [layer, paint];
}

function draw() {
  if (!photo) return;
  context.globalAlpha = 1;
  context.drawImage(photo, 0, 0, canvas.width, canvas.height);
  if (shown === "parts" && parts) {
    context.globalAlpha = 0.75;
    context.drawImage(parts, 0, 0, canvas.width, canvas.height);
    context.globalAlpha = 1;
    return;
  }
  const [layer, paint] = area();
  const [rim, rimPaint] = sheet();
  rimPaint.drawImage(layer, 0, 0);
  paint.globalCompositeOperation = "source-in";
  paint.fillStyle = "#e0218a";
  paint.fillRect(0, 0, layer.width, layer.height);
  context.save();
  context.shadowColor = "#fff";
  context.shadowBlur = 3;
  context.globalAlpha = 0.55;
  context.drawImage(layer, 0, 0);
  context.restore();
}

function count() {
  if (!photo) return (share.textContent = "");
  const [layer, paint] = area();
  const pixels = paint.getImageData(0, 0, layer.width, layer.height).data;
  let inside = 0;
  for (let i = 3; i < pixels.length; i += 4) inside += pixels[i] > 127;
  const percent = Math.round((1000 * inside) / (layer.width * layer.height)) / 10;
  share.textContent = words("share").replace("{percent}", percent);
}

function showTools() {
  const editable = !props.fixed;
  tools.hidden = !photo;
  for (const name of ["brush", "eraser", "undo", "reset"]) buttons[name].hidden = !editable;
  size.parentElement.hidden = !editable;
  buttons.brush.setAttribute("aria-pressed", String(tool === "brush" && shown === "mask"));
  buttons.eraser.setAttribute("aria-pressed", String(tool === "eraser" && shown === "mask"));
  buttons.parts.setAttribute("aria-pressed", String(shown === "parts"));
  buttons.parts.hidden = !parts || !!props.fixed;
  buttons.undo.disabled = before.length === 0;
  buttons.reset.disabled = strokes.length === 0;
  canvas.style.cursor = shown === "mask" && editable ? "none" : "default";
  share.hidden = shown !== "mask" || !editable;
}

function showWords() {
  for (const [name, button] of Object.entries(buttons)) {
    button.title = words(name);
    button.setAttribute("aria-label", words(name));
  }
  buttons.parts.textContent = words("parts");
  size.setAttribute("aria-label", words("size"));
  tools.setAttribute("aria-label", words("tools"));
  canvas.setAttribute("aria-label", photo ? words(props.fixed ? "alt_parts" : "alt") : "");
  element.querySelector(".lf-empty").textContent = words("empty");
  drawPeople();
  count();
}

function drawPeople() {
  people.replaceChildren();
  const boxes = (props.value || {}).people || [];
  if (boxes.length < 2) return;
  const bounds = canvas.getBoundingClientRect(), outer = frame.getBoundingClientRect();
  boxes.forEach(([left, top, right, bottom], i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "lf-person";
    button.textContent = i + 1;
    button.setAttribute("aria-label", words("person").replace("{number}", i + 1));
    button.setAttribute("aria-pressed", String(i === props.value.chosen));
    button.style.left = `${bounds.left - outer.left + ((left + right) / 2) * bounds.width}px`;
    button.style.top = `${bounds.top - outer.top + top * bounds.height + 14}px`;
    button.addEventListener("click", () => trigger("choose", { person: i }));
    people.append(button);
  });
}

async function show() {
  const value = props.value || {};
  const same = value.photo === loaded.photo && value.mask === loaded.mask && value.parts === loaded.parts;
  if (!same) {
    loaded = { photo: value.photo, mask: value.mask, parts: value.parts };
    const [base, mask, map] = await Promise.all([value.photo, value.mask, value.parts].map(picture));
    if (value.photo !== (props.value || {}).photo || value.mask !== (props.value || {}).mask) return;
    photo = base;
    parts = map;
    if (photo) [canvas.width, canvas.height] = [photo.naturalWidth, photo.naturalHeight];
    automatic = mask ? asAlpha(mask) : null;
    if (props.fixed) shown = "parts";
  }
  strokes = value.strokes || [];
  if (!value.photo) before = [];
  frame.classList.toggle("lf-is-empty", !photo);
  canvas.hidden = !photo;
  draw();
  showTools();
  showWords();
}

function place(event) {
  const bounds = canvas.getBoundingClientRect();
  return [(event.clientX - bounds.left) / bounds.width, (event.clientY - bounds.top) / bounds.height];
}

function moveCursor([x, y]) {
  const bounds = canvas.getBoundingClientRect(), outer = frame.getBoundingClientRect();
  const radius = size.value / 100 * Math.max(bounds.width, bounds.height);
  cursor.style.left = `${bounds.left - outer.left + x * bounds.width}px`;
  cursor.style.top = `${bounds.top - outer.top + y * bounds.height}px`;
  cursor.style.width = cursor.style.height = `${2 * radius}px`;
  cursor.classList.toggle("lf-erasing", tool === "eraser");
  cursor.hidden = shown !== "mask" || !!props.fixed;
}

function begin(where) {
  stroke = { points: [where], radius: size.value / 100, erase: tool === "eraser" };
  draw();
}

function extend(where) {
  const [x, y] = stroke.points[stroke.points.length - 1];
  if (Math.hypot(x - where[0], y - where[1]) < 0.004) return;
  stroke.points.push(where);
  draw();
}

function finish() {
  if (!stroke) return;
  const rounded = stroke.points.map(([x, y]) => [Math.round(x * 1e4) / 1e4, Math.round(y * 1e4) / 1e4]);
  change([...strokes, { ...stroke, points: rounded }]);
}

function change(next) {
  before.push(strokes);
  strokes = next;
  stroke = null;
  tell();
}

function tell() {
  draw();
  count();
  showTools();
  trigger("edit", { strokes });
}

canvas.addEventListener("pointerdown", (event) => {
  if (props.fixed || shown !== "mask" || event.button) return;
  canvas.setPointerCapture(event.pointerId);
  point = place(event);
  begin(point);
  event.preventDefault();
});
canvas.addEventListener("pointermove", (event) => {
  point = place(event);
  moveCursor(point);
  if (stroke) for (const one of event.getCoalescedEvents?.() ?? [event]) extend(place(one));
});
canvas.addEventListener("pointerup", finish);
canvas.addEventListener("pointercancel", finish);
canvas.addEventListener("pointerleave", () => (cursor.hidden = true));
canvas.addEventListener("blur", () => { cursor.hidden = true; keyDown = false; finish(); });
canvas.addEventListener("keydown", (event) => {
  if (props.fixed || !photo) return;
  const step = event.shiftKey ? 0.05 : 0.015;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (moves[event.key]) {
    point = point.map((value, i) => Math.min(1, Math.max(0, value + moves[event.key][i])));
    if (keyDown && stroke) extend(point);
  } else if (event.key === " ") {
    if (!keyDown) begin(point);
    keyDown = true;
  } else if (event.key.toLowerCase() === "e") {
    tool = tool === "brush" ? "eraser" : "brush";
    showTools();
  } else return;
  moveCursor(point);
  event.preventDefault();
});
canvas.addEventListener("keyup", (event) => {
  if (event.key === " ") { keyDown = false; finish(); }
});
element.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z") { buttons.undo.click(); event.preventDefault(); }
});

buttons.brush.addEventListener("click", () => { tool = "brush"; shown = "mask"; draw(); showTools(); });
buttons.eraser.addEventListener("click", () => { tool = "eraser"; shown = "mask"; draw(); showTools(); });
buttons.parts.addEventListener("click", () => { shown = shown === "parts" ? "mask" : "parts"; draw(); showTools(); });
buttons.undo.addEventListener("click", () => {
  if (!before.length) return;
  strokes = before.pop();
  tell();
});
buttons.reset.addEventListener("click", () => change([]));

new ResizeObserver(() => drawPeople()).observe(frame);
watch(["value", "words"], show);
show();
