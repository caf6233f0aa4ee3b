// What a run made, as a page shows it: films first, then pictures.

import { h } from "./element.js";

const LARGEST = 8;

/** Let a picture be shown as large as there is room for, but a small one not beyond recognition. */
export function fit(image) {
  image.style.setProperty("--ratio", String(image.naturalWidth / image.naturalHeight));
  image.style.setProperty("--most", `${image.naturalWidth * LARGEST}px`);
}
const order = ["film", "picture"];

/** The films and pictures among a run's files. */
export const shown = (files = []) =>
  files
    .filter(({ kind }) => order.includes(kind))
    .sort((one, other) => order.indexOf(one.kind) - order.indexOf(other.kind));

/** A film or picture, large, but a small one not beyond recognition; `what` says what it shows. */
export function exhibit({ file, kind, address }, what) {
  if (kind === "film" && /\.(mp4|webm)$/i.test(file)) {
    return h("video", { src: address, controls: true, loop: true, muted: true, playsinline: true, "aria-label": what });
  }
  return h("img", { class: "fit", src: address, alt: what, onload: ({ target }) => fit(target) });
}

/** All that a run made, each with its name. */
export const exhibits = (files, what) =>
  shown(files).map((one) => {
    const made = exhibit(one, what);
    const alone = made.matches("img")
      ? h("a", { href: one.address, target: "_blank", title: "Open it alone" }, made)
      : made;
    return h("figure", {}, alone, h("figcaption", {}, one.file));
  });
