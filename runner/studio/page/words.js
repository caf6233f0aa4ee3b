// Numbers and times as people write them.

/** Seconds as `runner/timing/duration.py` says them: "40 s", "3 min 20 s", "2 h 5 min", "3 days 4 h". */
export function duration(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(whole, 60, "min", "s");
  return whole < 48 * 3600
    ? two(Math.round(whole / 60), 60, "h", "min")
    : two(Math.round(whole / 3600), 24, "days", "h");
}

const two = (amount, each, large, small) =>
  `${Math.floor(amount / each)} ${large}${amount % each ? ` ${amount % each} ${small}` : ""}`;

const UNITS = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** When a date was, seen from now: "5 minutes ago". */
export function ago(date) {
  const seconds = (Date.now() - new Date(date)) / 1000;
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  return seconds < 60 ? "just now" : relative.format(-Math.floor(seconds / length), unit);
}

/** A count and what is counted: "1 run", "3 runs". */
export const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

/** Numbers in a sentence, with commas where they have many digits: "1 to 1,000,000". */
export const grouped = (text) =>
  text.replace(/(?<![\d.])\d{5,}(?!\d|\.\d)/g, (digits) => Number(digits).toLocaleString("en"));

/** A value on one line, as JSON or, with `plain` keys and words, as a recipe writes it. */
export function flow(value, plain = JSON.stringify) {
  if (Array.isArray(value)) return `[${value.map((one) => flow(one, plain)).join(", ")}]`;
  if (value === null || typeof value !== "object") return typeof value === "string" ? plain(value) : String(value);
  const pairs = Object.entries(value).map(([key, one]) => `${plain(key)}: ${flow(one, plain)}`);
  return `{${pairs.join(", ")}}`;
}

/** A value as a recipe would write it, on one line. */
export const written = (value) => (value == null ? "none" : flow(value, (text) => text));

/** How a run stands, in a word or two. */
export const STATES = {
  queued: "in the queue",
  running: "running",
  stopped: "stopped",
  finished: "finished",
  part: "partly done",
  failed: "failed",
  damaged: "damaged",
};

/** How long it still takes. */
export const left = (place) => (place?.left == null ? "" : `about ${duration(place.left)} left`);

/** How far a run is: "step 5 of 40". */
export function progress(place) {
  if (!place || place.step == null) return "";
  const films = place.frames ? `frame ${place.frame + 1} of ${place.frames}, ` : "";
  return `${films}step ${place.step + 1} of ${place.steps}`;
}
