// A new run: a recipe, what is changed in it, and what it will take; by form, by text, and as a graph.

import { get, path, post } from "./api.js";
import { asked, begin, draft } from "./draft.js";
import { choose } from "./dropping.js";
import { editor } from "./editor.js";
import { h, prose } from "./element.js";
import { lines, unlined } from "./field.js";
import { form, main } from "./form.js";
import { tiles } from "./tile.js";
import { graph } from "./graph.js";
import { say, trying } from "./notices.js";
import { problems } from "./problems.js";
import { hear } from "./stream.js";
import { tabs } from "./tabs.js";
import { count, duration } from "./words.js";

const WAIT = 300;
const LATEST = 6;

export function composer(view, _, signal) {
  const places = Object.fromEntries(["about", "presets", "seed", "expected", "mistakes"].map((name) => [name, h("div", { class: name })]));
  const recipes = h("select", { id: "recipe", "aria-label": "Recipe", onchange: () => take({ recipe: recipes.value }) },
    h("option", { disabled: true, selected: true }, draft.label || draft.source.recipe));
  const prompt = h("textarea", { id: "prompt", class: "prompt", rows: 2, "aria-label": "Prompt", "aria-keyshortcuts": "n",
    placeholder: "What should the picture show?", oninput: () => set(asks, unlined(prompt.value, like)) });
  const start = h("button", { class: "main", "aria-keyshortcuts": "Control+Enter", title: "Start (Ctrl+Enter)", onclick: run }, "Start");
  const settings = h("div"), drawn = h("div"), over = h("div"), above = h("div", {}, places.mistakes), below = h("div");
  const text = editor((value) => { draft.text = value; later(); });
  const parts = tabs({ Settings: settings, Text: [over, text.element, below], Graph: drawn }, (name) => {
    (name === "Text" ? below : above).append(places.mistakes); // beside what they are about, and without moving it
    if (name === "Text") text.shown();
  });
  let key = null, waits = 0, asking = new AbortController();
  let asks = "", like = ""; // which param the prompt is, and what it was

  const later = () => { clearTimeout(waits); waits = setTimeout(look, WAIT); };
  const set = (name, value) => { draft.set[name] = value; later(); };
  const take = (source) => { begin(source); key = null; return look(); };

  async function look() {
    asking.abort();
    asking = new AbortController();
    places.expected.classList.add("old");
    if (!places.expected.firstChild) places.expected.append("Opening the recipe \u2026");
    await trying(async () => {
      try {
        show(await post("/api/opened", asked(), asking.signal));
      } catch (fault) {
        if (fault.status !== 404 || draft.source.recipe === "hello") throw fault;
        begin(); // what was dropped, or the run, is no longer there
        look();
      }
    });
  }

  function show(made) {
    places.expected.classList.remove("old");
    const now = JSON.stringify([draft.source, draft.text, draft.presets]);
    if (made.form && now !== key) {
      key = now;
      fill(made);
    }
    text.fill(draft.text ?? made.text ?? "");
    text.mark(made.problems.filter((one) => one.file === made.file));
    for (const fault of settings.querySelectorAll(".fault")) {
      const name = fault.closest("[data-name]").dataset.name;
      fault.textContent = made.problems.find((one) => one.given === name)?.message ?? "";
    }

    places.mistakes.replaceChildren(...problems(made.problems, (problem) => { parts.show("Text"); text.go(problem); }));
    start.disabled = made.problems.length > 0;
    places.expected.replaceChildren(...expected(made));
    over.replaceChildren(...overriding());
    drawn.replaceChildren(made.graph ? graph(made.graph, made.nodes) : h("p", { class: "soft" }, "A recipe with mistakes has no graph."));
  }

  /** What the form changes stands over the text. */
  function overriding() {
    const names = Object.keys(draft.set);
    return names.length ? [h("p", { class: "soft" }, `The form overrides the text: ${names.join(", ")}. `, h("button", { class: "quiet link", onclick: () => {
      draft.set = {};
      key = null;
      look();
    } }, "Discard these changes"))] : [];
  }

  function fill(made) {
    const first = main(made.form);
    prompt.hidden = !first;
    if (first) {
      like = made.form.properties[first].default;
      if (document.activeElement !== prompt || asks !== first) prompt.value = lines(draft.set[first] ?? like);
      asks = first;
    }
    places.about.replaceChildren(...about(made));
    places.presets.replaceChildren(...presets(made));
    places.seed.replaceChildren(...seed(made));
    settings.replaceChildren(form(made.form, draft.set, set, [first, "seed"]));
  }

  function about(made) {
    const source = made.foreign ? "This recipe comes from elsewhere: it may read only the files that came with it, and published weights." : "";
    return [...prose(made.about ?? "").map((one) => (one.className = "about", one)), source && h("p", { class: "how warn" }, source),
      ...(made.notes ?? []).map((note) => h("p", { class: "how warn" }, note))].filter(Boolean);
  }

  function presets(made) {
    return made.presets.map(({ name, title, about }) => h("button", {
      class: "chip", "aria-pressed": String(draft.presets.includes(name)), title: [title, about].filter(Boolean).join(": ") || null,
      onclick: ({ target }) => {
        draft.presets = draft.presets.includes(name) ? draft.presets.filter((one) => one !== name) : [...draft.presets, name];
        target.setAttribute("aria-pressed", String(draft.presets.includes(name)));
        look();
      },
    }, name));
  }

  function seed(made) {
    if (!made.form.properties.seed) return [];
    const input = h("input", { id: "seed", class: "code", inputmode: "numeric", "aria-label": "Seed", value: draft.set.seed ?? made.form.properties.seed.default,
      oninput: () => set("seed", /^\d+$/.test(input.value) ? Number(input.value) : input.value) });
    const dice = h("button", { class: "quiet dice", "aria-label": "Another seed", title: "Another seed, another picture", onclick: () => {
      input.value = Math.floor(Math.random() * 2 ** 31);
      set("seed", Number(input.value));
    } }, h("span", { "aria-hidden": "true" }, "\u2684"));
    return [h("label", { for: "seed" }, "Seed"), input, dice];
  }

  async function run() {
    if (start.disabled) return;
    start.disabled = true;
    const begun = await trying(() => post("/api/runs", asked()));
    start.disabled = false;
    if (!begun) return;
    say("The run is in the queue.");
    location.hash = `#/run/${path(begun.name)}`;
  }

  const latest = h("div", { class: "tiles" });
  const recent = async () => {
    const { runs } = await get(`/api/runs?limit=${LATEST}`, signal);
    latest.replaceChildren(...tiles(runs));
    latest.parentElement.hidden = !runs.length;
  };

  view.replaceChildren(h("div", { class: "composer" },
    h("h1", { class: "unseen" }, "A new picture"),
    h("div", { class: "line" }, recipes, h("button", { class: "quiet", onclick: () => choose() }, "Open a file \u2026"),
      h("span", { class: "soft wide" }, "or drop a picture, film, bundle or recipe anywhere")),
    places.about, prompt,
    h("div", { class: "line" }, places.presets, places.seed, start),
    places.expected, above, parts.element,
    h("section", { hidden: true }, h("h2", {}, "Lately"), latest)));

  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  }, { signal });
  hear("run", () => trying(recent), signal);
  trying(recent);
  trying(async () => fillRecipes(recipes, await get("/api/recipes", signal)));
  look();
  return { title: "New", prompt };
}

function fillRecipes(select, recipes) {
  const group = (label, some) => some.length > 0 && h("optgroup", { label },
    some.map(({ name, title }) => h("option", { value: name, selected: draft.source.recipe === name }, title || name)));
  select.replaceChildren(...[
    draft.label && h("option", { selected: true, value: "", disabled: true }, draft.label),
    group("Your recipes", recipes.filter((one) => !one.bundled)),
    group("Bundled recipes", recipes.filter((one) => one.bundled)),
  ].filter(Boolean));
}

/** What the run will take. */
function expected({ expected, plan }) {
  if (!plan) return [];
  const { size, steps, seconds } = expected ?? {};
  const facts = [size && `${size[0]} \u00d7 ${size[1]}`, steps && count(steps, "step"), seconds && `about ${duration(seconds)}`].filter(Boolean);
  const fetched = (plan.weights ?? []).filter((line) => line.includes("to be fetched"));
  const lines = [facts.join(" \u00b7 "), seconds ? "" : "time unknown: no similar run was made here yet", ...(fetched.length ? fetched : ["nothing to download"])];
  return [h("ul", {}, lines.filter(Boolean).map((line) => h("li", {}, line)))];
}
