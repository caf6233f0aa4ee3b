// The picture as it is now, large: each is shown when it is there, and none waits behind another.

import { h } from "./element.js";
import { fit } from "./exhibit.js";

export function live(alt) {
  const image = h("img", { class: "now fit", alt, hidden: true });
  const element = h("figure", { class: "stage" }, image, h("div", { class: "none" }));
  let busy = false,
    newest = null;
  async function show(address) {
    newest = address;
    if (busy || !address) return;
    busy = true;
    const next = new Image();
    next.src = address;
    try {
      await next.decode();
      image.src = address;
      await image.decode();
      fit(image);
      image.hidden = false;
      image.dataset.shown = `${Date.now()} ${address}`;
      element.querySelector(".none")?.remove();
    } catch {
      // it was replaced meanwhile: the next one comes soon
    }
    busy = false;
    if (newest !== address) show(newest);
  }
  /** Say what is to be seen until there is a picture. */
  function wait(text) {
    element.querySelector(".none")?.replaceChildren(text);
  }
  return { element, show, wait };
}
