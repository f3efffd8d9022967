// A line that may offer one thing to do about it.
element.addEventListener("click", (event) => {
  if (event.target.closest("button")) trigger("act");
});
