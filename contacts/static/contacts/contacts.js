// Small helps of the contact pages. Everything works without them but the preview's refreshing.
"use strict";

// A form that was sent is not sent again by a second click.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-once]")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});

// The import's draft is read again when its reading changes.
document.addEventListener("change", (event) => {
  if (event.target.closest("#draft") && event.target.matches("[data-reread]")) {
    window.htmx.trigger("#draft", "reread");
  }
  showNewCategory();
});

// The name of a new category is asked for when none is chosen.
function showNewCategory() {
  document.querySelectorAll("[data-only-if-empty]").forEach((part) => {
    const field = document.getElementById(part.dataset.onlyIfEmpty);
    part.hidden = Boolean(field && field.value);
  });
}
document.addEventListener("DOMContentLoaded", showNewCategory);
document.addEventListener("htmx:afterSettle", showNewCategory);

// The file's name stands in its box; a file can be dropped there.
document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-drop]");
  const file = event.target.files && event.target.files[0];
  if (box && file) box.querySelector("[data-drop-name]").textContent = file.name;
});
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    const box = event.target.closest && event.target.closest("[data-drop]");
    if (!box) return;
    event.preventDefault();
    box.classList.toggle("ct-drop-over", name === "dragenter" || name === "dragover");
    if (name !== "drop" || !event.dataTransfer.files.length) return;
    const input = box.querySelector("input[type=file]");
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}

// One more attribute: a copy of the empty pair.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pair-add]");
  if (!button) return;
  const pair = button.parentElement.querySelector("[data-pair-new]").cloneNode(true);
  pair.removeAttribute("data-pair-new");
  pair.querySelectorAll("input").forEach((input) => { input.value = ""; });
  button.before(pair);
  pair.querySelector("input").focus();
});
