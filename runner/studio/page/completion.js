// The list of what may stand where the caret is, under the caret; Tab or Enter takes the one that is chosen.

import { get } from "./api.js";
import { fresh, h } from "./element.js";
import { trying } from "./notices.js";
import { offers } from "./offers.js";

const SHOWN = 40;

/** For a text area, which hears of an offer that is written into it as of what is typed. */
export function completion(area) {
  const id = fresh("offers");
  const list = h("ul", { class: "offers", role: "listbox", id, "aria-label": "Suggestions", hidden: true });
  let schema,
    found = [],
    chosen = 0,
    isDue = false;
  area.setAttribute("aria-autocomplete", "list");
  area.addEventListener("input", (event) => event.inputType !== "insertReplacementText" && offer(false));
  area.addEventListener("blur", () => setTimeout(hide, 150));
  area.addEventListener("scroll", hide);
  area.addEventListener("click", hide);

  function hide() {
    list.hidden = true;
    area.removeAttribute("aria-activedescendant");
  }

  function offer(always) {
    isDue = !schema; // who writes before it is there is offered something then
    const last = area.value.slice(0, area.selectionStart).split("\n").at(-1);
    const worth = always || /[\w.$-]$|: $|[{,] $|^ +$/.test(last);
    found = schema && worth ? offers(schema, area.value, area.selectionStart, always).slice(0, SHOWN) : [];
    chosen = 0;
    if (!found.length) return hide();
    show();
  }

  function show() {
    if (!list.isConnected) area.parentElement.append(list);
    list.replaceChildren(
      ...found.map((one, at) =>
        h(
          "li",
          {
            role: "option",
            id: `${id}-${at}`,
            "aria-selected": String(at === chosen),
            onmousedown: (event) => {
              event.preventDefault();
              take(one);
            },
          },
          h("b", {}, one.text.replace(/: $/, "")),
          h("small", {}, one.about),
        ),
      ),
    );
    list.hidden = false;
    area.setAttribute("aria-controls", id);
    place();
    area.setAttribute("aria-activedescendant", `${id}-${chosen}`);
    list.children[chosen].scrollIntoView({ block: "nearest" });
  }

  /** Under the caret, or above it where there is no room: letters of the area are all of one width. */
  function place() {
    const style = getComputedStyle(area);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = style.font;
    const lines = area.value.slice(0, area.selectionStart).split("\n");
    const left = parseFloat(style.paddingLeft) + pen.measureText(lines.at(-1)).width - area.scrollLeft;
    const top = parseFloat(style.paddingTop) + lines.length * parseFloat(style.lineHeight) - area.scrollTop;
    list.style.left = `${Math.max(0, Math.min(left, area.clientWidth - 300))}px`;
    const below = top + 2 + list.offsetHeight <= area.clientHeight;
    list.style.top = `${below ? top + 2 : top - parseFloat(style.lineHeight) - list.offsetHeight - 2}px`;
  }

  function take({ text, typed }) {
    area.focus();
    area.setSelectionRange(area.selectionStart - typed.length, area.selectionStart);
    document.execCommand("insertText", false, text); // which can be undone
    hide();
  }

  return {
    load: () => {
      schema ??
        trying(async () => {
          schema = await get("/api/schema");
        if (isDue && document.activeElement === area) offer(false);
        });
    },
    /** Whether a key was for the list. */
    key(event) {
      if (event.key === " " && event.ctrlKey) return (event.preventDefault(), offer(true), true);
      if (list.hidden) return false;
      const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (move) ((chosen = (chosen + move + found.length) % found.length), show());
      else if (["Tab", "Enter"].includes(event.key) && !event.ctrlKey && !event.metaKey) take(found[chosen]);
      else if (event.key === "Escape") hide();
      else return false;
      event.preventDefault();
      event.stopPropagation();
      return true;
    },
  };
}
