// Runs side by side, and in which settings they differ.

import { get, named, path } from "./api.js";
import { coded, h } from "./element.js";
import { exhibit, shown as made } from "./exhibit.js";
import { called } from "./tile.js";
import { why } from "./notices.js";
import { STATES, written } from "./words.js";

/** What differs between the first and each other one: by setting, a value for each run. */
async function differences(runs, signal) {
  const [first, ...others] = runs;
  const rows = new Map();
  const has = (run, name) => name in run.params || !(name in first.params);
  for (const [at, other] of others.entries()) {
    const { settings } = await get(`/api/diff?${new URLSearchParams({ a: first.name, b: other.name })}`, signal);
    for (const { name, one, other: value } of settings) {
      if (!rows.has(name))
        rows.set(
          name,
          runs.map((run) => (has(run, name) ? one : null)),
        );
      rows.get(name)[at + 1] = value;
    }
  }
  return rows;
}

export function compare(view, rest, signal) {
  const names = rest.split("/").map(named);
  const columns = h("div", { class: "columns" });
  const table = h("div", { "aria-live": "polite" }, h("p", { class: "soft" }, "Comparing \u2026"));
  view.replaceChildren(
    h(
      "div",
      { class: "compare", style: `--columns: ${names.length}` },
      h("h1", {}, "Side by side"),
      columns,
      h("h2", {}, "What differs"),
      table,
    ),
  );
  async function look() {
    const found = await Promise.allSettled(names.map((name) => get(`/api/runs/${path(name)}`, signal)));
    columns.replaceChildren(...found.map(({ value, reason }) => (value ? column(value) : missing(reason))));
    const runs = found.map(({ value }) => value).filter(Boolean);
    if (runs.length < 2) throw new Error("There are no two runs to compare.");
    const rows = await differences(runs, signal);
    table.replaceChildren(rows.size ? shown(rows, runs) : h("p", {}, "No setting differs."));
  }
  look().catch((fault) => table.replaceChildren(h("p", { class: "how bad" }, coded(why(fault)))));
  return { title: "Side by side" };
}

const column = (run) =>
  h(
    "figure",
    {},
    h("div", { class: "shown" }, picture(run)),
    h(
      "figcaption",
      {},
      h("a", { class: "brief", title: called(run), href: `#/run/${path(run.name)}` }, called(run)),
      h("span", {}, `${run.recipe}, seed ${run.seed ?? "unknown"}, ${STATES[run.state]}`),
    ),
  );

const missing = (fault) =>
  h("figure", {}, h("div", { class: "shown" }, h("div", { class: "none" }, h("p", {}, coded(why(fault))))));

function picture(run) {
  const [file] = made(run.files);
  if (file) return exhibit(file, called(run));
  const address = run.live ?? run.picture;
  return address
    ? exhibit({ kind: "picture", address }, called(run))
    : h("div", { class: "none" }, STATES[run.state]);
}

function shown(rows, runs) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "What differs" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "setting"),
          runs.map((run) => h("th", { scope: "col" }, h("span", { class: "brief", title: called(run) }, called(run)))),
        ),
      ),
      h(
        "tbody",
        {},
        [...rows].map(([name, values]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, name),
            values.map((value) =>
              h("td", { class: written(value) === written(values[0]) ? "code" : "code other" }, written(value)),
            ),
          ),
        ),
      ),
    ),
  );
}
