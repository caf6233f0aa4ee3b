// A new run: a recipe, what is changed in it, and what it will take; by form, by text, and as a graph.

import { path, post } from "./api.js";
import { asked, begin, draft, ownFile } from "./draft.js";
import { editor } from "./editor.js";
import { coded, h, once, refill, renew } from "./element.js";
import { expected } from "./expected.js";
import { form } from "./form.js";
import { graph } from "./graph.js";
import { lately } from "./lately.js";
import { notice, say, trying, why as reasons } from "./notices.js";
import { origin } from "./origin.js";
import { presets } from "./presets.js";
import { problems } from "./problems.js";
import { prompt } from "./prompt.js";
import { seed, seeds } from "./seed.js";
import { hear } from "./stream.js";
import { tabs } from "./tabs.js";
import { count } from "./words.js";

const WAIT = 300;

export function composer(view, _, signal) {
  const from = origin(take, signal),
    words = prompt(set),
    text = editor(write, () => keep());
  const switches = h("div", { class: "presets" }),
    dice = h("div", { class: "seed" }),
    takes = h("div", { class: "expected" }),
    why = h("p", { class: "fault", role: "alert" });
  const mistakes = h("div", { role: "alert" }),
    above = h("div", {}, mistakes),
    below = h("div");
  const settings = h("div"),
    over = h("div"),
    drawn = h("div");
  const start = h(
    "button",
    {
      class: "main",
      disabled: true,
      "aria-keyshortcuts": "Control+Enter",
      title: "Start (Ctrl+Enter)",
      onclick: () => run(),
    },
    "Start",
  );
  const parts = tabs({ Settings: settings, Text: [over, text.element, below], Graph: drawn }, (name) => {
    (name === "Text" ? below : above).append(mistakes); // beside what they are about, and without moving it
    if (name === "Text") text.shown();
  });
  const node = { node: null };
  let filled = null,
    isFit = false,
    waits = 0,
    asking = new AbortController();

  function take(source) {
    begin(source);
    words.clear();
    isFit = false; // until what is written belongs to a recipe
    switches.inert = settings.inert = true; // which are of the other one still
    ready();
    anew();
  }

  function set(name, value) {
    if (value === undefined) delete draft.set[name];
    else draft.set[name] = value;
    later();
  }

  function write(value) {
    draft.text = value;
    later();
  }

  /** Put what was written into the recipe's own file. */
  const keep = once(async () => {
    const { text: written, was } = draft,
      recipe = ownFile();
    if (written === null) return; // it is kept already
    const saved = await trying(() => post("/api/saved", { recipe, text: written, was }));
    if (!saved) return;
    notice(`Saved in ${recipe}.`);
    if (ownFile() !== recipe) return;
    if (draft.text === written) draft.text = null;
    draft.was = written;
    look();
  });

  function later() {
    clearTimeout(waits);
    waits = setTimeout(look, WAIT);
  }

  /** Look anew, also at what the form shows. */
  function anew() {
    filled = null;
    look();
  }

  async function look() {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    takes.classList.add("old");
    if (!takes.firstChild) takes.append("Opening the recipe \u2026");
    await trying(async () => {
      const made = await opened(signal).catch((fault) => gone(fault, signal));
      if (made) show(made);
    });
  }

  /** The draft's own source can't be opened. If it is no longer there, the first recipe is shown, unless a text was
   * written, which is kept. */
  async function gone(fault, signal) {
    if (!("status" in fault)) throw fault;
    if (fault.status !== 404 || draft.text !== null) return left(fault);
    begin();
    from.list();
    notice(`${fault.message}. The first recipe is open instead.`, { bad: true });
    return opened(signal);
  }

  /** There is no more to say than why, and of a text where it is. */
  function left(fault) {
    const next = "What you wrote is still under Text: save it as a new file, or choose another recipe.";
    isFit = false;
    ready();
    if (draft.text !== null) text.fill(draft.text);
    text.offer(null);
    takes.classList.remove("old");
    takes.replaceChildren(
      h("p", { class: "how bad" }, coded(reasons(fault))),
      h("p", { class: "soft" }, draft.text !== null && next),
    );
  }

  /** A run can start unless its recipe or a field is wrong; of a field that is said beside the button. */
  function ready() {
    const wrong = view.querySelector("[data-fault]")?.dataset;
    start.disabled = !isFit || Boolean(wrong);
    refill(why, wrong ? `Can't start yet. ${wrong.name}: ${wrong.fault}` : "", (said) => [said]);
  }

  function show(made) {
    takes.classList.remove("old");
    const now = JSON.stringify([draft.source, made.text, draft.presets]);
    from.fill(made);
    if (made.form && now !== filled) fill(made);
    else if (!made.form && filled === null) empty(made);
    if (made.form) filled = now;
    if (draft.text === null) draft.was = made.text;
    text.fill(draft.text ?? made.text ?? "");
    text.offer(draft.text !== null && draft.text !== draft.was && ownFile());
    text.mark(made.problems.filter((one) => one.file === made.file));
    blame(made.problems);
    isFit = !made.problems.length;
    ready();
    takes.replaceChildren(...expected(made));
    renew(over, ...overriding());
    renew(
      drawn,
      made.graph
        ? graph(made.graph, made.nodes, node)
        : h("p", { class: "soft" }, "A recipe with mistakes has no graph."),
    );
  }

  /** What is kept while the user changes values: the form itself. */
  function fill(made) {
    switches.inert = settings.inert = false;
    words.fill(made.form, draft.set);
    renew(switches, ...presets(made.presets, look));
    renew(dice, ...seed(draft.set.seed ?? own(made), set));
    const isOpen = settings.querySelector("details")?.open;
    renew(settings, form(made.form, draft.set, set, [words.name, "seed"], isOpen));
  }

  /** Of a recipe that can't be read there is no form yet. */
  function empty(made) {
    switches.inert = settings.inert = false;
    words.fill({}, {});
    renew(switches, ...presets(made.presets, look));
    dice.replaceChildren();
    settings.replaceChildren(h("p", { class: "soft" }, "A recipe with mistakes has no form: fix them in its text."));
  }

  /** Show mistakes, and in the form those that it made; a field that is wrong in itself goes on saying so. */
  function blame(found) {
    const go = (problem) => {
      parts.show("Text");
      text.go(problem);
    };
    refill(mistakes, found, () => problems(found, go));
    for (const fault of settings.querySelectorAll(".field:not([data-fault]) .fault")) {
      const { name } = fault.closest("[data-name]").dataset;
      fault.textContent = found.find((one) => one.given === name)?.message ?? "";
    }
  }

  /** What the form changes stands over the text. */
  function overriding() {
    const names = Object.keys(draft.set);
    const discard = () => {
      draft.set = {};
      anew();
    };
    const button = h("button", { class: "quiet link", onclick: discard }, "Discard these changes");
    return names.length
      ? [h("p", { class: "soft" }, `The form overrides the text: ${names.join(", ")}. `, button)]
      : [];
  }

  const run = once(async () => {
    if (start.disabled) return;
    const one = asked();
    const begun = [];
    await trying(async () => {
      for (const another of draft.count > 1 ? seeds(own(await post("/api/opened", one))) : [{}]) {
        const made = post("/api/runs", { ...one, set: { ...one.set, ...another } });
        begun.push((await made.catch((fault) => refused(fault, begun.length, another.seed))).name);
      }
    });
    if (!begun.length) return;
    say(`${count(begun.length, "run")} in the queue.`);
    if (!signal.aborted) location.hash = begun.length > 1 ? "#/runs" : `#/run/${path(begun[0])}`;
  });

  /** Of several runs the first are started already: say which are not. */
  function refused(fault, started, seed) {
    if (started) fault.message = `${count(started, "run")} started; from seed ${seed} on none: ${fault.message}`;
    throw fault;
  }

  view.replaceChildren(
    h(
      "div",
      { class: "composer", oninput: ready },
      h("h1", { class: "unseen" }, "A new picture"),
      from.element,
      words.element,
      h("div", { class: "line" }, switches, dice, start),
      why,
      takes,
      above,
      parts.element,
      lately(signal),
    ),
  );
  const startByKey = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && run();
  addEventListener("keydown", startByKey, { signal });
  hear("again", () => (from.list(), look()), signal);
  addEventListener("pagehide", asked, { signal }); // which keeps what was written last
  signal.addEventListener("abort", () => {
    clearTimeout(waits);
    asking.abort();
    asked();
  });
  look();
  return { title: "New", prompt: words.element };
}

/** What the studio says of the draft. */
const opened = (signal) => post("/api/opened", asked(), signal);

/** The seed of a recipe that was opened; nothing of one with mistakes. */
const own = (made) => made.form?.properties.seed.default;
