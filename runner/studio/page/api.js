// What the studio is asked, and its answers.

import { h } from "./element.js";

/** A request that was refused: `message` says why and what to do, `problems` are mistakes in a recipe. */
export class Refused extends Error {
  constructor(status, message, problems = []) {
    super(message);
    this.status = status;
    this.problems = problems;
  }
}

/** The address of a run, of which a name has slashes. */
export const path = (name) => name.split("/").map(encodeURIComponent).join("/");

/** The name in an address; one that somebody typed may be none. */
export function named(address) {
  try {
    return decodeURIComponent(address);
  } catch {
    return address;
  }
}

export const get = (address, signal) => asked(address, { signal });

export const post = (address, body = {}, signal) =>
  asked(address, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
    signal,
  });

/** Hand over a file that was dropped; nothing is run. */
export async function send(file) {
  const start = file.slice(0, 1).arrayBuffer();
  await start.catch(() => {
    throw new Refused(0, `\`${file.name}\` can't be read: drop a file, not a folder.`);
  });
  return asked("/api/dropped", {
    method: "POST",
    body: file,
    headers: { "content-type": "application/octet-stream", "x-t2iflow-name": encodeURIComponent(file.name) },
  });
}

/** A browser keeps only a few connections to a place: what is asked goes before pictures. */
async function asked(address, request) {
  const headers = { "x-t2iflow": "1", ...request.headers };
  const answer = await fetch(address, { ...request, headers, priority: "high" }).catch((fault) => {
    if (fault.name === "AbortError") throw fault;
    throw new Refused(0, "The studio doesn't answer. Is it still running in the terminal?");
  });
  const json = answer.headers.get("content-type")?.startsWith("application/json");
  const said = await (json ? answer.json() : answer.text());
  if (answer.status === 401) lock();
  if (!answer.ok) throw new Refused(answer.status, said.error ?? String(said), said.problems ?? []);
  return said;
}

/** The key of this page is valid again, which all pages of one browser share. */
export function unlock() {
  const dialog = document.getElementById("locked");
  dialog?.close(); // which gives the focus back
  dialog?.remove();
}

/** The key of this page is no longer valid: say how to get in again. */
function lock() {
  if (document.getElementById("locked")) return;
  const dialog = h(
    "dialog",
    { id: "locked", "aria-labelledby": "locked-title", oncancel: (event) => event.preventDefault() },
    h("h2", { id: "locked-title" }, "This page is locked"),
    h(
      "p",
      {},
      "The studio was restarted, so this page's key is no longer valid. Open the address that the terminal shows, and this page goes on, too. Nothing is lost.",
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}
