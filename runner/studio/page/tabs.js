// Tabs, of which one panel is shown; arrows move between them.

import { fresh, h } from "./element.js";

/** `panels` are by their titles; `shown(title)` is called when one is chosen. */
export function tabs(panels, shown = () => {}) {
  const made = Object.entries(panels).map(([title, content], at) => {
    const id = fresh("panel");
    const panel = h("div", { id, role: "tabpanel", "aria-label": title, hidden: at > 0 }, content);
    const tab = h(
      "button",
      {
        role: "tab",
        "aria-controls": id,
        "aria-selected": String(at === 0),
        tabindex: at ? -1 : 0,
        onclick: () => show(title),
      },
      title,
    );
    return { title, tab, panel };
  });
  function show(title) {
    for (const one of made) {
      const chosen = one.title === title;
      one.panel.hidden = !chosen;
      one.tab.setAttribute("aria-selected", String(chosen));
      one.tab.tabIndex = chosen ? 0 : -1;
    }
    shown(title);
  }
  const list = h(
    "div",
    {
      role: "tablist",
      onkeydown: (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const at = made.findIndex(({ tab }) => tab === document.activeElement);
        const next = made[(at + step + made.length) % made.length];
        show(next.title);
        next.tab.focus();
      },
    },
    made.map(({ tab }) => tab),
  );
  return {
    element: h(
      "div",
      { class: "tabs" },
      list,
      made.map(({ panel }) => panel),
    ),
    show,
  };
}
