// The table's filter: shows the rows whose name and status fit, and says how many are left.
"use strict";
const words = document.getElementById("filter-name");
const state = document.getElementById("filter-status");
const rows = [...document.querySelectorAll("tbody tr[data-name]")];
const count = document.getElementById("filter-count");
function filter() {
  const text = words.value.trim().toLowerCase();
  for (const row of rows) {
    row.hidden = !row.dataset.name.includes(text) || (state.value !== "" && row.dataset.status !== state.value);
  }
  for (const body of document.querySelectorAll(".overview tbody")) {
    body.hidden = [...body.querySelectorAll("tr[data-name]")].every((row) => row.hidden);
  }
  const left = rows.filter((row) => !row.hidden).length;
  count.textContent = `${left} of ${rows.length} shown`;
}
if (words && state && count) {
  document.querySelector(".filters").hidden = false;
  words.addEventListener("input", filter);
  state.addEventListener("change", filter);
  filter();
}
