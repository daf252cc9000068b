/* Charts to move: puts controls and a Plotly chart in the place of a still figure.
   What a chart holds stands in the page as JSON; lsmtl/lab/charts.py says what it is.
   Plotly lies beside this file and is loaded when a chart comes near the window. */
(() => {
  const here = new URL(".", document.currentScript.src);
  const CONFIG = {displayModeBar: false, displaylogo: false, doubleClick: false};
  const NARROW = 560;
  let loading;

  function plotly() {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = new URL("plotly-basic.min.js", here).href;
      script.onload = () => done(window.Plotly);
      script.onerror = failed;
      document.head.append(script);
    });
    return loading;
  }

  function make(tag, properties = {}, ...inside) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...inside);
    return element;
  }

  /* A copy with the page's colours and the columns that traces share. */
  function filled(value, spec, page) {
    if (Array.isArray(value)) return value.map((v) => filled(v, spec, page));
    if (value && typeof value === "object")
      return Object.fromEntries(
        Object.entries(value).map(([k, v]) => [k, filled(v, spec, page)]));
    if (typeof value !== "string") return value;
    if (value in page) return page[value];
    return value[0] === "@" ? spec.columns[value.slice(1)] : value;
  }

  function merged(a, b) {
    const both = {...a};
    for (const [k, v] of Object.entries(b ?? {}))
      both[k] = v && typeof v === "object" && !Array.isArray(v) ? merged(a[k] ?? {}, v) : v;
    return both;
  }

  function start(host, number) {
    const spec = JSON.parse(host.querySelector("script").textContent);
    const plot = make("div", {className: "lsmtl-plot"});
    const said = make("output", {className: "lsmtl-said"});
    const controls = make("div", {className: "lsmtl-controls"});
    const hint = make("p", {className: "lsmtl-hint"}, spec.hint ?? "");
    const live = make("div", {className: "lsmtl-live"}, hint, controls, said, plot);
    const choices = [];
    let found = null;
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", host.dataset.alt);

    function view() {
      return spec.views[choices.map((choice) => choice()).join(",")];
    }

    function tell() {
      const titles = view().titles ?? {};
      const at = found === null ? null : point();
      said.textContent = !at ? view().say
        : `${at.text}: ${titles.xaxis} ${at.x}; ${titles.yaxis} ${at.y}`;
    }

    function point() {
      const named = view().traces.find((trace) => trace.text);
      const [x, y, text] = ["x", "y", "text"].map((k) => filled(named[k], spec, {}));
      return {x: x[found], y: y[found], text: text[found]};
    }

    function draw() {
      const style = getComputedStyle(host);
      const page = {ink: style.color,
        muted: style.getPropertyValue("--pst-color-text-muted").trim() || style.color,
        rule: style.getPropertyValue("--pst-color-border").trim() || style.color};
      const width = live.clientWidth;
      const shown = view();
      let layout = {font: {family: style.fontFamily, size: 14, color: page.ink},
        paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        showlegend: false, hovermode: "closest", dragmode: false,
        margin: {l: 56, r: 12, t: 4, b: 48}};
      layout = merged(layout, filled(spec.layout, spec, page));
      if (width < NARROW) layout = merged(layout, filled(spec.narrow, spec, page));
      layout.width = width;
      for (const name of Object.keys(layout).filter((k) => /^[xy]axis/.test(k)))
        layout[name] = {fixedrange: true, gridcolor: page.rule, linecolor: page.muted,
          automargin: true, ...layout[name],
          ...(shown.titles?.[name] ? {title: {text: shown.titles[name]}} : {})};
      layout = merged(layout, filled(shown.layout ?? {}, spec, page));
      const traces = filled(shown.traces, spec, page);
      if (found !== null) {
        const {x, y, text} = point();
        traces.push({x: [x], y: [y], text: [text], mode: "markers+text",
          textposition: "top center", hoverinfo: "skip", cliponaxis: false,
          marker: {size: 12, symbol: "circle-open", color: page.ink, line: {width: 2}}});
      }
      tell();
      return plotly().then((Plotly) => Plotly.react(plot, traces, layout, CONFIG))
        .then(() => { plot.dataset.drawn = JSON.stringify(choices.map((c) => c())); });
    }

    spec.controls.forEach((control, place) => {
      const id = `lsmtl-chart-${number}-${place}`;
      const label = make("label", {htmlFor: id}, control.label);
      controls.append(make("span", {}, label, ...input(control, id)));
    });

    function input(control, id) {
      if (control.kind === "find") return find(id);
      if (control.kind === "select") {
        const options = control.options.map((text) => make("option", {}, text));
        const select = make("select", {id, onchange: draw}, ...options);
        select.selectedIndex = control.start ?? 0;
        choices.push(() => select.selectedIndex);
        return [select];
      }
      const value = make("span", {className: "lsmtl-value"});
      value.setAttribute("aria-hidden", "true");
      const range = make("input", {id, type: "range", min: 0, step: 1});
      range.max = control.options.length - 1;
      range.value = control.start ?? 0;
      const name = () => {
        value.textContent = control.options[range.value];
        range.setAttribute("aria-valuetext", control.options[range.value]);
      };
      range.oninput = () => { name(); draw(); };
      name();
      choices.push(() => Number(range.value));
      return [range, value];
    }

    function find(id) {
      const names = spec.columns.names;
      const lower = names.map((name) => name.toLowerCase());
      const list = make("datalist", {id: `${id}-names`});
      const box = make("input", {id, type: "text", autocomplete: "off", size: 12});
      box.setAttribute("list", list.id);
      box.oninput = () => {
        const typed = box.value.trim().toLowerCase();
        const like = typed ? names.filter((_, i) => lower[i].startsWith(typed)) : [];
        list.replaceChildren(...like.slice(0, 12).map((n) => make("option", {value: n})));
        const place = lower.indexOf(typed);
        found = place < 0 ? null : place;
        draw();
        if (typed && !like.length) said.textContent = `No gene is called ${box.value}.`;
      };
      return [box, list];
    }

    host.prepend(live);
    host.classList.add("lsmtl-on");
    tell();
    const near = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      draw().then(() => {
        let width = live.clientWidth;
        new ResizeObserver(() => {
          if (live.clientWidth && live.clientWidth !== width) {
            width = live.clientWidth;
            draw();
          }
        }).observe(live);
        new MutationObserver(draw).observe(
          document.documentElement, {attributeFilter: ["data-theme"]});
      }, () => host.classList.remove("lsmtl-on"));  // the figure comes back
    }, {rootMargin: "800px"});
    near.observe(live);
  }

  document.querySelectorAll("div.lsmtl-chart").forEach(start);
})();
