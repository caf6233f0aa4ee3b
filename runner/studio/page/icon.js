// The page's icon and title show how far the run is that is looked at.

const link = document.querySelector("link[rel=icon]");
const still = link.href;

/** A ring that is filled to a part, from 0 to 1; the usual icon without one. */
export function icon(part) {
  if (part == null) return void (link.href = still);
  const ring = (2 * Math.PI * 12 * part).toFixed(1);
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="none" stroke-width="6"><circle cx="16" cy="16" r="12" stroke="#b4540a55"/>` +
    `<circle cx="16" cy="16" r="12" stroke="#d9731f" stroke-dasharray="${ring} 99" transform="rotate(-90 16 16)"/></g></svg>`;
  link.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
