// Pictures to pick from. value: [{name, title, items: [{name, src, alt}]}]; only: the name of the group to show
const root = element.querySelector(".lf-strip");
let drawn = "";

function draw() {
  const groups = (props.value || []).filter((group) => !props.only || group.name === props.only);
  const state = JSON.stringify([groups.map((g) => [g.title, g.items.map((i) => [i.name, i.alt])]), props.chosen]);
  if (state === drawn) return;
  drawn = state;
  delete root.dataset.busy;
  root.replaceChildren();
  for (const group of groups) {
    const list = document.createElement("div");
    list.className = "lf-strip-group";
    list.setAttribute("role", "group");
    if (group.title) {
      const title = document.createElement("span");
      title.className = "lf-strip-title";
      title.textContent = group.title;
      list.setAttribute("aria-label", group.title);
      list.append(title);
    }
    const row = document.createElement("div");
    row.className = "lf-strip-row";
    for (const item of group.items) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "lf-thumb";
      button.dataset.name = item.name;
      button.setAttribute("aria-pressed", String(item.name === props.chosen));
      button.title = item.alt;
      const picture = document.createElement("img");
      picture.src = item.src;
      picture.alt = item.alt;
      picture.loading = "lazy";
      button.append(picture);
      if (item.note) {
        const note = document.createElement("span");
        note.className = "lf-thumb-note";
        note.textContent = item.note;
        button.append(note);
      }
      button.addEventListener("click", () => {
        if (item.name !== props.chosen) button.setAttribute("aria-busy", root.dataset.busy = "true");
        trigger("pick", { name: item.name });
      });
      row.append(button);
    }
    list.append(row);
    root.append(list);
  }
  root.hidden = groups.length === 0;
}

watch(["value", "chosen", "only"], draw);
draw();
