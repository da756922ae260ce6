// Small helps of the campaign pages. Everything works without them; nothing here decides anything.
(() => {
  "use strict";

  // Message 2: how many characters are left.
  const count = (counter) => {
    const field = document.getElementById(counter.dataset.counter);
    if (field) {
      const length = Array.from(field.value).length;
      counter.textContent = `${length.toLocaleString(document.documentElement.lang)} / ${Number(counter.dataset.limit).toLocaleString(document.documentElement.lang)}`;
    }
  };

  // Fields that only matter for some choices of another field.
  const show = (part) => {
    const by = document.getElementById(part.dataset.by);
    part.hidden = !by || ("shownIfChecked" in part.dataset ? !by.checked : by.value === part.dataset.shownUnless);
  };

  // A variable's text is either the whole value or what stands in for an empty field.
  const explain = (select) => {
    const row = select.closest(".wc-variable");
    row.querySelector("[data-when-field]").hidden = !select.value;
    row.querySelector("[data-when-fixed]").hidden = Boolean(select.value);
  };

  const refresh = () => {
    document.querySelectorAll("[data-counter]").forEach(count);
    document.querySelectorAll("[data-by]").forEach(show);
  };

  document.addEventListener("DOMContentLoaded", refresh);
  document.addEventListener("input", refresh);
  document.addEventListener("change", (event) => {
    refresh();
    if (event.target.matches("[data-variable-source]")) explain(event.target);
    if (event.target.matches("[data-check-all]")) {
      document.querySelectorAll(`[name="${event.target.dataset.checkAll}"]`).forEach((box) => {
        box.checked = event.target.checked;
      });
    }
  });

  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-insert]");
    if (chip) {
      const field = document.getElementById(chip.dataset.into || "id_message_2");
      if ("line" in chip.dataset) {
        field.value = [field.value.trim(), chip.dataset.insert].filter(Boolean).join("\n");
      } else {
        field.setRangeText(chip.dataset.insert, field.selectionStart, field.selectionEnd, "end");
      }
      field.focus();
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      navigator.clipboard.writeText(copy.dataset.copy).then(() => {
        copy.querySelector("[data-copied]").hidden = false;
      });
    }
  });

  // One press is enough: the server refuses a second one anyhow.
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-once]")) {
      if (event.target.dataset.sent) event.preventDefault();
      event.target.dataset.sent = "1";
    }
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("[data-once]").forEach((form) => delete form.dataset.sent);
  });

  // The rows of another template's variables have come: the preview and the count follow.
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "wc-variables") htmx.trigger(document.body, "wc:variables");
  });
})();
