// What a run made, as a page shows it: films first, then pictures.

import { h } from "./element.js";

const LARGEST = 8;

/** Let a picture or film be shown as large as there is room for, but a small one not beyond recognition. */
export function fit(shown) {
  const width = shown.naturalWidth ?? shown.videoWidth,
    height = shown.naturalHeight ?? shown.videoHeight;
  shown.style.setProperty("--ratio", String(width / height));
  shown.style.setProperty("--most", `${width * LARGEST}px`);
}

const order = ["film", "picture"];

/** The films and pictures among a run's files. */
export const shown = (files = []) =>
  files
    .filter(({ kind }) => order.includes(kind))
    .sort((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));

/** A film or picture, large, but a small one not beyond recognition; `what` says what it shows. */
export function exhibit({ kind, address }, what) {
  if (kind === "film") {
    const how = { class: "fit", controls: true, loop: true, muted: true, playsinline: true, "aria-label": what };
    return h("video", { ...how, src: address, onloadedmetadata: ({ target }) => fit(target) });
  }
  return h("img", { class: "fit", src: address, alt: what, onload: ({ target }) => fit(target) });
}

/** All that a run made, each with its name. */
export const exhibits = (files, what) =>
  shown(files).map((one) => {
    const made = exhibit(one, what);
    if (one.kind === "film") // which not every browser plays
      return h("figure", {}, made, h("figcaption", {}, h("a", { href: one.address, download: one.file }, one.file)));
    const alone = h("a", { href: one.address, target: "_blank", title: "Open it alone" }, made);
    return h("figure", {}, alone, h("figcaption", {}, one.file));
  });
