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

  const tip = document.getElementById("tip");
  let at = null;
  const hide = () => {
    at?.classList.remove("at");
    at = null;
    tip.hidden = true;
  };
  const show = (part) => {
    hide();
    at = part;
    part.classList.add("at");
    tip.textContent = part.dataset.tip;
    tip.hidden = false;
    const box = part.getBoundingClientRect();
    const left = Math.min(box.left + box.width / 2 + 10, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${scrollX + Math.max(8, left)}px`;
    tip.style.top = `${scrollY + (above > 0 ? above : Math.max(8, box.top + 8))}px`;
  };
  for (const part of document.querySelectorAll(".tips > *")) {
    part.dataset.tip = part.textContent;
    part.replaceChildren(); // else the browser's own shows up as well
  }
  for (const part of document.querySelectorAll(".matrix [title]")) {
    part.dataset.tip = part.title;
    part.removeAttribute("title");
  }
  for (const figure of document.querySelectorAll("svg:has(> .tips)")) {
    const parts = [...figure.querySelectorAll(".tips > *")];
    figure.tabIndex = 0;
    figure.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hide();
      if (!step) return;
      event.preventDefault();
      const now = parts.indexOf(at);
      show(parts[now < 0 ? (step > 0 ? 0 : parts.length - 1) : Math.min(Math.max(now + step, 0), parts.length - 1)]);
    });
    figure.addEventListener("blur", hide);
  }
  addEventListener("pointerover", (event) => {
    const part = event.target.closest?.("[data-tip]");
    if (part) show(part);
    else hide();
  });
  addEventListener("change", hide);

  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
})();
