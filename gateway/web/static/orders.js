"use strict";
/* Marks what was typed, and looks whether the station has answered: a page with nothing typed shows it at once. */
(() => {
  const root = document.documentElement;
  const fields = [...document.querySelectorAll("[data-runs]")];
  const began = new Map(fields.map((field) => [field, field.value]));
  const typed = () => fields.some((field) => field.value !== began.get(field)) || document.activeElement?.matches("select");

  for (const field of fields) {
    field.addEventListener("input", () => {
      field.closest(".setting").classList.toggle("changed", field.value.trim() !== field.dataset.runs);
    });
  }

  async function look() {
    try {
      const answer = await fetch(root.dataset.orders);
      const told = answer.ok ? await answer.json() : null;
      if (told && told.stamp !== root.dataset.stamp) {
        if (!typed()) return location.reload();
        document.getElementById("news").hidden = false;
      }
    } catch { /* the gateway is away: look again */ }
    setTimeout(look, 2000);
  }
  setTimeout(look, 1000);
})();
