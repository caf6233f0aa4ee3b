// A button with `data-copies` copies the text of the element with that id.
document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("button[data-copies]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(source);
    button.textContent = document.execCommand("copy") ? "copied" : "selected";
  }
  setTimeout(() => {
    button.textContent = "copy";
  }, 2000);
});
for (const button of document.querySelectorAll("button[data-copies]")) button.hidden = false;
