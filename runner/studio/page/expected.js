// What a run will take: its size, steps and time, and what it would download.

import { h } from "./element.js";
import { count, duration } from "./words.js";

const UNKNOWN = "time unknown: no similar run was made here yet";

/** A list of it; nothing where that isn't known, as of a recipe with mistakes. */
export function expected({ expected, plan }) {
  if (!plan) return [];
  const { size, steps, frames, seconds } = expected;
  const facts = [
    size && `${size[0]} \u00d7 ${size[1]}`,
    frames && count(frames, "frame"),
    steps && count(steps, "step"),
    seconds && `about ${duration(seconds)}`,
  ];
  const fetched = (plan.weights ?? []).filter((line) => line.includes("to be fetched"));
  const rest = [...(seconds ? [] : [UNKNOWN]), ...(fetched.length ? fetched : ["nothing to download"])];
  return [
    h(
      "ul",
      {},
      [facts.filter(Boolean).join(" \u00b7 "), ...rest].map((line) => h("li", {}, line)),
    ),
  ];
}
