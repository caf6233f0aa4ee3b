// A run or a sweep as a tile: its picture, what it is called, how it stands.

import { path } from "./api.js";
import { fresh, h } from "./element.js";
import { STATES, ago, count } from "./words.js";

const SIDE = 384;

/** What a run is called: by its prompt, or else by its recipe. */
export const called = (run) => run.label || run.prompt || run.recipe || run.name.split("/").at(-1);

/** A tile for each run; they can be chosen if `chosen` is given. */
export const tiles = (runs, chosen) => runs.map((run) => tile(run, chosen));

export function tile(run, chosen) {
  const id = fresh("tile");
  const shown = run.picture
    ? h("img", {
        src: run.picture.replace(/side=\d+/, `side=${SIDE}`),
        alt: "",
        loading: "lazy",
        decoding: "async",
        fetchpriority: "low",
      })
    : h("div", { class: "none" }, STATES[run.state] ?? run.state);
  const facts = [run.recipe !== called(run) && run.recipe, run.began && ago(run.began)];
  return h(
    "article",
    { class: run.kind === "sweep" ? "tile stack" : "tile", "data-name": run.name },
    h(
      "a",
      { href: `#/run/${path(run.name)}`, id },
      h("div", { class: "frame" }, shown, badge(run)),
      h("p", { class: "title" }, called(run)),
      !run.label && h("p", { class: "soft" }, facts.filter(Boolean).join(" \u00b7 ")),
    ),
    chosen &&
      run.kind !== "sweep" &&
      h(
        "label",
        { class: "pick" },
        h("input", {
          type: "checkbox",
          name: run.name,
          "aria-label": `Choose ${called(run)} to compare`,
          checked: chosen.has(run.name),
          onchange: ({ target }) => chosen.put(run.name, target.checked),
        }),
      ),
  );
}

function badge(run) {
  if (run.kind === "sweep")
    return h(
      "span",
      { class: "badge" },
      count(
        Object.values(run.cells ?? {}).reduce((sum, one) => sum + one, 0),
        "run",
      ),
    );
  return (
    run.state !== "finished" &&
    run.picture &&
    h("span", { class: `badge ${run.state}` }, STATES[run.state] ?? run.state)
  );
}
