// The seed, and dice for another one.

import { h } from "./element.js";

const MOST = 2 ** 31;

/** Its field; `set("seed", value)` is called with each new one. */
export function seed(value, set) {
  const put = (fresh) => set("seed", /^\d+$/.test(fresh) ? Number(fresh) : fresh);
  const input = h("input", { id: "seed", name: "seed", class: "code", inputmode: "numeric", value, oninput: () => put(input.value) });
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
  ];
}
