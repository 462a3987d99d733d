// Tables that can be sorted and filtered, figures that can be enlarged, links that open what they
// lead to. Without this script all but the longest table can still be read.
"use strict";
{
  const PAGE = 100;
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const element = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };

  // Numbers come first, by their value; `58.8 (48.9 to 68.7)` counts as its first number.
  const key = (text) => {
    const number = parseFloat(text.replaceAll(",", "").replace("−", "-"));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return order(a, b);
  };

  const ofDocument = (row) => ({ cells: [...row.cells].map((cell) => cell.textContent), row });
  const ofData = (cells) => ({ cells, row: null });
  const rowOf = (one) => one.row ??= element("tr", {}, ...one.cells.map((text, i) =>
    i ? element("td", { textContent: text }) : element("th", { textContent: text, scope: "row" })));

  const read = (data) => {
    const columns = data.columns.map(({ levels, values }) =>
      levels ? values.map((code) => levels[code]) : values.map((value) => value ?? ""));
    return Array.from({ length: data.length }, (_, i) => ofData(columns.map((c) => String(c[i]))));
  };

  const enhance = (table) => {
    const source = table.closest("[data-source]");
    const rows = source ? read(JSON.parse(document.getElementById(source.dataset.source).textContent))
      : [...table.tBodies[0].rows].map(ofDocument);
    if (rows.length < 2) return;
    let shown = rows, limit = PAGE, by = null, sign = 1;
    const label = table.caption.textContent;
    const filter = element("input", { type: "search", autocomplete: "off" });
    const count = element("span", { role: "status" });
    const more = element("button", { type: "button", textContent: "Show more rows" });
    const show = () => {
      table.tBodies[0].replaceChildren(...shown.slice(0, limit).map(rowOf));
      count.textContent = `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
      more.hidden = shown.length <= limit;
    };
    const choose = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = rows.filter(({ cells }) => {
        const text = cells.join(" ").toLowerCase();
        return words.every((word) => text.includes(word));
      });
      if (by !== null) shown.sort((a, b) => sign * compare(key(a.cells[by]), key(b.cells[by])));
      limit = PAGE;
      show();
    };
    [...table.tHead.rows[0].cells].forEach((cell, i) => {
      const button = element("button", { type: "button", textContent: cell.textContent });
      cell.replaceChildren(button);
      button.addEventListener("click", () => {
        sign = by === i ? -sign : 1;
        by = i;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        choose();
      });
    });
    filter.addEventListener("input", choose);
    more.addEventListener("click", () => { limit += PAGE; show(); });
    const place = table.closest(".scroll");
    place.before(element("p", { className: "tools" },
      element("label", {}, `Filter: ${label} `, filter), " ", count));
    place.after(more);
    show();
  };
  document.querySelectorAll("#tables table, #failed table").forEach(enhance);

  const dialog = document.getElementById("enlarged");
  for (const button of document.querySelectorAll("figure > button")) {
    button.addEventListener("click", () => {
      dialog.querySelector(".scroll").replaceChildren(button.firstElementChild.cloneNode(true));
      dialog.showModal();
    });
  }

  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target?.closest("details");
    if (details) { details.open = true; target.scrollIntoView(); }
  };
  window.addEventListener("hashchange", open);
  open();
}
