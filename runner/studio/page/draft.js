// What is to be run: where its recipe comes from, and what is changed in it; kept while other views are shown.

/** @type {{source: any, label: string, text: string | null, presets: string[], set: Record<string, any>}} */
export const draft = { source: { recipe: "hello" }, label: "", text: null, presets: [], set: {} };

/** Begin anew from a recipe, a run or a dropped file; `label` is what to call one that is not in the list. */
export function begin(source, label = "") {
  Object.assign(draft, { source, label, text: null, presets: [], set: {} });
}

/** The draft as the studio takes it. */
export function asked() {
  const { source, text, presets, set } = draft;
  return { ...source, ...(text === null ? {} : { text }), presets, set };
}
