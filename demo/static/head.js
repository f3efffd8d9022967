// The page's head: the other language, and light or dark, which lasts as long as the page.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "language") trigger("language");
  if (button.id === "theme") document.body.classList.toggle("dark");
});
