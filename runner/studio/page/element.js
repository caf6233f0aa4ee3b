// Elements, made from values: texts are always set as text, never as markup.

/**
 * An element: `h("a", {href, class: "x", onclick}, "text", child)`. Attributes that are null or false are left out.
 * @param {string} tag
 * @param {Record<string, any>} attributes
 * @param {...any} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return made;
}

/** A text, with what stands between backticks as code. */
export const coded = (text) => text.split("`").map((piece, at) => (at % 2 ? h("code", {}, piece) : piece));

/** A text of the documentation: paragraphs. */
export const prose = (text) => text.split(/\n\s*\n/).map((one) => h("p", {}, coded(one.replace(/\s+/g, " "))));

const MARKS = ["name", "href", "data-node", "aria-label"];

/** What finds an element again among those that replace it, by its name, address or label. */
function like(element) {
  const mark = element.type === "radio" ? "value" : MARKS.find((one) => element.hasAttribute(one));
  return mark && `${element.localName}[${mark}="${CSS.escape(element.getAttribute(mark))}"]`;
}

const FOCUSED = "a[href], button, input, select, textarea, summary, [tabindex]";

/** The focus of what is no longer there goes to the first that can have it in a place, or else near it. */
function focusIn(place) {
  const able = [...place.querySelectorAll(FOCUSED)].find(
    (one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility(),
  );
  if (able) able.focus({ preventScroll: true });
  else if (place.parentElement) focusIn(place.parentElement);
}

/** Take an element away; its focus goes to what was beside it. */
export function remove(element) {
  const had = element.contains(document.activeElement);
  const near = element.nextElementSibling ?? element.previousElementSibling ?? element.parentElement;
  element.remove();
  if (had) focusIn(near);
}

/** Put others in place of what is in a box while somebody may be writing there: what has the focus keeps it, and what
 * was typed; if it is gone, the focus stays near. */
export function renew(box, ...children) {
  const before = box.contains(document.activeElement) ? document.activeElement : null;
  const isAllSelected = before?.value && String(getSelection()) === before.value;
  box.replaceChildren(...children);
  if (!before) return;
  const after = like(before) && box.querySelector(like(before));
  if (!after || after.disabled) return focusIn(box);
  after.focus({ preventScroll: true });
  if (!after.matches("input:not([type=checkbox], [type=radio]), textarea")) return;
  const isTyped = before.value !== before.defaultValue && before.value !== after.value;
  if (isTyped) after.value = before.value;
  if (isAllSelected) after.select(); // a field for numbers doesn't tell where its caret is
  else if (before.selectionStart != null) after.setSelectionRange(before.selectionStart, before.selectionEnd);
  if (isTyped) after.dispatchEvent(new Event("input", { bubbles: true }));
}

const values = new WeakMap();

/** Have in a box what is made of these values; it stays as it is, with what is played, selected and scrolled in it,
 * while they are the same. */
export function refill(box, of, make) {
  const now = JSON.stringify(of);
  if (values.has(box) && values.get(box) === now) return;
  values.set(box, now);
  renew(box, ...make(of));
}

let numbers = 0;

/** An id that no other element has, for labels and descriptions. */
export const fresh = (name = "e") => `${name}-${++numbers}`;

/** A part of a report, which the studio itself made as HTML, everything in it escaped. */
export function part(html, attributes = {}) {
  const made = h("div", attributes);
  made.innerHTML = html ?? "";
  for (const button of made.querySelectorAll("button[data-copies]")) button.hidden = false;
  return made;
}

/** Call no more often than once in so many milliseconds, and not while a call is at work; the last is never lost. */
export function seldom(milliseconds, call) {
  let busy = false,
    again = false;
  return async () => {
    again = true;
    if (busy) return;
    busy = true;
    while (again) {
      again = false;
      await Promise.allSettled([call(), new Promise((over) => setTimeout(over, milliseconds))]);
    }
    busy = false;
  };
}

/** Call unless the last call is still at work: who clicks twice means it once. */
export function once(call) {
  let busy = false;
  return async (...given) => {
    if (busy) return;
    busy = true;
    try {
      await call(...given);
    } finally {
      busy = false;
    }
  };
}
