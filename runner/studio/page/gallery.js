// All runs and sweeps, the newest first: searched, filtered, loaded as they are scrolled to, chosen to be compared.

import { get, path } from "./api.js";
import { fresh, h } from "./element.js";
import { trying } from "./notices.js";
import { hear } from "./stream.js";
import { STATES, ago, count } from "./words.js";

const PAGE = 60;
const WAIT = 200;
const chosen = new Set();

/** The address of a thumbnail of so many pixels. */
const sized = (address, side) => (address.includes("side=") ? address.replace(/side=\d+/, `side=${side}`) : address);

/** What a run is called: by its prompt, or else by its recipe. */
export const called = (run) => run.prompt || run.recipe || run.name.split("/").at(-1);

function badge(run) {
  if (run.kind === "sweep") return h("span", { class: "badge" }, count(Object.values(run.cells ?? {}).reduce((sum, one) => sum + one, 0), "run"));
  return run.state !== "finished" && h("span", { class: `badge ${run.state}` }, STATES[run.state] ?? run.state);
}

/** A tile for each run; they can be chosen if `pick` is given, which is then called. */
export function tiles(runs, pick) {
  return runs.map((run) => tile(run, pick));
}

function tile(run, pick) {
  const id = fresh("tile");
  const shown = run.picture
    ? h("img", { src: sized(run.picture, 384), alt: "", loading: "lazy", decoding: "async" })
    : h("div", { class: "none" }, STATES[run.state] ?? run.state);
  const facts = [run.recipe, run.began && ago(run.began)].filter(Boolean).join(" \u00b7 ");
  return h("article", { class: run.kind === "sweep" ? "tile stack" : "tile", "data-name": run.name },
    h("a", { href: `#/run/${path(run.name)}`, id }, h("div", { class: "frame" }, shown, badge(run)),
      h("p", { class: "title" }, called(run)), h("p", { class: "soft" }, facts)),
    pick && run.kind !== "sweep" && h("input", { type: "checkbox", class: "pick", "aria-label": `Choose ${called(run)} to compare`, checked: chosen.has(run.name),
      onchange: ({ target }) => { target.checked ? chosen.add(run.name) : chosen.delete(run.name); pick(); } }));
}

export function gallery(view, _, signal) {
  const grid = h("div", { class: "tiles", onkeydown: arrows });
  const said = h("p", { class: "soft", role: "status" });
  const search = h("input", { type: "search", id: "search", placeholder: "Search prompts, recipes, names", "aria-label": "Search", "aria-keyshortcuts": "/", oninput: later });
  const state = h("select", { "aria-label": "State", onchange: again },
    [["", "All states"], ...Object.entries(STATES)].map(([value, name]) => h("option", { value }, name)));
  const end = h("div", { class: "end" });
  const bar = h("div", { class: "picked", role: "region", "aria-label": "Chosen runs", hidden: true });
  let next = null, waits = 0, asking = new AbortController(), loading = false;

  function later() { clearTimeout(waits); waits = setTimeout(again, WAIT); }

  async function again() {
    asking.abort();
    asking = new AbortController();
    next = "";
    loading = false;
    await more(true);
  }

  async function more(anew = false) {
    if (loading || next === null) return;
    loading = true;
    const asked = new URLSearchParams({ search: search.value, state: state.value, limit: PAGE, ...(next ? { before: next } : {}) });
    const mine = asking;
    const answer = await trying(() => get(`/api/runs?${asked}`, mine.signal));
    if (!answer || mine !== asking) return;
    loading = false;
    next = answer.next;
    const made = tiles(answer.runs, pick);
    anew ? grid.replaceChildren(...made) : grid.append(...made);
    const found = search.value || state.value;
    said.textContent = answer.total ? count(answer.total, found ? "match" : "run").replace("matchs", "matches") + (answer.complete ? "" : ", still counting")
      : found ? "Nothing matches." : "There are no runs yet.";
    if (next !== null && end.getBoundingClientRect().top < innerHeight * 2) more();
  }

  function pick() {
    bar.hidden = !chosen.size;
    bar.replaceChildren(h("span", {}, `${count(chosen.size, "run")} chosen`),
      h("button", { class: "main", disabled: chosen.size < 2, "aria-keyshortcuts": "c", onclick: compare }, "Compare"),
      h("button", { class: "quiet", onclick: () => { chosen.clear(); for (const box of grid.querySelectorAll(".pick")) box.checked = false; pick(); } }, "Clear"));
  }

  function compare() {
    if (chosen.size < 2) return;
    location.hash = `#/compare/${[...chosen].map(encodeURIComponent).join("/")}`;
    chosen.clear();
  }

  /** A run that is new comes first, one that is known is shown as it is now. */
  function renew(run) {
    const old = [...grid.children].find((one) => one.dataset.name === run.name);
    const focused = old?.contains(document.activeElement);
    const made = tile(run, pick);
    if (old) old.replaceWith(made);
    else if (!search.value && !state.value && !run.name.includes("/runs/")) grid.prepend(made); // a sweep's own runs are in it
    if (focused) made.querySelector("a").focus();
  }

  view.replaceChildren(h("div", { class: "gallery" },
    h("div", { class: "line top" }, h("h1", {}, "Runs"), said, search, state), grid, end, bar));
  new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more(), { rootMargin: "100% 0px" }).observe(end);
  hear("run", renew, signal);
  hear("gone", ({ name }) => [...grid.children].find((one) => one.dataset.name === name)?.remove(), signal);
  hear("again", again, signal);
  addEventListener("keydown", (event) => event.key === "c" && !event.target.matches("input:not([type=checkbox]), textarea") && !event.ctrlKey && !event.metaKey && compare(), { signal });
  pick();
  again();
  return { title: "Runs", search };
}

/** Arrows go from tile to tile. */
function arrows(event) {
  const links = [...event.currentTarget.querySelectorAll(".tile > a")];
  const at = links.indexOf(document.activeElement?.closest(".tile")?.querySelector("a"));
  if (at < 0) return;
  const across = links.filter((link) => link.getBoundingClientRect().top === links[0].getBoundingClientRect().top).length;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + across, ArrowUp: at - across, Home: 0, End: links.length - 1 }[event.key];
  if (to === undefined || !links[to]) return;
  event.preventDefault();
  links[to].focus();
}
