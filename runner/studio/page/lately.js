// The last few runs.

import { get } from "./api.js";
import { h, renew, seldom } from "./element.js";
import { trying } from "./notices.js";
import { hear } from "./stream.js";
import { tiles } from "./tile.js";

const SHOWN = 6;
const AGAIN = 1000;

export function lately(signal) {
  const row = h("div", { class: "tiles" });
  const element = h("section", { hidden: true }, h("h2", {}, "Lately"), row);
  const look = seldom(AGAIN, () =>
    trying(async () => {
      const { runs } = await get(`/api/runs?limit=${SHOWN}`, signal);
      renew(row, ...tiles(runs));
      element.hidden = !runs.length;
    }),
  );
  for (const event of ["run", "gone", "again"]) hear(event, look, signal);
  look();
  return element;
}
