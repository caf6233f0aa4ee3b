// What is said to the user in passing: mistakes in a corner, progress to screen readers.

import { h } from "./element.js";

const box = document.getElementById("notices");
const said = document.getElementById("said");
const SHOWN = 12000;

/** Show a sentence for a while; one that is `bad` stays until it is closed. */
export function notice(text, { bad = false } = {}) {
  const made = h(
    "div",
    { class: bad ? "how bad" : "how live" },
    h("span", {}, text),
    h("button", { class: "quiet", "aria-label": "Close", onclick: () => made.remove() }, "\u00d7"),
  );
  for (const old of [...box.children].slice(0, -2)) old.remove();
  box.append(made);
  if (!bad) setTimeout(() => made.remove(), SHOWN);
  return made;
}

/** Do something that may be refused, and show why. */
export async function trying(call) {
  try {
    return await call();
  } catch (fault) {
    if (fault.name !== "AbortError" && fault.status !== 401) {
      notice([fault.message, ...(fault.problems ?? []).map((one) => one.message)].filter(Boolean).join("\n"), {
        bad: true,
      });
    }
    if (!("status" in fault) && fault.name !== "AbortError") console.error(fault);
  }
}

/** Tell a screen reader. */
export function say(text) {
  if (said.textContent !== text) said.textContent = text;
}
