// Files that are dropped on the page or chosen: pictures, films, bundles and recipes become a new draft.

import { post, send } from "./api.js";
import { begin } from "./draft.js";
import { h } from "./element.js";
import { trying } from "./notices.js";

/** So many milliseconds at most are between two signs that a file is over the page, also where it doesn't move. Its end
 * has no sure sign: what it was over may be gone. */
const STILL = 600;

/** Take a file: its recipe is opened, and nothing is run; of one without a recipe only that is said. */
async function take(file) {
  if (!file) return;
  const taken = await trying(async () => {
    const sent = await send(file);
    await post("/api/opened", { dropped: sent.dropped });
    return sent;
  });
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
  let waits = 0;
  const files = (event) => event.dataTransfer?.types.includes("Files");
  const show = (isOver) => {
    clearTimeout(waits);
    veil.hidden = !isOver;
    if (isOver) waits = setTimeout(show, STILL, false);
  };
  addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    show(true);
  });
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    show(false);
    take(event.dataTransfer.files[0]);
  });
}
