// A run: its picture, large, while it appears and when it is done; how far it is, what it costs, where it may go.

import { get, path, post } from "./api.js";
import { begin } from "./draft.js";
import { h, part, seldom } from "./element.js";
import { exhibit, exhibits } from "./exhibit.js";
import { graph } from "./graph.js";
import { icon } from "./icon.js";
import { live } from "./live.js";
import { notice, say, trying } from "./notices.js";
import { steering } from "./steering.js";
import { hear } from "./stream.js";
import { sweep } from "./sweep.js";
import { STATES, duration, left, progress } from "./words.js";

const CHARTS = 1000;
const GOING = ["running", "queued"];

export function run(view, name, signal) {
  const at = `/api/runs/${path(name)}`;
  const stage = h("div", { class: "stages" });
  const head = h("div"), state = h("div", { class: "state" }), notes = h("div"), course = h("div"), buttons = h("div", { class: "line buttons" });
  const charts = h("section", { class: "below charts" }), rest = h("div", { class: "below" });
  const wanted = {}; // what is to be steered, kept while the run goes on
  let told = null, shown = null, turn = 0;

  const drawCharts = seldom(CHARTS, async () => {
    if (signal.aborted || document.hidden) return;
    const html = await get(`${at}/charts`, signal).catch(() => "");
    if (html) charts.replaceChildren(h("h2", {}, "Loss"), part(html));
  });

  /** Everything anew: when the run is opened, and when its state has changed. */
  async function look() {
    const mine = ++turn;
    told = await get(at, signal);
    if (mine !== turn) return;
    if (told.kind === "sweep") return sweep(view, told, signal);
    if (!head.firstChild) head.append(h("h1", {}, told.recipe), h("p", { class: "prompt" }, told.prompt));
    picture();
    controls();
    stand(told.place);
    notes.replaceChildren(...warnings(told.notes));
    course.replaceChildren(...[steering(told, wanted)].filter(Boolean));
    await report(() => mine === turn);
  }

  /** What takes longer: the parts of its report, and its graph. */
  async function report(current) {
    const { parts } = await get(`${at}/report`, signal).catch(() => ({ parts: {} }));
    if (!current()) return;
    if (parts.head) head.replaceChildren(part(parts.head));
    if (GOING.includes(told.state)) drawCharts();
    else charts.replaceChildren(part(parts.losses));
    const drawn = await get(`${at}/graph`, signal).catch(() => null);
    if (current()) rest.replaceChildren(part(parts.snapshots), ...(drawn ? [h("h2", {}, "Nodes and wires"), graph(drawn.svg, drawn.nodes)] : []),
      part(parts.recipe), part(parts.facts));
  }

  function picture() {
    if (GOING.includes(told.state)) {
      shown ??= live(`The picture of ${told.prompt || told.recipe}, as it is now`);
      if (told.live) shown.show(told.live);
      if (stage.firstChild !== shown.element) stage.replaceChildren(shown.element);
    } else {
      shown = null;
      const made = exhibits(told.files, told.prompt || told.recipe);
      const last = told.live ?? told.picture;
      stage.replaceChildren(...(made.length ? made : [last ? exhibit({ kind: "picture", file: "", address: last }, "The picture as it was when the run stopped") : h("div", { class: "none" }, "No picture")]));
    }
  }

  /** How far it is. */
  function stand(place) {
    const took = told.state === "finished" && told.seconds ? ` in ${duration(told.seconds)}` : "";
    const going = told.state === "running", finished = told.state === "finished";
    const lines = finished ? [] : [progress(place), [going && left(place), place?.loss != null && `loss ${place.loss.toPrecision(4)}`].filter(Boolean).join(", ")];
    const done = share(place, told.optimizers);
    const bar = GOING.includes(told.state) && h("progress", { value: done, max: 1, "aria-label": "Progress" });
    state.replaceChildren(...[h("p", { class: `how ${told.state === "failed" || told.state === "damaged" ? "bad" : "live"}` },
      h("b", {}, STATES[told.state] + took), lines.map((line) => h("span", { class: "message" }, line)), told.message && !finished && h("span", { class: "message" }, told.message), bar)].filter(Boolean));
    icon(going ? done : null);
    document.title = `${going && done != null ? `${Math.floor(100 * done)} % \u00b7 ` : ""}${told.prompt || told.recipe} \u00b7 t2iflow studio`;
    if (going && done != null) say(`${10 * Math.floor(10 * done)} percent`);
  }

  function controls() {
    const act = (what, title, key) => told.may.includes(what) && h("button", { class: what === "stop" ? "main" : "", "aria-keyshortcuts": key, title: `${title} (${key})`, onclick: () => doing(what) }, title);
    buttons.replaceChildren(...[act("stop", "Stop", "s"), act("resume", "Resume", "r"),
      h("button", { onclick: again }, "New from this"),
      told.command && told.state !== "finished" && h("button", { class: "quiet", title: told.command, onclick: copy }, "Copy the command")].filter(Boolean));
  }

  async function doing(what) {
    if (!told?.may.includes(what)) return;
    if (await trying(() => post(`${at}/${what}`)) !== undefined) say({ stop: "Stopping.", resume: "Resumed." }[what]);
  }

  function again() {
    begin({ run: name }, `from ${told.prompt || told.recipe}`);
    location.hash = "#/";
  }

  async function copy() {
    await navigator.clipboard.writeText(told.command);
    notice(`Copied: ${told.command}`);
  }

  view.replaceChildren(h("div", { class: "run" },
    stage, h("aside", { class: "panel", "aria-label": "The run" }, head, state, buttons, notes, course), charts, rest));

  const look_ = () => trying(async () => {
    try {
      await look();
    } catch (fault) {
      if (told || fault.status !== 404) throw fault;
      view.replaceChildren(h("p", { class: "how bad" }, `There is no run ${name}. `, h("a", { href: "#/runs" }, "All runs")));
    }
  });
  hear("run", (fresh) => fresh.name === name && (!told || fresh.state !== told.state) && look_(), signal);
  hear("again", look_, signal);
  hear("gone", (gone) => gone.name === name && notice("This run's folder was deleted.", { bad: true }), signal);
  hear("picture", ({ name: of, address }) => of === name && shown?.show(address), signal);
  hear("note", (note) => note.name === name && note.level === "warn" && notes.append(h("p", { class: "how warn" }, `${note.node}: ${note.text}`)), signal);
  hear("step", (step) => {
    if (step.name !== name || !told) return;
    told.place = step;
    if (told.state === "running") stand(step);
    drawCharts();
  }, signal);
  addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "s") doing("stop");
    if (event.key === "r") doing("resume");
  }, { signal });
  signal.addEventListener("abort", () => icon(null));
  look_();
  return { title: "Run" };
}

/** How much of all steps is done, from 0 to 1; null where that is not known. */
function share(place, optimizers = []) {
  const at = optimizers.findIndex(({ node }) => node === place?.node);
  const sum = (some) => some.reduce((steps, one) => steps + one.steps, 0);
  return at < 0 ? null : Math.min((sum(optimizers.slice(0, at)) + place.step + 1) / sum(optimizers), 1);
}

/** What nodes warn of, each once. */
function warnings(notes = []) {
  const texts = notes.filter(({ level }) => level === "warn").map(({ node, text }) => `${node}: ${text}`);
  return [...new Set(texts)].map((text) => h("p", { class: "how warn" }, text));
}
