// The last few runs.

import { get } from "./api.js";
import { h, renew } from "./element.js";
import { trying } from "./notices.js";
import { hear } from "./stream.js";
import { tiles } from "./tile.js";

const SHOWN = 6;

export function lately(signal) {
  const row = h("div", { class: "tiles" });
  const element = h("section", { hidden: true }, h("h2", {}, "Lately"), row);
  const look = () =>
    trying(async () => {
      const { runs } = await get(`/api/runs?limit=${SHOWN}`, signal);
      renew(row, ...tiles(runs));
      element.hidden = !runs.length;
    });
  hear("run", look, signal);
  look();
  return element;
}
