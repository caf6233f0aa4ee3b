// A sweep: its sheet, its ranking, and all its runs, which can be chosen and compared.

import { get, path } from "./api.js";
import { choosing } from "./choosing.js";
import { coded, h, part, refill, renew, seldom } from "./element.js";
import { exhibit } from "./exhibit.js";
import { trying } from "./notices.js";
import { tiles } from "./tile.js";
import { hear } from "./stream.js";
import { STATES, count, written } from "./words.js";

const AGAIN = 1000;

/** What a cell is called: by what varies, and by its place in the ranking. */
function label(run, results) {
  const cell = run.name.split("/").at(-1);
  const found = results.find((one) => one.cell === cell);
  if (!found) return cell;
  // Earlier results have no values apart.
  const values = Object.entries(found.values ?? {}).map(([name, value]) => `${name} ${written(value)}`);
  return [found.rank && `${found.rank === 1 ? "\u2605 " : ""}${found.rank}.`, values.join(", ")]
    .filter(Boolean)
    .join(" ");
}

export function sweep(view, told, signal) {
  const at = `/api/runs/${path(told.name)}`;
  const chosen = choosing(signal);
  const head = h("div", {}, h("h1", {}, told.recipe)),
    sheet = h("div", { class: "stages" }),
    grid = h("div", { class: "tiles" });
  const state = h("p", { class: "soft", role: "status" }),
    failed = h("div"),
    rest = h("div");

  function show(now) {
    const counts = Object.entries(now.cells).map(([name, number]) => `${number} ${STATES[name] ?? name}`);
    state.textContent = `${count(now.runs.length, "run")}: ${counts.join(", ")}`;
    refill(sheet, now.sheet, () => [
      now.sheet
        ? h(
            "a",
            { href: now.sheet, target: "_blank", title: "Open it alone" },
            exhibit(
              { kind: "picture", address: now.sheet },
              "All pictures of the sweep, with what varies at their edges",
            ),
          )
        : h("div", { class: "none" }, "The sheet is made when all runs have finished"),
    ]);
    renew(
      grid,
      ...tiles(
        now.runs.map((run) => ({ ...run, label: label(run, now.results) })),
        chosen,
      ),
    );
    failed.replaceChildren(
      ...now.runs
        .filter((run) => run.state === "failed")
        .map((run) => h("p", { class: "how bad" }, coded(`${run.name.split("/").at(-1)}: ${run.message}`))),
    );
  }

  view.replaceChildren(
    h("div", { class: "sweep" }, head, state, failed, sheet, h("h2", {}, "All runs"), grid, rest, chosen.bar),
  );
  show(told);
  const again = seldom(AGAIN, () => trying(async () => show(await get(at, signal))));
  hear("run", ({ name }) => name.startsWith(told.name) && again(), signal);
  hear("again", again, signal);
  get(`${at}/report`, signal)
    .then(({ parts }) => {
      head.replaceChildren(part(parts.head));
      rest.replaceChildren(part(parts.recipe));
    })
    .catch(() => {});
}
