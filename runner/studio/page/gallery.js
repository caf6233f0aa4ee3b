// All runs and sweeps, the newest first: searched, filtered, loaded as they are scrolled to, chosen to be compared. Who
// comes back finds all that as it was: the browser keeps it with the address.

import { get } from "./api.js";
import { choosing } from "./choosing.js";
import { h, remove, renew } from "./element.js";
import { trying } from "./notices.js";
import { hear } from "./stream.js";
import { tile, tiles } from "./tile.js";
import { STATES, count } from "./words.js";

const PAGE = 60;
const WAIT = 200;
const MOST = 500;
const RECOUNT = 1000;

export function gallery(view, _, signal) {
  let before = history.state?.gallery ?? null;
  const grid = h("div", { class: "tiles", onkeydown: arrows, onclick: keep });
  const said = h("p", { class: "soft", role: "status" });
  const search = h("input", {
    type: "search",
    id: "search",
    placeholder: "Search prompts, recipes, names",
    "aria-label": "Search",
    "aria-keyshortcuts": "/",
    value: before?.search,
    oninput: later,
  });
  const state = h(
    "select",
    { "aria-label": "State", onchange: again },
    [["", "All states"], ...Object.entries(STATES)].map(([value, name]) =>
      h("option", { value, selected: value === before?.state }, name),
    ),
  );
  const nothing = h("div", { class: "nothing", hidden: true });
  const end = h("div", { class: "end" });
  const chosen = choosing(signal, before?.chosen, keep);
  let sought = { search: "", state: "" },
    next = null,
    waits = 0,
    recounts = 0,
    asking = new AbortController(),
    loading = false;

  /** What is shown, as the browser keeps it. */
  function standing() {
    const opened = document.activeElement.closest(".tile")?.dataset.name;
    return { ...sought, chosen: chosen.names(), loaded: grid.children.length, top: scrollY, opened };
  }

  function later() {
    clearTimeout(waits);
    waits = setTimeout(again, WAIT);
  }

  async function again() {
    asking.abort();
    asking = new AbortController();
    sought = { search: search.value, state: state.value };
    next = "";
    loading = false;
    await more(true);
  }

  async function more(anew = false) {
    if (loading || next === null) return;
    loading = true;
    const mine = asking;
    const limit = Math.max(PAGE, Math.min(before?.loaded ?? 0, MOST));
    const answer = await trying(() => asked({ limit, ...(next ? { before: next } : {}) }));
    if (mine !== asking) return;
    loading = false;
    if (!answer) return;
    next = answer.next;
    const made = tiles(answer.runs, chosen);
    anew ? renew(grid, ...made) : grid.append(...made);
    tell(answer);
    awaitRest(answer);
    restore();
    keep();
    if (isNear()) more();
  }

  /** Let the browser keep what is shown, with this address. */
  function keep() {
    if (!signal.aborted) history.replaceState({ gallery: standing() }, "");
  }

  /** Go to where one was, once. */
  function restore() {
    if (!before) return;
    scrollTo(0, before.top);
    const opened = at(before.opened);
    if (!opened?.contains(document.activeElement)) opened?.querySelector("a").focus({ preventScroll: true });
    before = null;
  }

  const isSearch = () => sought.search !== "" || sought.state !== "";
  const isNear = () => end.getBoundingClientRect().top < 2 * innerHeight;
  const asked = (more) => get(`/api/runs?${new URLSearchParams({ ...sought, ...more })}`, asking.signal);

  /** How many there are is known later than which are the newest; and of a search, all that it finds. */
  function awaitRest(answer) {
    clearTimeout(recounts);
    if (!answer.complete) soon(RECOUNT);
  }

  function soon(wait = WAIT) {
    clearTimeout(recounts);
    recounts = setTimeout(recount, wait);
  }

  async function recount() {
    if (loading) return soon();
    const mine = asking;
    const limit = Math.max(PAGE, Math.min(grid.children.length, MOST));
    const answer = await trying(() => asked({ limit }));
    if (!answer || mine !== asking) return;
    tell(answer);
    if (!loading && grid.children.length <= limit) fill(answer);
    awaitRest(answer);
  }

  /** Show what is new or was found since, in its place, and leave what is shown already. */
  function fill(answer) {
    const known = new Map([...grid.children].map((one) => [one.dataset.name, one]));
    next = answer.next; // which may have been unknown when the last part was asked for
    if (!answer.runs.every(({ name }) => known.has(name)))
      renew(grid, ...answer.runs.map((run) => known.get(run.name) ?? tile(run, chosen)));
    if (isNear()) more();
  }

  function tell(answer) {
    said.textContent = counted(answer);
    nothing.hidden = answer.total > 0 || !answer.complete;
    renew(nothing, ...(isSearch() ? unfound() : [h("p", {}, "What you make appears here. "), first()]));
  }

  const first = () => h("a", { href: "#/" }, "Make a first picture");

  function unfound() {
    const all = () => {
      search.value = state.value = "";
      search.focus();
      again();
    };
    const text = search.value && `\u201c${search.value}\u201d`;
    const words = [text, state.value && STATES[state.value]].filter(Boolean).join(" and ");
    return [h("p", {}, `No run has ${words}.`), h("button", { name: "all", onclick: all }, "Show all runs")];
  }

  function counted(answer) {
    const found = isSearch();
    return answer.total
      ? count(answer.total, found ? "match" : "run").replace("matchs", "matches") +
          (answer.complete ? "" : ", still counting")
      : found
        ? answer.complete
          ? "Nothing matches."
          : "Still looking \u2026"
        : "There are no runs yet.";
  }

  const at = (name) => [...grid.children].find((one) => one.dataset.name === name);

  /** A run that is known is shown as it is now, another one where it belongs. */
  function put(run) {
    const old = at(run.name);
    if (old && sought.state && run.state !== sought.state) drop(run);
    else if (old) renew(old, ...tile(run, chosen).children);
    else if (!run.name.includes("/runs/")) soon(); // a sweep's own runs are in it
  }

  function drop({ name }) {
    if (at(name)) remove(at(name));
    soon();
  }

  view.replaceChildren(
    h(
      "div",
      { class: "gallery" },
      h("div", { class: "line top" }, h("h1", {}, "Runs"), said, search, state),
      grid,
      nothing,
      end,
      chosen.bar,
    ),
  );
  addEventListener("scroll", () => isNear() && more(), { signal, passive: true });
  addEventListener("scrollend", keep, { signal });
  hear("run", put, signal);
  hear("gone", drop, signal);
  hear("again", () => ((before = standing()), again()), signal);
  signal.addEventListener("abort", () => {
    clearTimeout(waits);
    clearTimeout(recounts);
    asking.abort();
  });
  again();
  return { title: "Runs", search };
}

/** Arrows go from tile to tile. */
function arrows(event) {
  const links = [...event.currentTarget.querySelectorAll(".tile > a")];
  const at = links.indexOf(document.activeElement?.closest(".tile")?.querySelector("a"));
  if (at < 0) return;
  const across = links.filter(
    (link) => link.getBoundingClientRect().top === links[0].getBoundingClientRect().top,
  ).length;
  const to = {
    ArrowRight: at + 1,
    ArrowLeft: at - 1,
    ArrowDown: at + across,
    ArrowUp: at - across,
    Home: 0,
    End: links.length - 1,
  }[event.key];
  if (to === undefined || !links[to]) return;
  event.preventDefault();
  links[to].focus();
}
