// What is said to the user in passing: mistakes in a corner, progress to screen readers.

import { coded, h, remove } from "./element.js";

const box = document.getElementById("notices");
const said = document.getElementById("said");
const SHOWN = 12000;

/** Show a sentence for a while; one that is `bad` stays until it is closed. */
export function notice(text, { bad = false } = {}) {
  const made = h(
    "div",
    { class: bad ? "how bad" : "how live" },
    h("span", {}, coded(text)),
    h("button", { class: "quiet", "aria-label": "Close", onclick: () => remove(made) }, "\u00d7"),
  );
  for (const old of [...box.children].slice(0, -2)) remove(old);
  box.append(made);
  if (!bad) setTimeout(() => remove(made), SHOWN);
  return made;
}

/** Esc closes the last one, unless it closes something else. */
addEventListener("keydown", (event) => {
  const last = box.lastElementChild;
  if (event.key === "Escape" && last && !event.defaultPrevented && !document.querySelector("dialog[open]"))
    remove(last);
});

/** Why something was refused, each reason on a line. */
export const why = ({ message, problems = [] }) =>
  [message, ...problems.map((one) => one.message)].filter(Boolean).join("\n");

/** Do something that may be refused, and show why. */
export async function trying(call) {
  try {
    return await call();
  } catch (fault) {
    if (fault.name !== "AbortError" && fault.status !== 401) {
      notice(why(fault), { bad: true });
    }
    if (!("status" in fault) && fault.name !== "AbortError") console.error(fault);
  }
}

/** Tell a screen reader. */
export function say(text) {
  if (said.textContent !== text) said.textContent = text;
}
