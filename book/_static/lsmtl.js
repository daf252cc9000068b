/* What the theme's scripts leave undone for those who use the keyboard. */

document.addEventListener("DOMContentLoaded", () => {
  // The theme takes the focus from its buttons to hide their tooltips: keep it there.
  for (const button of document.querySelectorAll(
    ".theme-switch-button, .search-button, .primary-toggle, .secondary-toggle"))
    button.blur = () => window.bootstrap?.Tooltip.getInstance(button)?.hide();

  // What scrolls in a fold that was closed is known when it opens.
  for (const fold of document.querySelectorAll("details"))
    fold.addEventListener("toggle", () => window.dispatchEvent(new Event("resize")));

  // A fold's button says what it folds.
  for (const button of document.querySelectorAll(".toggle-button")) {
    const title = button.closest(".admonition-title")?.textContent.trim();
    if (title) button.setAttribute("aria-label", `${title}: show or hide`);
  }
});
