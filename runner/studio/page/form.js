// The form of a recipe, made from the JSON Schema of what may be set in it: its params, then settings by their nodes.

import { field, isText } from "./field.js";
import { h } from "./element.js";

/** The name of the param that is shown first and large: the prompt. */
export function main(form) {
  const names = Object.keys(form.properties ?? {});
  const texts = names.filter((name) => isText(form.properties[name].default));
  return (
    texts.find((name) => name === "prompt") ?? texts.find((name) => form.properties[name]["x-text"] === "long") ?? null
  );
}

/**
 * All fields but those `without`; `set` is what the user has changed, and `changed(name, value)` is called for more.
 * Those of the nodes are seen if it `isOpen`.
 * @returns {HTMLElement}
 */
export function form(schema, set, changed, without = [], isOpen = false) {
  const made = (name) =>
    field({
      name,
      label: schema.properties[name]["x-node"] ? name.slice(schema.properties[name]["x-node"].length + 1) : name,
      schema: schema.properties[name],
      value: name in set ? set[name] : schema.properties[name].default,
      changed: (value) => changed(name, value),
    });
  const names = Object.keys(schema.properties).filter((name) => !without.includes(name));
  const params = names.filter((name) => schema.properties[name]["x-part"] !== "setting");
  const nodes =
    Map.groupBy?.(
      names.filter((name) => !params.includes(name)),
      (name) => schema.properties[name]["x-node"] ?? "",
    ) ?? new Map();
  return h(
    "div",
    { class: "form" },
    params.length > 0 && h("div", { class: "fields" }, params.map(made)),
    [...nodes].length > 0 &&
      h(
        "details",
        { class: "more", open: isOpen },
        h("summary", {}, "Settings of the nodes"),
        [...nodes].map(([node, names]) =>
          h("fieldset", {}, h("legend", {}, node), h("div", { class: "fields" }, names.map(made))),
        ),
      ),
  );
}
