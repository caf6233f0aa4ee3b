// What may stand at a place of a recipe's text: keys, nodes, values and references, from the JSON Schema of recipes.

/** The schemas that a value may follow; of a list, those of its items. */
function open(root, schema) {
  if (!schema) return [];
  if (schema.$ref) return open(root, root.$defs[schema.$ref.split("/").at(-1)]);
  if (schema.anyOf) return schema.anyOf.flatMap((one) => open(root, one));
  return schema.items ? open(root, schema.items) : [schema];
}

/** The schemas of what stands under a key. */
function under(root, schemas, key) {
  return schemas.flatMap((one) => {
    if (one.properties?.[key]) return open(root, one.properties[key]);
    const named = Object.entries(one.patternProperties ?? {}).filter(([pattern]) => new RegExp(pattern).test(key));
    return named.flatMap(([, schema]) => open(root, schema));
  });
}

/** The keys above a line, each less indented than the one below it: ["nodes", "canvas"]. */
function above(lines, indent) {
  const keys = [];
  for (let at = lines.length - 1; at >= 0 && indent > 0; at--) {
    const [, spaces, key] = lines[at].match(/^( *)([\w-]+):/) ?? [];
    if (key && spaces.length < indent) {
      keys.unshift(key);
      indent = spaces.length;
    }
  }
  return keys;
}

/** Where the end of a line is within its brackets: the keys that lead there, those that are there, and whose value is due. */
function within(line) {
  const stack = [{ keys: [] }];
  for (const [token, key] of line.matchAll(/"[^"]*"?|'[^']*'?|([\w$-]+):(?=\s|$)|[{}[\],]/g)) {
    const top = stack.at(-1);
    if (key) {
      top.keys.push(key);
      top.due = key;
    } else if ("{[".includes(token)) stack.push({ under: top.due, keys: [] });
    else if ("}]".includes(token) && stack.length > 1) stack.pop();
    else if (token === ",") top.due = undefined;
  }
  return { path: stack.map((one) => one.under).filter(Boolean), ...stack.at(-1), isFlow: stack.length > 1 };
}

/** The names that stand directly under a key of the first level. */
export function names(text, key) {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`${key}:`));
  if (start < 0) return [];
  const end = lines.findIndex((line, at) => at > start && /^[^\s#]/.test(line));
  return lines
    .slice(start + 1, end < 0 ? undefined : end)
    .map((line) => line.match(/^ {2}([A-Za-z_][\w-]*):/)?.[1])
    .filter(Boolean);
}

/** The lines of the mapping that a line belongs to, without it. */
function siblings(lines, row) {
  const depth = (line) => line.match(/^ */)[0].length;
  const indent = depth(lines[row]);
  const apart = (line) => line.trim() && depth(line) < indent;
  const before = lines.slice(0, row).reverse(),
    after = lines.slice(row + 1);
  const near = [before, after].flatMap((some) =>
    some.slice(0, some.findIndex(apart) < 0 ? undefined : some.findIndex(apart)),
  );
  return near.filter((line) => line.trim() && depth(line) === indent);
}

const first = (text = "") => text.split("\n")[0];
const plain = (value) => (value === null ? "null" : typeof value === "string" ? value : JSON.stringify(value));

function values(root, schemas, text) {
  const words = schemas.flatMap(
    (one) => one.enum ?? (one.type === "boolean" ? [true, false] : "const" in one ? [one.const] : []),
  );
  const offered = [...new Set(words.map(plain))].map((word) => ({ text: word, about: "" }));
  return schemas.includes(root.$defs.reference) ? [...offered, ...references(text)] : offered;
}

function references(text) {
  const all = { "a param": names(text, "params"), "a node": names(text, "nodes") };
  return Object.entries(all).flatMap(([about, some]) => some.map((name) => ({ text: `$${name}`, about })));
}

/** What stands under the keys of a path; of a node, what the one that it uses takes. `uses(at)` says which that is. */
function down(root, path, uses) {
  const nodes = [root.$defs.node, root.$defs.overlay];
  let schemas = [root],
    isNode = false;
  for (const [at, key] of path.entries()) {
    schemas = under(root, schemas, key);
    isNode = nodes.some((one) => schemas.includes(one));
    if (isNode) schemas = [root.$defs[uses(at)] ?? { properties: { use: { description: "Which node it is." } } }];
  }
  return { schemas, isNode };
}

/** All that may stand where the caret is. */
function all(root, text, lines, row, line) {
  const place = within(line);
  const outer = above(lines.slice(0, row), line.match(/^ */)[0].length);
  const beside = siblings(lines, row);
  const uses = (at) =>
    (at < outer.length ? beside : [lines[row]]).map((one) => one.match(/\buse:\s*([\w.]+)/)?.[1]).find(Boolean);
  const { schemas, isNode } = down(root, [...outer, ...place.path], uses);
  if (isNode && place.due === "use") {
    return root.$defs.node.properties.use.anyOf[0].enum.map((name) => ({
      text: name,
      about: first(root.$defs[name]?.description),
    }));
  }
  if (place.due) return values(root, under(root, schemas, place.due), text);
  const there = [...place.keys, ...(place.isFlow ? [] : beside.map((one) => one.match(/^ *([\w-]+):/)?.[1]))];
  const keys = new Map(schemas.flatMap((one) => Object.entries(one.properties ?? {})));
  return [...keys]
    .filter(([name]) => !there.includes(name))
    .map(([name, one]) => ({ text: `${name}: `, about: first(one.description) }));
}

/**
 * What may stand where the caret is, the likely first: `{text, about, typed}`, of which `typed` is already there; where
 * that is one of them as it is, others only if `always`.
 * @param {any} root the JSON Schema of recipes
 * @param {string} text
 * @param {number} caret
 * @param {boolean} always
 */
export function offers(root, text, caret, always) {
  const lines = text.split("\n");
  const before = text.slice(0, caret).split("\n");
  const line = before.at(-1);
  const typed = line.match(/[\w.$-]*$/)[0];
  if (/(^|\s)#/.test(line)) return [];
  const found = typed.startsWith("$")
    ? references(text)
    : all(root, text, lines, before.length - 1, line.slice(0, line.length - typed.length));
  if (!always && found.some((one) => one.text === typed)) return [];
  return found
    .filter((one) => one.text.trim() !== typed && one.text.toLowerCase().includes(typed.toLowerCase()))
    .sort((one, other) => Number(other.text.startsWith(typed)) - Number(one.text.startsWith(typed)))
    .map((one) => ({ ...one, typed }));
}
