// The prompt of a new run, first and large: a text, or several, each on a line.

import { lines, unlined } from "./field.js";
import { h } from "./element.js";
import { main } from "./form.js";

/** `set(name, value)` is called with what is written; `fill(form, changed)` shows what a recipe asks for, and `clear()`
 * that it is another one, which is not open yet. */
export function prompt(set) {
  let name,
    before = "";
  const element = h("textarea", {
    id: "prompt",
    class: "prompt",
    rows: 2,
    "aria-label": "Prompt",
    "aria-keyshortcuts": "n",
    placeholder: "What should the picture show?",
    oninput: write,
  });
  function write() {
    if (name) set(name, unlined(element.value, before)); // else it is set once the recipe is open
  }
  return {
    element,
    fill(form, changed) {
      const first = main(form);
      const isEarly = name === undefined && element.value !== "";
      name = first;
      if (!first && document.activeElement === element) document.getElementById("main").focus();
      element.hidden = !first;
      if (!first) return;
      before = form.properties[first].default;
      if (isEarly) return write();
      const isWritten = first in changed && document.activeElement === element;
      if (!isWritten) element.value = lines(changed[first] ?? before);
    },
    clear() {
      name = undefined;
      element.value = "";
    },
    get name() {
      return name;
    },
  };
}
