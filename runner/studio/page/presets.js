// The presets of a recipe, which are switched on and off.

import { draft } from "./draft.js";
import { h } from "./element.js";

/** A button for each; `changed()` is called when one is switched. */
export function presets(all, changed) {
  return all.map(({ name, title, about }) => {
    const isOn = () => String(draft.presets.includes(name));
    const said = [title, about].filter(Boolean).join(": ");
    const flip = ({ target }) => {
      draft.presets = draft.presets.includes(name)
        ? draft.presets.filter((one) => one !== name)
        : [...draft.presets, name];
      target.setAttribute("aria-pressed", isOn());
      changed();
    };
    return h("button", { name, class: "chip", "aria-pressed": isOn(), title: said || null, onclick: flip }, name);
  });
}
