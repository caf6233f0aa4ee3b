// What may stand at a place of a recipe's text: keys, nodes, values and references, from the JSON Schema of recipes.

const PLACE = /([\w.$-]*)$/;

/** The schemas that a value may follow. */
function choices(schema) {
  return !schema ? [] : schema.anyOf ? schema.anyOf.flatMap(choices) : [schema];
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

/** The names that stand directly under a key of the first level. */
export function names(text, key) {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`${key}:`));
  const found = [];
  for (const line of start < 0 ? [] : lines.slice(start + 1)) {
    if (/^\S/.test(line) && !line.startsWith("#")) break;
    const [, name] = line.match(/^ {2}([A-Za-z_][\w-]*):/) ?? [];
    if (name) found.push(name);
  }
  return found;
}

/** Which node the node at a place uses: on this line, or on one of its own lines above or below. */
function use(lines, row, indent) {
  const said = (line) => line.match(/\buse:\s*([\w.]+)/)?.[1];
  if (said(lines[row])) return said(lines[row]);
  for (const step of [-1, 1]) {
    for (let at = row + step; at >= 0 && at < lines.length; at += step) {
      const spaces = lines[at].match(/^ */)[0].length;
      if (lines[at].trim() && spaces < indent) break;
      if (spaces === indent && said(lines[at])) return said(lines[at]);
    }
  }
}

function keys(properties, typed) {
  return Object.entries(properties ?? {}).map(([name, one]) => ({ text: `${name}: `, name, about: one.description ?? "", typed }));
}

function values(schema, typed) {
  const options = choices(schema);
  const words = options.flatMap((one) => one.enum ?? (one.type === "boolean" ? [true, false] : "const" in one ? [one.const] : []));
  const shown = schema && "default" in schema ? [schema.default] : [];
  return [...new Set([...words, ...shown].map((word) => (word === null ? "null" : typeof word === "string" ? word : JSON.stringify(word))))]
    .map((word) => ({ text: word, name: word, about: shown.length && word === String(shown[0]) ? "the default" : "", typed }));
}

function references(text, typed) {
  const params = names(text, "params").map((name) => ({ text: `$${name}`, name: `$${name}`, about: "a param", typed }));
  return [...params, ...names(text, "nodes").map((name) => ({ text: `$${name}`, name: `$${name}`, about: "a node", typed }))];
}

/**
 * What may stand where the caret is, the likely first: `{text, name, about, typed}`, of which `typed` is already there.
 * @param {any} schema the JSON Schema of recipes
 * @param {string} text
 * @param {number} caret
 */
export function offers(schema, text, caret) {
  const before = text.slice(0, caret);
  const lines = text.split("\n");
  const row = before.split("\n").length - 1;
  const line = before.split("\n").at(-1);
  const typed = line.match(PLACE)[1];
  const fits = (all) => all.filter(({ name }) => name !== typed && name.toLowerCase().includes(typed.toLowerCase()))
    .sort((one, other) => Number(other.name.startsWith(typed)) - Number(one.name.startsWith(typed)));
  if (/(^|\s)#/.test(line)) return [];
  if (typed.startsWith("$")) return fits(references(text, typed));
  const [, within = ""] = line.match(/\{([^{}]*)$/) ?? [];
  const flow = line.includes("{") && /\{[^{}]*$/.test(line);
  const part = flow ? within.split(",").at(-1) : line;
  const key = part.match(/^\s*-?\s*([\w-]+):\s+\S*$/)?.[1];
  const indent = line.match(/^ */)[0].length;
  const path = above(lines.slice(0, row), flow ? indent : indent);
  const inNodes = path[0] === "nodes" || (path[0] === "presets" && path.includes("nodes"));
  const depth = path.length - Math.max(0, path.indexOf("nodes"));
  const node = inNodes && (flow ? depth === 1 : depth === 2);
  if (node) {
    if (key === "use") return fits(schema.$defs.node.properties.use.anyOf[0].enum.map((name) => ({ text: name, name, about: first(schema.$defs[name]?.description), typed })));
    const used = schema.$defs[use(lines, row, indent)];
    const settings = used?.properties ?? { use: { description: "Which node it is." } };
    if (key) return fits([...values(settings[key], typed), ...(typed ? [] : references(text, typed))]);
    const there = new Set([...(flow ? line : "").matchAll(/([\w-]+):/g)].map((found) => found[1]));
    return fits(keys(settings, typed).filter(({ name }) => !there.has(name)));
  }
  if (key && !path.length) return fits(values(schema.properties[key], typed));
  if (!path.length && !key) return fits(keys(schema.properties, typed)).filter(({ name }) => !lines.some((one) => one.startsWith(`${name}:`)));
  return [];
}

const first = (text = "") => text.split("\n")[0];
