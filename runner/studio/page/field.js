// One field of a form, made from the JSON Schema of a value: a control of the right kind, its range, its help.

import { fresh, h } from "./element.js";
import { flow, grouped } from "./words.js";

/** The schemas that a value may follow, opened: those of `anyOf`, but no references to params. */
function choices(schema) {
  if (schema.anyOf) return schema.anyOf.flatMap(choices);
  return schema.$ref || schema.pattern?.startsWith("^\\$") ? [] : [schema];
}

const NUMBERS = ["integer", "number"];

/** The kind of control that a value gets: the first schema that its present value follows says which. */
function kind(schema, value) {
  const options = choices(schema);
  const words = options.flatMap((one) => one.enum ?? ("const" in one ? [one.const] : []));
  const number = options.find((one) => NUMBERS.includes(one.type));
  const pair = options.find((one) => one.prefixItems?.length === 2);
  if (schema["x-text"] === "long" && isText(value)) return { make: long };
  if (typeof value === "boolean") return { make: check };
  if (words.length && words.includes(value)) return { make: select, words };
  if (Array.isArray(value) && pair && value.every(Number.isFinite))
    return { make: two, of: choices(pair.prefixItems[0])[0] ?? {} };
  if (typeof value === "number" || (value == null && number && !words.length))
    return { make: numeric, of: number ?? { type: "number" }, mayLack: options.some((one) => one.type === "null") };
  if (typeof value === "string") return { make: text };
  return { make: json, of: number };
}

/** A limit from which on nobody would go. */
const FAR = 1e6;

/** The range of a number, in words. */
function range({ minimum: low, exclusiveMinimum: above, maximum = Infinity, exclusiveMaximum: below = Infinity }) {
  const from = low != null ? `at least ${low}` : above != null ? `more than ${above}` : "";
  const to = below < FAR ? `less than ${below}` : maximum < FAR ? `at most ${maximum}` : "";
  if (low != null && to && below >= FAR) return `${low} to ${maximum}`;
  return [from, to].filter(Boolean).join(", ");
}

/** Keep with a field what is wrong with what is written in it, if anything is; an error says it. */
export function mark(element, made) {
  if (made instanceof Error) element.dataset.fault = made.message;
  else delete element.dataset.fault;
}

/**
 * A field; `changed` is called with each new value that is one, and others are marked.
 * @param {{name: string, schema: any, value: any, changed: (value: any) => void, label?: string}} of
 */
export function field({ name, schema, value, changed, label = name }) {
  const id = fresh("field");
  const control = kind(schema, value);
  const fault = h("span", { class: "fault", id: `${id}-fault` });
  const tell = (made) => {
    mark(element, made);
    fault.textContent = element.dataset.fault ?? "";
    if (!(made instanceof Error)) changed(made);
  };
  const words = schema.description || (control.of && range(control.of)) || "";
  const about = grouped(words.charAt(0).toUpperCase() + words.slice(1));
  const attributes = { id, name, "aria-describedby": `${id}-about ${id}-fault` };
  const input = control.make(attributes, value, tell, control);
  const element = h(
    "div",
    { class: `field ${control.make.name}`, "data-name": name },
    h("label", { for: input.id || id }, label),
    input,
    h("small", { class: "help", id: `${id}-about`, title: about }, about),
    fault,
  );
  return element;
}

/** Whether a value is a text, or a list of texts, which are written each on a line. */
export const isText = (value) =>
  typeof value === "string" || value == null || (Array.isArray(value) && value.every((one) => typeof one === "string"));

/** A text as it is edited, and a text that was edited as a value like the one before. */
export const lines = (value) => (Array.isArray(value) ? value.join("\n") : (value ?? ""));
export const unlined = (text, like) => (Array.isArray(like) ? text.split("\n").filter((line) => line.trim()) : text);

function long(attributes, value, tell) {
  return h(
    "textarea",
    { ...attributes, rows: 2, oninput: ({ target }) => tell(unlined(target.value, value)) },
    lines(value),
  );
}

function text(attributes, value, tell) {
  return h("input", { ...attributes, value, autocomplete: "off", oninput: ({ target }) => tell(target.value) });
}

function check(attributes, value, tell) {
  return h("input", {
    ...attributes,
    type: "checkbox",
    checked: value,
    onchange: ({ target }) => tell(target.checked),
  });
}

function select(attributes, value, tell, { words }) {
  return h(
    "select",
    { ...attributes, onchange: ({ target }) => tell(words[target.selectedIndex]) },
    words.map((word) => h("option", { selected: word === value }, word === null ? "none" : String(word))),
  );
}

function bounds(schema) {
  return {
    type: "number",
    min: schema.minimum ?? schema.exclusiveMinimum,
    max: schema.maximum,
    step: schema.type === "integer" ? 1 : "any",
  };
}

/** The number in a field, or an error that says why there is none. */
export function read(input) {
  if (input.value === "" && !input.validity.badInput) return new Error("A number is needed.");
  return input.checkValidity() ? whole(input.value) : new Error(input.validationMessage);
}

/** A number that is written; its digits, which the studio takes as well, where a number would be rounded. */
export const whole = (text) => (/^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text)) ? text : Number(text));

/** The same of the numbers in JSON, in browsers that say how they are written. */
const exact = (_, value, said) => (typeof value === "number" && said?.source ? whole(said.source) : value);

/** A number as it is shown: between keyframes some have more digits than anybody reads. */
const short = (value) => (Number.isFinite(value) && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value);

function numeric(attributes, value, tell, { of, mayLack }) {
  const isNone = (input) => mayLack && input.value === "" && !input.validity.badInput;
  const put = ({ target }) => tell(isNone(target) ? null : read(target));
  return h("input", { ...attributes, ...bounds(of), value: short(value), oninput: put });
}

function two(attributes, value, tell, { of }) {
  const isSize = /(^|\.)size$/.test(attributes.name);
  const parts = isSize ? ["width", "height"] : ["first", "second"];
  const inputs = value.map((one, at) =>
    h("input", {
      ...bounds(of),
      id: at ? null : attributes.id,
      value: one,
      "aria-label": `${attributes.name}, ${parts[at]}`,
      oninput: () => {
        const made = inputs.map(read);
        tell(made.find((one) => one instanceof Error) ?? made);
      },
    }),
  );
  return h("span", { class: "pair", id: "" }, inputs[0], isSize ? "\u00d7" : ",", inputs[1]);
}

/** Anything else is written as JSON: keyframes, lists. */
function json(attributes, value, tell) {
  const put = ({ target }) => {
    try {
      tell(target.value.trim() === "" ? null : JSON.parse(target.value, exact));
    } catch {
      tell(new Error('Write it as JSON, such as {"0": 0.1, "100%": 0.01}, [1, 2] or null.'));
    }
  };
  const shown = value === undefined ? "" : flow(value);
  return h("textarea", { ...attributes, class: "code", rows: 1, spellcheck: "false", oninput: put }, shown);
}
