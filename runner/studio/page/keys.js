// Keys that work everywhere, and the list of all of them.

import { h } from "./element.js";

const LIST = [
  ["n", "A new picture: to the prompt"],
  ["g", "All runs"],
  ["/", "Search the runs"],
  ["Ctrl+Enter", "Start"],
  ["s", "Stop the run that is shown"],
  ["r", "Resume it"],
  ["Arrows", "Move from run to run, or from tab to tab"],
  ["Space", "On a run's box: choose it, to compare"],
  ["c", "Compare the chosen runs"],
  ["Ctrl+Space", "In a recipe's text: suggestions"],
  ["Esc", "Close a list, a notice or a dialogue"],
  ["?", "This list"],
];

const dialog = h(
  "dialog",
  { class: "keys", "aria-labelledby": "keys-title", onclick: ({ target }) => target === dialog && dialog.close() },
  h(
    "div",
    { tabindex: -1, autofocus: true },
    h("h2", { id: "keys-title" }, "Keyboard"),
    h(
      "dl",
      {},
      LIST.map(([key, does]) => [
        h(
          "dt",
          {},
          key.split("+").flatMap((one, at) => [at ? "+" : "", h("kbd", {}, one)]),
        ),
        h("dd", {}, does),
      ]),
    ),
    h("p", { class: "soft" }, "Pictures, films, bundles and recipes can be dropped anywhere on the page."),
    h("form", { method: "dialog" }, h("button", {}, "Close")),
  ),
);

/** Whether a key is meant as one of these: pressed alone, nowhere where one writes, and while no dialogue is open. */
export function isCommand(event) {
  const isWriting = event.target.matches("input:not([type=checkbox], [type=radio]), textarea, select");
  const isWithOthers = event.ctrlKey || event.metaKey || event.altKey;
  return !isWriting && !isWithOthers && !document.querySelector("dialog[open]");
}

/** `focus(view, what)` goes to a view and to a field in it. */
export function listen(focus) {
  document.body.append(dialog);
  const show = () => dialog.open || dialog.showModal();
  document.getElementById("help").addEventListener("click", show);
  addEventListener("keydown", (event) => {
    if (!isCommand(event)) return;
    const does = {
      n: () => focus("#/", "prompt"),
      g: () => focus("#/runs"),
      "/": () => focus("#/runs", "search"),
      "?": show,
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  });
}
