// How far a run is: in words, as a bar, in the page's title and icon, and for screen readers.

import { coded, h } from "./element.js";
import { icon } from "./icon.js";
import { say } from "./notices.js";
import { STATES, duration, left, progress } from "./words.js";

/** Whether a run goes on, or will. */
export const isGoing = ({ state }) => state === "running" || state === "queued";

/** The card that says it, of a run as it is now. */
export function standing(run) {
  const { state, place, message } = run;
  const isRunning = state === "running",
    isFinished = state === "finished";
  const done = isGoing(run) ? share(run) : null;
  icon(isRunning ? done : null);
  document.title = [
    isRunning && done !== null && `${Math.floor(100 * done)} %`,
    run.prompt || run.recipe,
    "t2iflow studio",
  ]
    .filter(Boolean)
    .join(" \u00b7 ");
  if (isRunning && done !== null) say(`${10 * Math.floor(10 * done)} percent`);
  const took = isFinished && run.seconds ? ` in ${duration(run.seconds)}` : "";
  const loss = place?.loss != null && `loss ${place.loss.toPrecision(4)}`;
  const why = state !== "stopped" && message; // which says how to resume in a terminal: here is a button
  const lines = isFinished ? [] : [why, progress(place), [isRunning && left(place), loss].filter(Boolean).join(", ")];
  return h(
    "div",
    { class: `how ${state === "failed" || state === "damaged" ? "bad" : "live"}` },
    h("b", {}, STATES[state] + took),
    lines.filter(Boolean).map((line) => h("span", { class: "message" }, coded(line))),
    isRunning && h("progress", { value: done, max: 1, "aria-label": "Progress" }),
  );
}

/** How much of all steps is done, from 0 to 1; null where that is not known. */
function share({ place, optimizers = [] }) {
  const at = optimizers.findIndex(({ node }) => node === place?.node);
  const sum = (some) => some.reduce((steps, one) => steps + one.steps, 0);
  return at < 0 ? null : Math.min((sum(optimizers.slice(0, at)) + place.step + 1) / sum(optimizers), 1);
}
