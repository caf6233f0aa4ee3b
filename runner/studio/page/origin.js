// Where a new run's recipe comes from: one of the list, or a file; and what it says of itself.

import { get } from "./api.js";
import { draft } from "./draft.js";
import { choose } from "./dropping.js";
import { coded, h, prose } from "./element.js";
import { trying } from "./notices.js";

const FOREIGN =
  "This recipe comes from elsewhere: it may read only the files that came with it, and weights that have a name.";

/** `take(source)` is called when another recipe is chosen; `fill(made)` shows what the one that was opened says, and
 * `list()` which recipes there are. */
export function origin(take, signal) {
  const choice = h(
    "select",
    { id: "recipe", "aria-label": "Recipe", onchange: () => take({ recipe: choice.value }) },
    h("option", { disabled: true, selected: true }, draft.label || draft.source.recipe),
  );
  const about = h("div", { class: "about" });
  const list = () => trying(async () => choice.replaceChildren(...options(await get("/api/recipes", signal))));
  list();
  return {
    list,
    element: h(
      "div",
      {},
      h(
        "div",
        { class: "line" },
        choice,
        h("button", { class: "quiet", onclick: choose }, "Open a file \u2026"),
        h("span", { class: "soft wide" }, "or drop a picture, film, bundle or recipe anywhere"),
      ),
      about,
    ),
    fill(made) {
      const said = prose(made.about ?? "").map((one) => h("div", { class: "about" }, one));
      const warnings = [made.foreign && FOREIGN, ...made.notes].filter(Boolean);
      about.replaceChildren(...said, ...warnings.map((text) => h("p", { class: "how warn" }, coded(text))));
    },
  };
}

function options(recipes) {
  const titles = recipes.map((one) => one.title);
  const shared = new Set(titles.filter((title, index) => titles.indexOf(title) < index)); // a copy keeps its title
  const label = ({ name, title, bundled }) =>
    !title ? name : shared.has(title) && !bundled ? `${title} (${name})` : title;
  const option = (one) =>
    h("option", { value: one.name, selected: draft.source.recipe === one.name }, label(one));
  const group = (label, some) => h("optgroup", { label, hidden: !some.length }, some.map(option));
  const other = h("option", { selected: true, value: "", disabled: true }, draft.label);
  return [
    ...(draft.label ? [other] : []),
    group(
      "Your recipes",
      recipes.filter((one) => !one.bundled),
    ),
    group(
      "Bundled recipes",
      recipes.filter((one) => one.bundled),
    ),
  ];
}
