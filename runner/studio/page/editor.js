// A recipe's text: a plain text area, and under its letters the same text in colours with its mistakes marked.

import { completion } from "./completion.js";
import { fresh, h } from "./element.js";

const TOKENS = /(#.*$)|("(?:[^"\\]|\\.)*"|'[^']*')|(\$\{[\w.-]+\}|\$[\w.-]+)|([\w-]+(?=:(?:\s|$)))/gm;
const KINDS = ["comment", "string", "reference", "key"];

/** A line in colours. */
function coloured(line) {
  const made = [];
  let at = 0;
  for (const found of line.matchAll(TOKENS)) {
    if (found[1] && found.index > 0 && !/\s/.test(line[found.index - 1])) continue; // no comment within a word
    made.push(line.slice(at, found.index), h("span", { class: KINDS[found.slice(1).findIndex(Boolean)] }, found[0]));
    at = found.index + found[0].length;
  }
  return [...made, line.slice(at)];
}

/** A line with a mistake: what is wrong is underlined, and said behind it. */
function marked(line, problem) {
  const from = Math.max(0, (problem.column ?? 1) - 1);
  const to = Math.max(from + 1, from + (problem.width ?? line.length - from));
  return [
    line.slice(0, from),
    h("span", { class: "wrong" }, line.slice(from, to) || " "),
    line.slice(to),
    h("span", { class: "said" }, `  ${problem.message}`),
  ];
}

/**
 * The editor: `fill(text)` unless the user has written in it, `mark(problems)`, `go(problem)`, `shown()`, and `offer()`
 * the name of the file in which the text can be kept, by `keep()`.
 * @param {(text: string) => void} changed
 * @param {() => void} keep
 */
export function editor(changed, keep) {
  const about = fresh("keys");
  const area = h("textarea", {
    class: "area",
    spellcheck: "false",
    wrap: "off",
    autocapitalize: "off",
    autocomplete: "off",
    "aria-label": "The recipe's text",
    "aria-describedby": about,
  });
  const paint = h("pre", { class: "paint", "aria-hidden": "true" });
  const gutter = h("pre", { class: "gutter", "aria-hidden": "true" });
  const box = h("div", { class: "code editor" }, gutter, h("div", { class: "sheet" }, paint, area));
  const own = h("button", { class: "quiet link", hidden: true, onclick: keep });
  let problems = [];
  const finishing = completion(area);

  function draw() {
    const lines = area.value.split("\n");
    const wrong = new Map(problems.filter((one) => one.line).map((one) => [one.line, one]));
    paint.replaceChildren(
      ...lines.flatMap((line, at) => [
        h("span", { class: "row" }, wrong.has(at + 1) ? marked(line, wrong.get(at + 1)) : coloured(line)),
        "\n",
      ]),
    );
    box.style.setProperty("--lines", String(lines.length));
    gutter.replaceChildren(
      ...lines.map((_, at) => h("span", { class: wrong.has(at + 1) ? "row bad" : "row" }, String(at + 1))),
    );
    area.setAttribute("aria-invalid", String(wrong.size > 0));
    scroll();
  }
  function scroll() {
    paint.style.transform = `translate(${-area.scrollLeft}px, ${-area.scrollTop}px)`;
    gutter.style.transform = `translateY(${-area.scrollTop}px)`;
  }
  area.addEventListener("scroll", scroll);
  area.addEventListener("input", () => {
    draw();
    changed(area.value);
  });
  area.addEventListener("keydown", (event) => {
    if (finishing.key(event)) return;
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) indent(event);
  });

  /** A new line begins below the one before it. */
  function indent(event) {
    const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
    const spaces = line.match(/^ */)[0] + (/:\s*$/.test(line) ? "  " : "");
    event.preventDefault();
    document.execCommand("insertText", false, `\n${spaces}`); // which can be undone
  }

  function save() {
    const address = URL.createObjectURL(new Blob([area.value], { type: "application/yaml" }));
    h("a", { href: address, download: "recipe.yaml" }).click();
    URL.revokeObjectURL(address);
  }

  return {
    element: h(
      "div",
      {},
      box,
      h(
        "div",
        { class: "line foot" },
        h(
          "p",
          { class: "soft", id: about },
          "Tab or Enter accepts a suggestion, Ctrl+Space shows them, Ctrl+Enter starts the run.",
        ),
        own,
        h("button", { class: "quiet link", onclick: save }, "Save as a new file"),
      ),
    ),
    fill(text) {
      if (area.value === text) return;
      area.value = text;
      draw();
    },
    offer(name) {
      if (!name && document.activeElement === own) area.focus();
      own.hidden = !name;
      own.textContent = `Save in ${name}`;
    },
    mark(found) {
      problems = found;
      draw();
    },
    go({ line, column }) {
      const before =
        area.value
          .split("\n")
          .slice(0, line - 1)
          .join("\n").length + (line > 1 ? 1 : 0);
      area.focus();
      area.setSelectionRange(before + column - 1, before + column - 1);
      area.scrollTop = Math.max(0, (line - 6) * parseFloat(getComputedStyle(area).lineHeight));
    },
    shown: () => {
      finishing.load();
      draw();
    },
  };
}
