// The queue, in the bar: what runs, what waits.

import { path } from "./api.js";
import { h } from "./element.js";
import { hear } from "./stream.js";
import { left, progress } from "./words.js";

const runs = new Map();
let order = { running: [], waiting: [] };

const title = (name) => runs.get(name)?.prompt || runs.get(name)?.recipe || name.split("/").at(-1);

function row(name, said) {
  return h("li", {}, h("a", { href: `#/run/${path(name)}` }, h("b", {}, title(name)), h("small", {}, said)));
}

function show(box) {
  const { running, waiting } = order;
  const words = [running.length && `${running.length} running`, waiting.length && `${waiting.length} waiting`].filter(
    Boolean,
  );
  box.hidden = !words.length;
  if (!words.length) return;
  const open = box.querySelector("details")?.open;
  box.replaceChildren(
    h(
      "details",
      { open },
      h(
        "summary",
        { title: "The queue", "aria-label": `The queue: ${words.join(", ")}` },
        h("span", { class: running.length ? "dot" : "dot still" }),
        h("span", { class: "wide" }, words.join(", ")),
        h("span", { class: "narrow" }, String(running.length + waiting.length)),
      ),
      h(
        "ol",
        { class: "popup" },
        running.map((name) =>
          row(
            name,
            [progress(runs.get(name)?.place), left(runs.get(name)?.place)].filter(Boolean).join(", ") || "starts",
          ),
        ),
        waiting.map((name, at) => row(name, at ? `${at + 1} in the queue` : "next")),
      ),
    ),
  );
}

export function begin() {
  const box = document.getElementById("queue");
  hear("run", (run) => {
    runs.set(run.name, run);
    show(box);
  });
  hear("step", (step) => {
    const run = runs.get(step.name);
    if (run) run.place = step;
    if (box.querySelector("details[open]")) show(box);
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
  show(box);
}
