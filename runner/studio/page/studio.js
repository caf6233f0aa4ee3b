// The studio's page: which view is shown, and what all of them share.

import { named } from "./api.js";
import { compare } from "./compare.js";
import { composer } from "./composer.js";
import { listen as listenToFiles } from "./dropping.js";
import { gallery } from "./gallery.js";
import { listen as listenToKeys } from "./keys.js";
import * as queue from "./queue.js";
import { run } from "./run.js";
import * as stream from "./stream.js";

const VIEWS = {
  "": composer,
  runs: gallery,
  run: (view, rest, signal) => run(view, named(rest), signal),
  compare,
};
const main = document.getElementById("main");
let leaving = new AbortController();
let shown = {};

/** Show the view that the address names. */
function show() {
  leaving.abort();
  leaving = new AbortController();
  const [, name = "", rest = ""] = location.hash.match(/^#\/([a-z]*)\/?(.*)$/) ?? [];
  shown = (VIEWS[name] ?? composer)(main, rest, leaving.signal);
  document.title = `${shown.title} \u00b7 t2iflow studio`;
  for (const link of document.querySelectorAll("nav [data-view]")) {
    link.dataset.view === name ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
}

/** Go to a view, and to a field in it. */
function focus(hash, field) {
  if (location.hash !== hash) {
    history.pushState(null, "", hash);
    show();
  }
  (shown[field]?.checkVisibility() ? shown[field] : main).focus();
}

addEventListener("hashchange", () => {
  show();
  main.focus({ preventScroll: true });
});
queue.begin();
stream.begin();
listenToFiles();
listenToKeys(focus);
show();
