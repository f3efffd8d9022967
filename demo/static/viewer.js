// The result: waiting, painting with a live preview, then before/after and what lies behind it.
// value: {state, message, share, preview, before, samples: [{image, note}], chosen, views: {name: address}}
const frame = element.querySelector(".lf-frame");
const base = element.querySelector(".lf-after");
const over = element.querySelector(".lf-before");
const range = element.querySelector("input[type=range]");
const handle = element.querySelector(".lf-handle");
const tabs = element.querySelector(".lf-views");
const bar = element.querySelector(".lf-bar");
const line = element.querySelector(".lf-line");
const message = element.querySelector(".lf-message");
const samples = element.querySelector(".lf-samples");
const acts = element.querySelector(".lf-acts");
const caption = element.querySelector(".lf-caption");
const large = element.querySelector(".lf-large");
const VIEWS = ["result", "flow", "warped", "confidence", "difference"];
let view = "result";
let run = null;

const words = (key) => (props.words || {})[key] || "";

function fit() {
  // the slider lies exactly over the picture, whatever the frame's shape
  if (!base.naturalWidth) return;
  const outer = base.parentElement.getBoundingClientRect();
  const scale = Math.min(outer.width / base.naturalWidth, outer.height / base.naturalHeight);
  const wide = base.naturalWidth * scale, high = base.naturalHeight * scale;
  for (const one of [base, over, range, handle]) {
    one.style.left = `${(outer.width - wide) / 2}px`;
    one.style.top = `${(outer.height - high) / 2}px`;
  }
  for (const one of [base, over, range]) {
    one.style.width = `${wide}px`;
    one.style.height = `${high}px`;
  }
  handle.style.height = `${high}px`;
  slide();
}

function slide() {
  const share = range.value / 100;
  over.style.clipPath = `inset(0 ${100 - range.value}% 0 0)`;
  handle.style.transform = `translateX(${share * parseFloat(range.style.width || 0)}px)`;
}

function put(picture, address, alt) {
  if (picture.getAttribute("src") !== address) {
    if (address) picture.src = address;
    else picture.removeAttribute("src");
  }
  picture.alt = alt;
  picture.hidden = !address;
}

function drawTabs(value) {
  const done = value.state === "done";
  tabs.hidden = !done;
  tabs.setAttribute("aria-label", words("views"));
  if (!tabs.children.length) {
    for (const name of VIEWS) {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.dataset.view = name;
      tab.setAttribute("role", "tab");
      tab.addEventListener("click", () => { view = name; draw(); });
      tabs.append(tab);
    }
    tabs.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      view = VIEWS[(VIEWS.indexOf(view) + step + VIEWS.length) % VIEWS.length];
      draw();
      tabs.querySelector(`[data-view=${view}]`).focus();
      event.preventDefault();
    });
  }
  for (const tab of tabs.children) {
    const name = tab.dataset.view;
    tab.textContent = words(`view_${name}`);
    tab.title = words(`hint_${name}`);
    tab.setAttribute("aria-selected", String(name === view));
    tab.tabIndex = name === view ? 0 : -1;
    tab.disabled = name !== "result" && !(value.views || {})[name];
  }
}

function drawSamples(value) {
  const several = value.state === "done" && (value.samples || []).length > 1;
  samples.hidden = !several;
  samples.replaceChildren();
  if (!several) return;
  value.samples.forEach((sample, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "lf-thumb";
    button.setAttribute("aria-pressed", String(i === value.chosen));
    const picture = document.createElement("img");
    picture.src = sample.thumb;
    picture.alt = sample.note;
    const note = document.createElement("span");
    note.className = "lf-thumb-note";
    note.textContent = sample.note;
    button.append(picture, note);
    button.addEventListener("click", () => trigger("sample", { sample: i }));
    samples.append(button);
  });
}

function draw() {
  const value = props.value || { state: "empty" };
  const done = value.state === "done";
  if (done && value.run !== run) { run = value.run; view = "result"; range.value = 50; }
  frame.dataset.state = value.state || "empty";
  frame.dataset.run = done ? value.run : "";
  drawTabs(value);
  const shown = done ? (view === "result" ? value.image : (value.views || {})[view]) : value.preview;
  put(base, shown || "", done ? words(`alt_${view}`) : words("alt_preview"));
  const slider = done && view === "result" && value.before;
  put(over, slider ? value.before : "", words("alt_before"));
  range.hidden = handle.hidden = !slider;
  range.setAttribute("aria-label", words("slider"));
  element.querySelector(".lf-tag-before").textContent = words("before");
  element.querySelector(".lf-tag-after").textContent = words("after");
  for (const tag of element.querySelectorAll(".lf-tag")) tag.hidden = !slider;
  const busy = value.state === "running" || value.state === "waiting";
  bar.hidden = !busy;
  bar.setAttribute("aria-label", words("progress"));
  bar.setAttribute("aria-valuenow", Math.round(100 * (value.share || 0)));
  line.style.width = `${100 * (value.share || 0)}%`;
  message.textContent = value.message || (value.state === "empty" || !value.state ? words("empty") : "");
  message.hidden = done && !value.message;
  large.hidden = !shown || busy;
  large.title = words("large");
  large.setAttribute("aria-label", words("large"));
  caption.textContent = value.caption || "";
  caption.hidden = !done;
  acts.hidden = !done;
  for (const button of acts.children) button.textContent = words(button.dataset.act);
  drawSamples(value);
  fit();
}

function save() {
  if (!props.file) return;
  const link = document.createElement("a");
  link.href = props.file.address;
  link.download = props.file.name;
  document.body.append(link);
  link.click();
  link.remove();
}

acts.querySelector("[data-act=download]").addEventListener("click", () => trigger("download"));
acts.querySelector("[data-act=hand_over]").addEventListener("click", () => trigger("hand_over"));
watch("file", save);

range.addEventListener("input", slide);
base.addEventListener("load", fit);
large.addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else frame.requestFullscreen?.();
});
new ResizeObserver(fit).observe(frame);
watch(["value", "words"], draw);
draw();
