"use strict";
// Filters and sorts the tables of this page. Without it the page is complete, only still.
(() => {
  const number = (text) => { const found = Number(text.replace(/,/g, "")); return text === "" || Number.isNaN(found) ? null : found; };

  function prepare(table) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    const rows = [...body.rows].map((row) => ({ row, text: row.textContent.toLowerCase(), bad: row.classList.contains("x") }));
    const tools = document.createElement("div");
    tools.className = "tools";
    const title = table.getAttribute("aria-label");
    const search = Object.assign(document.createElement("input"), { type: "search", placeholder: "Filter: words that a row must have" });
    search.setAttribute("aria-label", "Filter " + title);
    tools.append(search);
    const only = Object.assign(document.createElement("input"), { type: "checkbox" });
    const bad = rows.filter((entry) => entry.bad).length;
    if (bad && bad < rows.length) {
      const label = document.createElement("label");
      label.append(only, "Exceptions only");
      tools.append(label);
    }
    const said = document.createElement("output");
    tools.append(said);
    table.closest(".scroll").before(tools);

    const show = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const { row, text, bad } of rows) {
        const fits = (!only.checked || bad) && words.every((word) => text.includes(word));
        row.hidden = !fits;
        shown += fits;
      }
      said.textContent = shown.toLocaleString("en") + " of " + rows.length.toLocaleString("en") + " rows";
    };
    let waiting = 0;
    search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, 80); });
    only.addEventListener("change", show);
    show();

    heads.forEach((head, at) => {
      // The title stays a plain text: Chromium does not repeat a button's text at the top of the next printed page.
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-label", "Sort by " + head.textContent);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      head.addEventListener("click", () => {
        const next = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")];
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", next);
        const numeric = head.classList.contains("r");
        const sorted = rows.map((entry) => {
          const text = entry.row.cells[at].textContent;
          return { entry, value: numeric ? number(text) : text || null };
        });
        const sign = next === "descending" ? -1 : 1;
        if (next !== "none") {
          sorted.sort((one, two) => {
            if (one.value === null || two.value === null) return (one.value === null) - (two.value === null);
            return sign * (numeric ? one.value - two.value : one.value < two.value ? -1 : one.value > two.value ? 1 : 0);
          });
        }
        body.append(...sorted.map(({ entry }) => entry.row));
      });
    });
  }

  for (const table of document.querySelectorAll("table.rows")) prepare(table);
})();
