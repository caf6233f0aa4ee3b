// The seed, dice for another one, and how many runs are made, each with the next.

import { draft } from "./draft.js";
import { mark, read, whole } from "./field.js";
import { h } from "./element.js";

const MOST = 2 ** 31;
const RUNS = 20;

/** Their fields; `set("seed", value)` is called with each new seed: undefined is the recipe's own. */
export function seed(value, set) {
  const put = (fresh) => set("seed", /^\d+$/.test(fresh) ? whole(fresh) : fresh || undefined);
  const input = h("input", {
    id: "seed",
    name: "seed",
    class: "code",
    inputmode: "numeric",
    value,
    placeholder: "its own",
    oninput: () => put(input.value.trim()),
  });
  const roll = () => {
    input.value = Math.floor(Math.random() * MOST);
    put(input.value);
  };
  const many = ({ target }) => {
    const count = read(target);
    mark(target, count);
    if (Number.isInteger(count)) draft.count = count;
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
      "data-name": "Runs",
      oninput: many,
    }),
  ];
}

/** What each of several runs sets, counted from the seed of the first; nothing where that is unknown. */
export const seeds = (first) =>
  first === undefined
    ? [{}]
    : Array.from({ length: draft.count }, (_, at) => ({ seed: whole(String(BigInt(first) + BigInt(at))) }));
