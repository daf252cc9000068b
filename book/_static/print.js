// Paper is light, and nothing on it can be unfolded.
{
  const page = document.documentElement;
  let folded = [], theme;

  addEventListener("beforeprint", () => {
    theme = page.dataset.theme;
    page.dataset.theme = "light";
    folded = [...document.querySelectorAll("article details:not([open])")];
    folded.forEach(fold => { fold.open = true; });
  });

  addEventListener("afterprint", () => {
    page.dataset.theme = theme;
    folded.forEach(fold => { fold.open = false; });
  });
}
