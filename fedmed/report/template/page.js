"use strict";
(() => {
  const root = document.documentElement;
  const kept = (value) => {
    try {
      return value ? localStorage.setItem("fedmed-theme", value) : localStorage.getItem("fedmed-theme");
    } catch {
      return null; // a browser that keeps nothing for local files
    }
  };
  if (["light", "dark"].includes(kept())) root.dataset.theme = kept();
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    kept(root.dataset.theme);
  });

  const valueOf = (row, column) => {
    const text = row.cells[column].dataset.sort;
    return text === undefined ? null : text.trim() === "" || isNaN(text) ? text : Number(text);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(b));
  const sort = (table, column) => {
    const header = table.tHead.rows[0].cells[column];
    const numbers = header.classList.contains("number");
    const descending = header.ariaSort ? header.ariaSort === "ascending" : numbers;
    for (const cell of table.tHead.rows[0].cells) cell.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, column), row]);
    rows.sort(([a], [b]) => (a === null) - (b === null) || (a === null ? 0 : descending ? compare(b, a) : compare(a, b)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const table of document.querySelectorAll("table.sortable"))
    [...table.tHead.rows[0].cells].forEach((cell, column) =>
      cell.firstElementChild.addEventListener("click", () => sort(table, column)));

  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
})();
