// A run: its picture, large, while it appears and when it is done; how far it is, what it costs, where it may go.

import { get, path, post } from "./api.js";
import { begin } from "./draft.js";
import { coded, h, once, part, refill, renew, seldom } from "./element.js";
import { exhibit, exhibits } from "./exhibit.js";
import { graph } from "./graph.js";
import { icon } from "./icon.js";
import { isCommand } from "./keys.js";
import { live } from "./live.js";
import { notice, say, trying } from "./notices.js";
import { isGoing, standing } from "./standing.js";
import { asked, steering } from "./steering.js";
import { hear } from "./stream.js";
import { sweep } from "./sweep.js";

const CHARTS = 1000;
const SAID = { stop: "Stopping.", resume: "Resumed." };

export function run(view, name, signal) {
  const at = `/api/runs/${path(name)}`;
  const stage = h("div", { class: "stages" }),
    charts = h("section", { class: "below" }),
    rest = h("div", { class: "below" });
  const head = h("div"),
    state = h("div", { class: "state" }),
    buttons = h("div", { class: "line buttons" }),
    notes = h("div"),
    course = h("div");
  const wanted = asked(),
    opened = { node: null };
  let told = null,
    picture = null,
    turn = 0;

  const drawCharts = seldom(CHARTS, async () => {
    if (signal.aborted || document.hidden) return;
    const html = await get(`${at}/charts`, signal).catch(() => "");
    if (html && told && isGoing(told)) refill(charts, html, () => [h("h2", {}, "Loss"), part(html)]);
  });

  /** Everything anew: when the run is opened, and when its state has changed. */
  async function look() {
    if (told?.kind === "sweep") return; // which hears what becomes of it
    const mine = ++turn;
    const fresh = await get(at, signal);
    if (mine !== turn) return;
    told = fresh;
    if (told.kind === "sweep") return sweep(view, told, signal);
    if (!head.firstChild) head.append(h("h1", {}, told.recipe), h("p", { class: "prompt" }, told.prompt));
    showPicture();
    state.replaceChildren(standing(told));
    renew(buttons, ...controls());
    showNotes();
    await Promise.all([showCourse(() => mine === turn), report(() => mine === turn)]);
  }

  /** What can be steered; nothing while that is not known. */
  async function showCourse(isCurrent) {
    const may = told.may.includes("steer") || told.may.includes("fork");
    const found = may ? await get(`${at}/steerable`, signal).catch(() => null) : null;
    if (!isCurrent()) return;
    refill(course, [told.may, found], () => [found && steering({ ...told, ...found }, wanted, signal)].filter(Boolean));
  }

  /** What takes longer: the parts of its report, and its graph. */
  async function report(isCurrent) {
    const { parts } = await get(`${at}/report`, signal).catch(() => ({ parts: {} }));
    if (!isCurrent()) return;
    if (parts.head) refill(head, parts.head, () => [part(parts.head)]);
    if (isGoing(told)) drawCharts();
    else refill(charts, parts.losses, () => [part(parts.losses)]);
    const drawn = await get(`${at}/graph`, signal).catch(() => null);
    if (!isCurrent()) return;
    refill(rest, [parts.snapshots, drawn, parts.recipe, parts.facts], () => [
      part(parts.snapshots),
      ...(drawn ? [h("h2", {}, "Nodes and wires"), graph(drawn.svg, drawn.nodes, opened)] : []),
      part(parts.recipe),
      linked(part(parts.facts), told.files),
    ]);
  }

  const showNotes = () => notes.replaceChildren(...warnings(told.notes));

  function showPicture() {
    const what = told.prompt || told.recipe;
    if (!isGoing(told)) {
      picture = null;
      return refill(stage, [told.files, told.live, told.picture], () => made(told, what));
    }
    picture ??= live(`The picture of ${what}, as it is now`);
    picture.wait(told.state === "queued" ? "Its turn comes soon" : "The first picture is on its way");
    if (told.live) picture.show(told.live);
    const { element } = picture;
    if (stage.firstChild !== element) refill(stage, "live", () => [element]);
  }

  function controls() {
    const act = (what, title, key) => {
      const about = { "aria-keyshortcuts": key, title: `${title} (${key})` };
      return (
        told.may.includes(what) &&
        h("button", { ...about, name: what, class: what === "stop" ? "main" : "", onclick: () => doing(what) }, title)
      );
    };
    const again = () => {
      begin({ run: name }, `from ${told.prompt || told.recipe}`);
      location.hash = "#/";
    };
    const copy = () =>
      trying(async () => {
        await navigator.clipboard.writeText(told.command);
        notice(`Copied: ${told.command}`);
      });
    const command = h(
      "button",
      { name: "command", class: "quiet command", title: told.command, onclick: copy },
      "Copy command",
    );
    const all = [
      act("stop", "Stop", "s"),
      act("resume", "Resume", "r"),
      h("button", { name: "again", onclick: again }, "New from this"),
    ];
    return [...all, told.state !== "finished" && command].filter(Boolean);
  }

  /** Stop or resume; pressed again before that is answered, it is meant once. */
  const doing = once(async (what) => {
    if (!told?.may?.includes(what)) return;
    if ((await trying(() => post(`${at}/${what}`))) !== undefined) say(SAID[what]);
  });

  async function open() {
    try {
      await look();
    } catch (fault) {
      if (fault.status !== 404) throw fault;
      gone();
    }
  }

  /** Its folder is nowhere, or no longer. */
  function gone() {
    turn++; // what is still asked for is shown nowhere
    told = null;
    icon(null);
    document.title = "Run \u00b7 t2iflow studio";
    renew(
      view,
      h("h1", { class: "nowhere" }, "This run isn't here"),
      h(
        "p",
        {},
        `There is no folder ${name}; it may have been moved or deleted. `,
        h("a", { href: "#/runs" }, "All runs"),
      ),
    );
  }

  function listen() {
    const own = (handle) => (said) => said.name === name && handle(said);
    const anew = () => trying(open);
    hear(
      "run",
      own((fresh) => fresh.state !== told?.state && anew()),
      signal,
    );
    hear("again", anew, signal);
    hear(
      "gone",
      own(() => gone()),
      signal,
    );
    hear(
      "picture",
      own(({ address }) => picture?.show(address)),
      signal,
    );
    hear(
      "note",
      own((note) => {
        told?.notes.push(note);
        if (told) showNotes();
      }),
      signal,
    );
    hear(
      "step",
      own((step) => {
        if (!told) return;
        told.place = step;
        if (told.state === "running") state.replaceChildren(standing(told));
        drawCharts();
      }),
      signal,
    );
    addEventListener(
      "keydown",
      (event) => {
        if (!isCommand(event)) return;
        if (event.key === "s") doing("stop");
        if (event.key === "r") doing("resume");
      },
      { signal },
    );
    signal.addEventListener("abort", () => icon(null));
  }

  const panel = h("aside", { class: "panel", "aria-label": "The run" }, head, state, buttons, notes, course);
  view.replaceChildren(h("div", { class: "run" }, stage, panel, charts, rest));
  listen();
  trying(open);
  return { title: "Run" };
}

/** What a run has made; of one that was stopped, its picture as it was. */
function made(told, what) {
  const all = exhibits(told.files, what);
  const last = told.live ?? told.picture;
  if (all.length) return all;
  if (!last) return [h("div", { class: "none" }, "No picture")];
  return [exhibit({ kind: "picture", address: last }, "The picture as it was when the run stopped")];
}

/** The facts of a report, whose links lead to the run's files; to those that are not served there are none. */
function linked(facts, files) {
  const addresses = new Map(files.map(({ file, address }) => [file, address]));
  for (const link of facts.querySelectorAll("a")) {
    const address = addresses.get(link.textContent);
    if (address) Object.assign(link, { href: address, target: "_blank" });
    else link.replaceWith(link.textContent);
  }
  return facts;
}

/** What nodes warn of, each once. */
function warnings(notes = []) {
  const texts = notes.filter(({ level }) => level === "warn").map(({ node, text }) => `${node}: ${text}`);
  return [...new Set(texts)].map((text) => h("p", { class: "how warn" }, coded(text)));
}
