// Another prompt, another rate: for the rest of a run, or in a new run that shares its past up to a step.

import { path, post } from "./api.js";
import { field, isText } from "./field.js";
import { h, once } from "./element.js";
import { notice, trying } from "./notices.js";

const WAYS = { steer: "this run, from here on", fork: "a new run, from" };
const TITLES = { steer: "Steer", fork: "Fork" };

/** What the user has asked for in the form so far, which outlives its being made anew. */
export const asked = () => ({ set: {}, way: null, at: {}, open: null });

/** The form to steer or fork a run, with what was `asked` for; nothing where neither may be done. */
export function steering(run, wanted) {
  const { set } = wanted;
  const may = Object.keys(WAYS).filter((one) => run.may.includes(one));
  if (!may.length || !run.steerable?.length) return null;
  const isLong = ({ value, schema }) => schema["x-text"] === "long" && isText(value);
  const made = ({ name, value, schema }) =>
    field({
      name,
      schema,
      value: name in set ? set[name] : value,
      changed: (fresh) => {
        set[name] = fresh;
        button.disabled = false;
      },
    });
  const before = may.includes(wanted.way) ? wanted.way : may[0];
  const first = run.steerable.filter(isLong),
    rest = run.steerable.filter((one) => !isLong(one));
  const place = moment(run, wanted.at);
  const button = h("button", { class: "main", type: "submit", disabled: !Object.keys(set).length });
  const way = () => element.querySelector("input[name=way]:checked").value;
  const choose = (event) => {
    if (event) wanted.way = way();
    button.textContent = TITLES[way()];
    place.element.disabled = way() === "steer";
  };
  const element = h(
    "form",
    {
      class: "steering",
      "aria-label": "Steer or fork",
      onsubmit: (event) => {
        event.preventDefault();
        submit(way());
      },
    },
    h("h2", {}, "Change its course"),
    first.map(made),
    rest.length > 0 &&
      h(
        "details",
        { class: "more", open: wanted.open ?? !first.length, ontoggle: ({ target }) => (wanted.open = target.open) },
        h("summary", {}, "Other settings"),
        rest.map(made),
      ),
    h(
      "div",
      { class: "foot" },
      h(
        "div",
        { class: "ways", role: "radiogroup", "aria-label": "Which run is changed" },
        may.map((one) =>
          h(
            "div",
            {},
            h(
              "label",
              {},
              h("input", { type: "radio", name: "way", value: one, checked: one === before, onchange: choose }),
              WAYS[one],
            ),
            one === "fork" && place.element,
          ),
        ),
      ),
      button,
    ),
  );

  const submit = once(async (chosen) => {
    const sent = { ...set };
    const body = chosen === "steer" ? { set: sent } : { set: sent, at: place.value() };
    const answer = await trying(() => post(`/api/runs/${path(run.name)}/${chosen}`, body));
    if (answer === undefined) return;
    forget(sent);
    if (document.activeElement === button) element.querySelector("[data-name] [name]").focus();
    button.disabled = !Object.keys(set).length;
    if (chosen === "fork") location.hash = `#/run/${path(answer.name)}`;
    else notice("The run continues with the new settings.");
  });

  /** What was sent is no longer asked for; what was written meanwhile is. */
  function forget(sent) {
    for (const name of Object.keys(sent)) if (set[name] === sent[name]) delete set[name];
    wanted.at = {};
  }
  choose();
  return element;
}

/** Fields for a moment of a run: a step or frame, of one of its optimisers if it has several; first what was `wanted`. */
function moment({ optimizers = [], place }, wanted) {
  const what = place?.frames ? "frame" : "step";
  const number = h("input", {
    type: "number",
    name: "at",
    min: 0,
    value: wanted.number ?? place?.[what] ?? 0,
    "aria-label": `The ${what}`,
    oninput: () => (wanted.number = number.value),
  });
  const node =
    optimizers.length > 1 &&
    h(
      "select",
      { "aria-label": "The optimiser", onchange: () => (wanted.node = node.value) },
      optimizers.map((one) => h("option", { selected: one.node === (wanted.node ?? place?.node) }, one.node)),
    );
  return {
    element: h("fieldset", { class: "moment" }, what, number, node && ["of", node]),
    value: () => (node ? `${node.value}:${number.value}` : number.value),
  };
}
