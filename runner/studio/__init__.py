"""The studio: a page on this machine on which runs are started, watched, steered and compared. Everything is on disk.

The server imports no torch. Whatever compiles a recipe is asked of one process, the clerk; runs are made by others.

All of the interface follows, which only the studio's own page speaks (it is in `page/`). Requests and answers are JSON
where nothing else is said; whole numbers from 2^53 on, which JavaScript would round, are texts of their digits. A NAME
is a path beneath the studio's folder, such as `runs/2026-11-29_150043-hello-1a2b`, or `sweeps/S/runs/000-seed=0`,
percent-encoded.

| request | answer |
|---|---|
| GET /?token=T | 303 to /, the token moved into a cookie; by a link of another site, a page that leads there |
| GET / | `page/index.html` |
| GET /page/FILE | a file of the page |
| GET /api/studio | `{version, folder}`: what the page is about |
| GET /api/recipes | `[RECIPE]`: bundled ones, and those in the working folder |
| POST /api/opened SOURCE | OPENED; also of a recipe with mistakes |
| POST /api/saved `{recipe, text, was}` | writes the text into a recipe of the working folder, which `was` so |
| GET /api/schema | the JSON Schema of recipes, for the editor |
| GET /api/nodes | `[{name, family, about}]` |
| GET /api/nodes/NODE | its docs, ports, settings and outputs: NODE |
| POST /api/dropped | the body is the file, `x-t2iflow-name` its name, percent-encoded; 201 `{dropped, name}` |
| GET /api/runs?search=&state=&before=&limit= | `{runs: [RUN], next, total, complete}`, the newest first |
| GET /api/runs/NAME | DETAILS |
| GET /api/runs/NAME/report | `{title, about, prompts, parts: {head, state, losses, snapshots, recipe, facts}}` |
| GET /api/runs/NAME/charts | the curves of its losses, as HTML |
| GET /api/runs/NAME/graph | `{svg, nodes}`: drawn, and `nodes` as in OPENED |
| POST /api/runs SOURCE | 201 `{name}`: it is queued; 422 with `problems` |
| POST /api/runs/NAME/stop | 202; a run that waits leaves the queue |
| POST /api/runs/NAME/resume | 202; it is queued again |
| GET /api/runs/NAME/steerable | `{settings: [{name, value, schema}], moments: [{node, what, many}]}`: what can be |
| | changed in it from where it stands on, and the steps or frames ("step", "frame") of each optimiser |
| POST /api/runs/NAME/steer `{set}` | 202; it goes on with these values from where it stands; 422 with `problems` |
| POST /api/runs/NAME/fork `{set, at}` | 201 `{name}`: another run, which shares its past up to `at` (`20`, `50%`) |
| GET /api/diff?a=NAME&b=NAME | in which settings they differ: `{settings: [{name, one, other}]}` |
| GET /api/events | the one stream of server-sent events |
| GET /files/NAME/FILE[?side=320] | a picture, film, sound or table of a run, in parts if that is asked for; with a |
| | `side` (of pixels), a small copy of a picture |

`next` is the `before` of the gallery's next part, or null; `total` counts what fits a search, as far as folders are
read, which all are if it is `complete`. The parts of a report are HTML in which all from a recipe is escaped; links
in them are relative to /files/NAME/.

RECIPE: `{name, title, about, presets: [{name, title, about}], needs, bundled}`.

SOURCE: one of `recipe` (a file, or a bundled one's name), `run` (a NAME) and `dropped` (an id), or none; `text` in
place of what that says, but with its rights: what was dropped stays foreign; `presets`, a list of names; `set`,
`{name: value}` of params, `node.setting`s and `seed`, where a text is taken letter by letter.

OPENED: `{text, file, name, title, about, foreign, presets, notes: [text], problems: [PROBLEM], form, prompts: [{text,
weight, when}], expected: {size, steps, frames, seconds}, plan: {title: [line]}, graph, nodes}`. From `form` on all is
null where there are problems. `file` is what problems call the text. `form` is a JSON Schema whose properties are what
`set` takes, each with `default`, what it is now, and `x-part`: "param", "seed" or "setting". `plan` has the sections of
`t2iflow plan`, the first under "". `graph` is an SVG; `nodes` is `{node: {use, settings: {name: value}}}`.

PROBLEM: `{code, message, hints: [text], file, line, column, width, given}`; `given` is the name in `set` that it is
about, where there is no line.

NODE: `{name, about, doc, ports: [{name, kind, many, required}], settings: [{name, takes, default, required,
keyframes, schema}], outputs: [{name, kind}]}`.

RUN: `{name, kind, state, recipe, prompt, seed, began, seconds, message, picture, size, place, cells}`; `kind` is "run"
or "sweep"; `state` is queued, running, stopped, finished, part, failed or damaged; `picture` is the address of a small
one to show, or null, and `size` that of the whole one; `place` is `{step, steps, node, loss, frame, frames, left}` of
one that runs or was stopped, or null, with `left` in seconds; `cells` is `{state: count}` of a sweep.

DETAILS: RUN and `{text, folder, command, may}`: its recipe, where it is, what resumes it in a terminal, and what can be
done with it: "stop", "resume", "steer", "fork". Of a run `{params, prompts, device, optimizers: [{node, steps}], notes:
[{node, level, text}], files: [{file, kind, bytes, address}], live}`, `live` being the address of the picture for those
who watch; of a sweep `{runs: [RUN], sheet, results}`.

Events, `data:` being JSON; the first are a `run` for each that runs or waits, and `queue`:
- `run` RUN: it is new, or something of it is another; `gone` `{name}`: its folder is no longer there.
- `step` `{name, node, step, steps, loss, terms: {name: value}, frame, frames, left}`: at most five times a second.
- `note` `{name, node, level, text}`.
- `picture` `{name, address}`: there is a new one, and its address is another each time.
- `queue` `{running: [NAME], waiting: [NAME]}`.
While somebody listens, runs make live pictures: a page that is hidden closes its stream.

What is refused is answered `{error, problems}`: 400 (not what this table says), 404, 405, 408 (the request does not
come), 409 (the run's state does not allow it), 413 (too large), 415 (no such file can be opened), 422 (mistakes in a
recipe), 500, 503 (too much at once); as plain text 401 (no token), 403 (another site's, or no `x-t2iflow: 1`, which
every request but GET has), 421 (another host).
"""
