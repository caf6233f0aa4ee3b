// The one stream of events. A hidden page closes it, so that runs make no pictures that nobody looks at.

import { get, unlock } from "./api.js";
import { notice } from "./notices.js";

const TYPES = ["run", "step", "note", "picture", "queue", "gone"];
const AGAIN = 2000;
const heard = new EventTarget();
let source,
  lost,
  waits,
  opened = false;

/** Hear events of a type, as `handle(data)`, until the signal is aborted; "again" is heard after a lost connection. */
export function hear(type, handle, signal) {
  heard.addEventListener(type, (event) => handle(event.detail), { signal });
}

function tell(type, detail) {
  heard.dispatchEvent(new CustomEvent(type, { detail }));
}

function open() {
  clearTimeout(waits);
  source?.close();
  source = new EventSource("/api/events");
  for (const type of TYPES) source.addEventListener(type, (event) => tell(type, JSON.parse(event.data)));
  source.onopen = () => {
    unlock();
    lost?.remove();
    lost = undefined;
    if (opened) tell("again");
    opened = true;
  };
  source.onerror = () => {
    source.close();
    lost ??= notice("The connection to the studio is lost; trying again. Is it still running in the terminal?", {
      bad: true,
    });
    get("/api/studio").catch(() => {}); // which finds out whether the key is still valid
    waits = setTimeout(open, AGAIN);
  };
}

export function begin() {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(waits);
      source?.close();
    } else open();
  });
  opened = document.hidden; // what happens until it is shown is not heard
  if (!document.hidden) open();
}
