// What is to be run: where its recipe comes from, and what is changed in it; kept for other views, and when the page is
// loaded again.

const KEY = "draft";
const FIRST = { source: { recipe: "hello" }, label: "", text: null, was: null, presets: [], set: {}, count: 1 };

/** `text` is what was written in place of the recipe's own, which `was` before; `count` is how many runs are made of it.
 * @type {{source: any, label: string, text: string | null, was: string | null, presets: string[],
 *   set: Record<string, any>, count: number}} */
export const draft = { ...FIRST, ...kept() };

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** Begin anew from a recipe, a run or a dropped file; `label` is what to call one that is not in the list. */
export function begin(source = FIRST.source, label = "") {
  Object.assign(draft, { source, label, text: null, was: null, presets: [], set: {}, count: 1 });
}

/** The file of the user's own that the text is of, if it is of one. */
export const ownFile = () => (draft.source.recipe?.endsWith(".yaml") ? draft.source.recipe : null);

/** The draft as the studio takes it. */
export function asked() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // a browser that keeps nothing
  }
  const { source, text, presets, set } = draft;
  return { ...source, ...(text === null ? {} : { text }), presets, set };
}
