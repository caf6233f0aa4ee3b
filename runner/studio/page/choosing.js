// Runs that are chosen to be compared, and the bar that says so.

import { h } from "./element.js";
import { isCommand } from "./keys.js";
import { say } from "./notices.js";
import { count } from "./words.js";

/**
 * Which runs are chosen on a view, first those `before`: `has(name)`, `put(name, chosen)`, all their `names()`, and the
 * `bar`. The key c compares them.
 * @param {AbortSignal} signal ends it
 * @param {string[]} before
 * @param {() => void} changed is called when others are chosen
 */
export function choosing(signal, before = [], changed = () => {}) {
  const chosen = new Set(before);
  const bar = h("div", { class: "picked", role: "region", "aria-label": "Chosen runs", hidden: true });

  function show() {
    bar.hidden = !chosen.size;
    bar.replaceChildren(
      h("span", {}, `${count(chosen.size, "run")} chosen`),
      h("button", { class: "main", disabled: chosen.size < 2, "aria-keyshortcuts": "c", onclick: compare }, "Compare"),
      h("button", { class: "quiet", onclick: clear }, "Clear"),
    );
  }

  function compare() {
    if (chosen.size > 1) location.hash = `#/compare/${[...chosen].map(encodeURIComponent).join("/")}`;
  }

  function clear() {
    chosen.clear();
    const boxes = [...document.querySelectorAll(".pick :checked")];
    for (const box of boxes) box.checked = false;
    boxes[0]?.focus();
    show();
    changed();
  }

  addEventListener("keydown", (event) => event.key === "c" && isCommand(event) && compare(), { signal });
  show();
  return {
    bar,
    names: () => [...chosen],
    has: (name) => chosen.has(name),
    put(name, is) {
      is ? chosen.add(name) : chosen.delete(name);
      show();
      changed();
      say(
        chosen.size > 1
          ? `${count(chosen.size, "run")} chosen. The key c compares them.`
          : count(chosen.size, "run") + " chosen.",
      );
    },
  };
}
