// Another prompt, another rate: for the rest of a run, or in a new run that shares its past up to a step.

import { path, post } from "./api.js";
import { field, isText } from "./field.js";
import { h, once } from "./element.js";
import { notice, trying } from "./notices.js";

const WAYS = { steer: "this run, from here on", fork: "a new run, from" };
const TITLES = { steer: "Steer", fork: "Fork" };

/** What the user has asked for in the form so far, which outlives its being made anew. */
export const asked = () => ({ set: {}, way: null, at: {}, open: null });

/** The form to steer or fork a run, of which `settings` may be changed, with what was `asked` for; nothing where neither
 * may be done. The signal ends the view that it is in. */
export function steering(run, wanted, signal) {
  const { set } = wanted;
  const may = Object.keys(WAYS).filter((one) => run.may.includes(one));
  if (!may.length || !run.settings.length) return null;
  const isLong = ({ value, schema }) => schema["x-text"] === "long" && isText(value);
  const made = ({ name, value, schema }) =>
    field({
      name,
      schema,
      value: name in set ? set[name] : value,
      changed: (fresh) => {
        set[name] = fresh;
      },
    });
  const before = may.includes(wanted.way) ? wanted.way : may[0];
  const first = run.settings.filter(isLong),
    rest = run.settings.filter((one) => !isLong(one));
  const place = moment(run, wanted.at);
  const button = h("button", { class: "main", type: "submit" });
  const ready = () => {
    button.disabled = !Object.keys(set).length || element.querySelector("[data-fault]") !== null;
  };
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
      oninput: ready,
      onchange: ready,
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
    ready();
    if (chosen === "steer") notice("The run continues with the new settings.");
    else if (!signal.aborted) location.hash = `#/run/${path(answer.name)}`;
  });

  /** What was sent is no longer asked for; what was written meanwhile is. */
  function forget(sent) {
    for (const name of Object.keys(sent)) if (set[name] === sent[name]) delete set[name];
    wanted.at = {};
  }
  choose();
  ready();
  return element;
}

/** Fields for one of the `moments` of a run: a step or frame, of one of its optimisers if it has several; first what was
 * `wanted`. */
function moment({ moments, place }, wanted) {
  const named = () => moments.find((one) => one.node === (wanted.node ?? place?.node)) ?? moments.at(-1);
  const what = h("span");
  const number = h("input", {
    type: "number",
    name: "at",
    min: 0,
    required: true,
    value: wanted.number ?? (place?.node === named().node ? place[named().what] : null) ?? 0,
    oninput: () => (wanted.number = number.value),
  });
  const node =
    moments.length > 1 &&
    h(
      "select",
      { "aria-label": "The optimiser", onchange: () => ((wanted.node = node.value), show()) },
      moments.map((one) => h("option", { selected: one.node === named().node }, one.node)),
    );
  function show() {
    what.textContent = named().what;
    number.setAttribute("aria-label", `The ${named().what}`);
    number.max = named().many - 1;
  }
  show();
  return {
    element: h("fieldset", { class: "moment" }, what, number, node && ["of", node]),
    value: () => (node ? `${node.value}:${number.value}` : number.value),
  };
}
