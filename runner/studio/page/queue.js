// The queue, in the bar: what runs, what waits.

import { path } from "./api.js";
import { h, renew } from "./element.js";
import { hear } from "./stream.js";
import { left, progress } from "./words.js";

const runs = new Map();
let order = { running: [], waiting: [] };

const title = (name) => runs.get(name)?.prompt || runs.get(name)?.recipe || name.split("/").at(-1);

/** How far a run is, or when its turn comes. */
function standing(name) {
  const at = order.waiting.indexOf(name);
  if (at >= 0) return at ? `${at + 1} in the queue` : "next";
  const { place } = runs.get(name) ?? {};
  return [progress(place), left(place)].filter(Boolean).join(", ") || "starts";
}

const row = (name) =>
  h(
    "li",
    { "data-name": name },
    h("a", { href: `#/run/${path(name)}` }, h("b", {}, title(name)), h("small", {}, standing(name))),
  );

function show(box) {
  const { running, waiting } = order;
  const words = [running.length && `${running.length} running`, waiting.length && `${waiting.length} waiting`].filter(
    Boolean,
  );
  box.hidden = !words.length;
  if (!words.length) return renew(box);
  const open = box.querySelector("details")?.open;
  const scrolled = box.querySelector("ol")?.scrollTop ?? 0;
  renew(
    box,
    h(
      "details",
      { open },
      h(
        "summary",
        { name: "queue", title: "The queue" },
        h("span", { class: running.length ? "dot" : "dot still" }),
        h("span", { class: "unseen" }, "The queue: "),
        h("span", { class: "wide" }, words.join(", ")),
        h("span", { class: "narrow" }, String(running.length + waiting.length)),
      ),
      h("ol", { class: "popup" }, [...running, ...waiting].map(row)),
    ),
  );
  box.querySelector("ol").scrollTop = scrolled;
}

/** Say how far a run is now, and touch nothing else: somebody may be about to click it. */
function tell(box, name) {
  const shown = box.querySelector(`details[open] [data-name="${CSS.escape(name)}"] small`);
  if (shown) shown.textContent = standing(name);
}

export function begin() {
  const box = document.getElementById("queue");
  hear("run", (run) => {
    runs.set(run.name, run);
    show(box);
  });
  hear("step", (step) => {
    const run = runs.get(step.name);
    if (!run) return;
    run.place = step;
    tell(box, step.name);
  });
  hear("gone", ({ name }) => runs.delete(name));
  hear("queue", (queue) => {
    order = queue;
    show(box);
  });
  document.addEventListener("click", (event) => {
    const details = box.querySelector("details[open]");
    if (details && (!details.contains(event.target) || event.target.closest("a"))) details.open = false;
  });
  box.addEventListener("keydown", (event) => {
    const details = box.querySelector("details[open]");
    if (event.key !== "Escape" || !details) return;
    event.preventDefault();
    details.open = false;
    details.querySelector("summary").focus();
  });
  box.addEventListener("focusout", ({ relatedTarget }) => {
    const details = box.querySelector("details[open]");
    if (details && relatedTarget && !details.contains(relatedTarget)) details.open = false;
  });
  show(box);
}
