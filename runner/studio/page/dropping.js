// Files that are dropped on the page or chosen: pictures, films, bundles and recipes become a new draft.

import { send } from "./api.js";
import { begin } from "./draft.js";
import { h } from "./element.js";
import { trying } from "./notices.js";

/** Take a file: its recipe is opened, and nothing is run. */
async function take(file) {
  if (!file) return;
  const taken = await trying(() => send(file));
  if (!taken) return;
  begin({ dropped: taken.dropped }, taken.name);
  if (location.hash === "#/") dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = "#/";
}

/** Ask for a file. */
export function choose() {
  const input = h("input", { type: "file", onchange: () => take(input.files[0]) });
  input.click();
}

export function listen() {
  const veil = h(
    "div",
    { class: "veil", hidden: true, "aria-hidden": "true" },
    h("p", {}, "Drop it to open its recipe"),
  );
  document.body.append(veil);
  let depth = 0;
  const files = (event) => event.dataTransfer?.types.includes("Files");
  const over = (by) => {
    depth = Math.max(0, depth + by);
    veil.hidden = !depth;
  };
  addEventListener("dragenter", (event) => files(event) && over(1));
  addEventListener("dragleave", (event) => files(event) && over(-1));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    take(event.dataTransfer.files[0]);
  });
}
