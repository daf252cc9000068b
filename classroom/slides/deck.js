// Math first, then every slide is made to fit its page, then reveal.js takes over.

window.MathJax = {
  options: { enableMenu: false },
  svg: { fontCache: "local" },
  startup: {
    pageReady: async () => {
      await MathJax.startup.defaultPageReady();
      document.querySelectorAll(".slides > section").forEach(fit);
      // The speaker's window has no styles to hide what is for screen readers.
      document
        .querySelectorAll(".notes mjx-assistive-mml")
        .forEach((part) => part.remove());
      await Reveal.initialize({
        width: 1280,
        height: 720,
        margin: 0,
        center: false,
        display: "flex",
        hash: true,
        slideNumber: "c/t",
        transition: "none",
        pdfMaxPagesPerSlide: 1,
        plugins: [RevealNotes],
      });
      document.documentElement.dataset.ready = "yes";
    },
  },
};

const LARGEST = { rows: 32, columns: 28 }; // pixels of a page that is 720 high
const SMALLEST = 15;

// The largest text that fits: figures beside the words, tables below or beside them.
function fit(section) {
  const body = section.querySelector(".body");
  if (!body) return;
  section.style.cssText = "display: flex !important";
  const both = body.querySelector(".words") && body.querySelector(".pictures");
  const layouts =
    !both || body.querySelector(".panels") ? ["rows"]
    : body.querySelector("figure") ? ["columns"]
    : ["rows", "columns"];
  const sizes = layouts.map((layout) => {
    body.className = `body ${layout}`;
    let size = LARGEST[layout];
    do body.style.setProperty("--size", `${size}px`);
    while (overflows(body) && (size -= 0.5) >= SMALLEST);
    return size;
  });
  const best = sizes.indexOf(Math.max(...sizes));
  body.className = `body ${layouts[best]}`;
  body.style.setProperty("--size", `${sizes[best]}px`);
  section.style.cssText = "";
}

const PARTS = ".words, .pictures, p, li, pre, table, figcaption, figure > svg, .panels, .panel, .math svg";

// Is anything in the body cut off, to the right or below?
function overflows(body) {
  const page = body.getBoundingClientRect();
  return [...body.querySelectorAll(PARTS)].some(
    (part) => {
      const box = part.getBoundingClientRect();
      const room = part.parentElement.closest(".words, .pictures");
      const right = room ? room.getBoundingClientRect().right : page.right;
      return (
        box.bottom > page.bottom + 1 ||
        box.right > right + 1 ||
        (part.clientWidth && part.scrollWidth > part.clientWidth + 1)
      );
    },
  );
}
