// The seed, dice for another one, and how many runs are made, each with the next.

import { draft } from "./draft.js";
import { h } from "./element.js";

const MOST = 2 ** 31;
const RUNS = 20;

/** Their fields; `set("seed", value)` is called with each new seed. */
export function seed(value, set) {
  const put = (fresh) => set("seed", /^\d+$/.test(fresh) ? Number(fresh) : fresh);
  const input = h("input", {
    id: "seed",
    name: "seed",
    class: "code",
    inputmode: "numeric",
    value,
    oninput: () => put(input.value),
  });
  const roll = () => {
    input.value = Math.floor(Math.random() * MOST);
    put(input.value);
  };
  const dice = h("span", { "aria-hidden": "true" }, "\u2684");
  const about = { "aria-label": "Another seed", title: "Another seed, another picture" };
  return [
    h("label", { for: "seed" }, "Seed"),
    input,
    h("button", { class: "quiet dice", ...about, onclick: roll }, dice),
    h("label", { for: "count", title: "So many runs, each with the next seed" }, "Runs"),
    h("input", {
      id: "count",
      name: "count",
      class: "code",
      type: "number",
      min: 1,
      max: RUNS,
      value: draft.count,
      oninput: ({ target }) => (draft.count = target.checkValidity() ? target.valueAsNumber || 1 : 1),
    }),
  ];
}

/** What each of the runs sets, counted from the seed that the form shows; one that is drawn is drawn for each. */
export function seeds(value) {
  const each = (_, at) => (typeof value === "number" ? { seed: value + at } : {});
  return draft.count > 1 ? Array.from({ length: draft.count }, each) : [{}];
}
