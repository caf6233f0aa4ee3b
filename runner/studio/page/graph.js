// The nodes and wires of a recipe; a click on a node shows its settings, and what they mean.

import { get } from "./api.js";
import { h, prose } from "./element.js";
import { trying } from "./notices.js";
import { grouped, written } from "./words.js";

let adopted = false;

/**
 * @param {string} svg the drawing, made by the studio
 * @param {Record<string, {use: string, settings: Record<string, any>}>} nodes
 * @param {{node: string | null}} opened which node is shown, which outlives the drawing
 */
export function graph(svg, nodes, opened) {
  const about = h(
    "div",
    { class: "node", "aria-live": "polite" },
    h("p", { class: "soft" }, "Click a node, or Tab to it and press Enter, to see its settings."),
  );
  const plain = svg.replace(/<style>(.*?)<\/style>/s, (_, style) => (adopt(style), ""));
  const drawn = new DOMParser().parseFromString(plain, "image/svg+xml").documentElement;
  drawn.setAttribute("role", "group");
  for (const card of drawn.querySelectorAll("[data-node]")) {
    const name = card.dataset.node;
    if (!nodes[name]) continue; // made while compiling: no recipe names it
    card.querySelector("title")?.remove(); // it says what a click shows
    card.lastElementChild.before(" "); // between its name and what it uses, where they are read
    card.setAttribute("tabindex", "0");
    card.setAttribute("role", "button");
    card.setAttribute("aria-label", `${name} ${nodes[name].use}`);
    const show = () => {
      for (const other of drawn.querySelectorAll(".chosen")) other.classList.remove("chosen");
      card.classList.add("chosen");
      opened.node = name;
      trying(async () => {
        const told = await get(`/api/nodes/${encodeURIComponent(nodes[name].use)}`);
        if (opened.node === name) node(about, name, nodes[name], told);
      });
    };
    card.addEventListener("click", show);
    card.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      show();
    });
    if (opened.node === name) show();
  }
  return h(
    "div",
    { class: "drawing" },
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Nodes and wires" }, drawn),
    about,
  );
}

/** The drawing's own style; in it, as part of a page, it isn't allowed. */
function adopt(text) {
  if (adopted) return;
  adopted = true;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

function node(about, name, { use, settings }, told) {
  const rows = told.settings.map((one) => [
    h("dt", {}, one.name),
    h(
      "dd",
      {},
      h(
        "code",
        { class: one.name in settings ? "own" : "" },
        written(one.name in settings ? settings[one.name] : one.default),
      ),
      h("small", {}, grouped(one.takes), one.keyframes && ", may be keyframed"),
    ),
  ]);
  about.replaceChildren(
    h("h3", {}, name),
    h("p", { class: "code" }, use),
    ...prose(told.doc || told.about || ""),
    h("dl", {}, rows),
  );
}
