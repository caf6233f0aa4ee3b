// Mistakes in a recipe, as the terminal says them: where, what, and what to do.

import { coded, h } from "./element.js";

/** A card for each mistake; `go(problem)` shows its place. */
export function problems(all, go) {
  if (!all.length) return [];
  return [
    h(
      "ul",
      { class: "problems" },
      all.map((problem) =>
        h(
          "li",
          { class: "how bad" },
          h("b", {}, coded(problem.message)),
          (problem.hints ?? []).map((hint) => h("span", { class: "hint" }, coded(hint))),
          h(
            "span",
            { class: "where" },
            problem.given && `in ${problem.given}`,
            problem.line &&
              h(
                "button",
                { class: "quiet", onclick: () => go(problem) },
                `line ${problem.line}, column ${problem.column}`,
              ),
            h("span", { class: "code" }, problem.code),
          ),
        ),
      ),
    ),
  ];
}
