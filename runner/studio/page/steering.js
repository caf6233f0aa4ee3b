// Another prompt, another rate: for the rest of a run, or in a new run that shares its past up to a step.

import { path, post } from "./api.js";
import { field } from "./field.js";
import { h } from "./element.js";
import { notice, trying } from "./notices.js";

/** The form to steer or fork a run; nothing where neither may be done. `set` is what the user has changed in it. */
export function steering(run, set) {
  const may = ["steer", "fork"].filter((one) => run.may.includes(one));
  if (!may.length || !run.steerable?.length) return null;
  const first = run.steerable.filter((one) => /(^|\.)prompt$/.test(one.name));
  const rest = run.steerable.filter((one) => !first.includes(one));
  const made = ({ name, value, schema }) => field({ name, schema: first.length && /(^|\.)prompt$/.test(name) ? { ...schema, "x-text": "long" } : schema, value: name in set ? set[name] : value,
    changed: (fresh) => { set[name] = fresh; button.disabled = false; } });
  const at = h("input", { type: "number", min: 0, max: run.place?.steps ?? null, value: run.place?.step ?? 0, "aria-label": "Step", id: "fork-step" });
  const button = h("button", { class: "main", type: "submit", disabled: !Object.keys(set).length });
  const ways = { steer: "this run, from here on", fork: "a new run, from step" };
  const chosen = () => element.querySelector("input[name=way]:checked").value;
  const name = () => {
    button.textContent = chosen() === "steer" ? "Steer" : "Fork";
    at.disabled = chosen() === "steer";
  };
  const element = h("form", { class: "steering", "aria-label": "Steer or fork", onsubmit: (event) => { event.preventDefault(); submit(); } },
    h("h2", {}, "Change its course"), first.map(made),
    rest.length > 0 && h("details", { class: "more", open: !first.length }, h("summary", {}, "Other settings"), rest.map(made)),
    h("div", { class: "ways", role: "radiogroup", "aria-label": "Which run is changed" }, may.map((way, at_) => h("label", {},
      h("input", { type: "radio", name: "way", value: way, checked: at_ === 0, onchange: name }), ways[way], way === "fork" && at))),
    button);

  async function submit() {
    const way = chosen();
    const body = way === "steer" ? { set } : { set, at: Number(at.value) };
    const answer = await trying(() => post(`/api/runs/${path(run.name)}/${way}`, body));
    if (answer === undefined) return;
    for (const name of Object.keys(set)) delete set[name];
    button.disabled = true;
    if (way === "fork") location.hash = `#/run/${path(answer.name)}`;
    else notice("The run continues with the new settings.");
  }
  name();
  return element;
}
