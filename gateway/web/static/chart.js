"use strict";
/* A quantity over time, several of a kind in one drawing, with the lines of its alarm. What is suspect or failed is marked; a failed reading is no part of a line. */
const Chart = (() => {
  const STATES = ["alert", "warning", "danger"];
  const COLOURS = 8;
  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
  const STEPS = []; // between two lines of the grid
  for (let power = -3; power < 7; power++) for (const step of [1, 2, 5]) STEPS.push(Number(`${step}e${power}`));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  /* As many decimals as the step between two labels needs. */
  function decimalsOf(step) {
    let decimals = 0;
    while (decimals < 6 && Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals++;
    return decimals;
  }

  /* Times, then of each series what is drawn, what is suspect, what failed. */
  function columns(rows, count) {
    const data = [rows.map((row) => row[0] / 1000)];
    for (let i = 0; i < count; i++) {
      data.push(rows.map(([, v, q]) => (q[i] == null ? undefined : q[i] === 4 || q[i] === 9 ? null : v[i]))); // undefined: says nothing, no gap
      data.push(rows.map(([, v, q]) => (q[i] === 3 ? v[i] : null)));
      data.push(rows.map(([, v, q]) => (q[i] === 4 ? v[i] : null)));
    }
    return data;
  }

  /* A level shows all its lines; elsewhere the next line above is enough, or far ones would press the curve flat. */
  function range(about, low, high) {
    const marks = Object.values(about.lines).sort((a, b) => a - b);
    const next = marks.find((line) => line > high);
    const seen = about.key === "level" ? marks : marks.filter((line) => line <= high || line === next);
    if (low != null && !seen.length && about.from_zero) seen.push(0);
    const bottom = Math.min(low ?? Infinity, about.from_zero ? 0 : Infinity, ...seen), top = Math.max(high ?? -Infinity, ...seen);
    if (!isFinite(bottom) || !isFinite(top)) return [0, 1];
    const room = Math.max((top - bottom) * 0.08, 5 * 10 ** -about.decimals);
    return [about.from_zero && bottom >= 0 ? 0 : bottom - room, top + room];
  }

  function eachLine(u, lines, draw) {
    const { ctx, bbox } = u, scale = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const name of STATES) if (name in lines) draw(ctx, name, bbox.left, Math.round(u.valToPos(lines[name], "y", true)), bbox.width, scale);
    ctx.restore();
  }

  function dashes(ctx, name, left, y, width, scale) {
    ctx.strokeStyle = colour(name);
    ctx.lineWidth = 2 * scale;
    ctx.setLineDash([7 * scale, 4 * scale]);
    ctx.beginPath();
    ctx.moveTo(left, y);
    ctx.lineTo(left + width, y);
    ctx.stroke();
  }

  /* Names stand on top of everything, with a rim, so that a flood behind them does not hide them. */
  const names = (about) => (ctx, name, left, y, width, scale) => {
    const text = `${name} ${about.lines[name].toFixed(about.decimals)} ${about.unit}`;
    ctx.font = `600 ${12 * scale}px system-ui, sans-serif`;
    ctx.textBaseline = "bottom";
    ctx.textAlign = "left";
    ctx.lineJoin = "round";
    ctx.lineWidth = 4 * scale;
    ctx.strokeStyle = colour("surface");
    ctx.strokeText(text, left + 6 * scale, y - 3 * scale);
    ctx.fillStyle = colour("text");
    ctx.fillText(text, left + 6 * scale, y - 3 * scale);
  };

  function marks(shape, name) {
    return (u, series) => {
      const { ctx } = u, size = 5 * devicePixelRatio, x = u.data[0], y = u.data[series];
      ctx.save();
      ctx.strokeStyle = colour(name);
      ctx.lineWidth = 2 * devicePixelRatio;
      for (let i = 0; i < x.length; i++) {
        if (y[i] == null || x[i] < u.scales.x.min || x[i] > u.scales.x.max) continue;
        const cx = u.valToPos(x[i], "x", true), cy = u.valToPos(y[i], "y", true);
        ctx.beginPath();
        if (shape === "diamond") {
          ctx.moveTo(cx, cy - size); ctx.lineTo(cx + size, cy); ctx.lineTo(cx, cy + size); ctx.lineTo(cx - size, cy); ctx.closePath();
        } else {
          ctx.moveTo(cx - size, cy - size); ctx.lineTo(cx + size, cy + size); ctx.moveTo(cx + size, cy - size); ctx.lineTo(cx - size, cy + size);
        }
        ctx.stroke();
      }
      ctx.restore();
      return false;
    };
  }

  const colourOf = (i, count) => colour(count > 1 ? "s" + (i % COLOURS) : "accent");

  function seriesOf(about) {
    const made = [{}], count = about.names.length;
    for (let i = 0; i < count; i++) {
      const stroke = colourOf(i, count), mark = { paths: () => null };
      const line = { stroke, width: count > 1 ? 1.75 : 2.25, spanGaps: false, points: { show: false }, dash: DASHES[Math.floor(i / COLOURS) % DASHES.length] };
      if (about.as === "bars") Object.assign(line, { fill: stroke, width: 0, paths: uPlot.paths.bars({ size: [0.92, 60], align: 1 }) });
      if (about.as === "dots") Object.assign(line, { paths: () => null, points: { show: true, size: 4, fill: stroke } });
      made.push(line, { ...mark, points: { show: marks("diamond", "suspect") } }, { ...mark, points: { show: marks("cross", "failed") } });
    }
    return made;
  }

  /* `tell(row or null)` hears which reading the pointer is on. */
  function make(element, tell) {
    let plot = null, drawn = "", rows = [], about = { lines: {}, names: [], decimals: 2, unit: "" }, span = [0, 1];
    const height = () => Math.max(260, Math.min(420, Math.round(innerHeight * 0.42)));

    function options() {
      const axis = { stroke: colour("soft"), grid: { stroke: colour("rule"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
      const time = { ...axis, space: 64, values: [
        [86400, "{D} {MMM}", null, null, null, null, null, null, 1],
        [3600, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
        [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
        [1, "{HH}:{mm}:{ss}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
      ] };
      const values = (u, splits, _, __, step) => splits.map((v) => v.toFixed(decimalsOf(step)));
      const size = (u, labels) => Math.max(44, 14 + 7.5 * Math.max(0, ...(labels ?? []).map((label) => label.length)));
      return {
        width: element.clientWidth, height: height(), legend: { show: false },
        scales: { x: { time: true, range: () => span }, y: { range: (u, low, high) => range(about, low, high) } },
        axes: [time, { ...axis, size, incrs: STEPS, values }],
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
        series: seriesOf(about),
        hooks: {
          drawAxes: [(u) => eachLine(u, about.lines, dashes)],
          draw: [(u) => eachLine(u, about.lines, names(about))],
          setCursor: [(u) => tell(u.cursor.idx == null ? null : rows[u.cursor.idx])],
        },
      };
    }

    function redraw() {
      plot?.destroy();
      plot = new uPlot(options(), columns(rows, about.names.length), element);
    }

    /* `newAbout`: key, names, lines, unit, decimals, as, from_zero; values are already in its unit. */
    function show(newRows, newAbout, fromMs, toMs) {
      const kind = JSON.stringify([newAbout.names, newAbout.key, newAbout.as]);
      rows = newRows;
      about = newAbout;
      span = [fromMs / 1000, Math.max(toMs / 1000, fromMs / 1000 + 60)];
      if (plot && kind === drawn) plot.setData(columns(rows, about.names.length));
      else redraw();
      drawn = kind;
    }

    new ResizeObserver(() => { if (plot && element.clientWidth) plot.setSize({ width: element.clientWidth, height: height() }); }).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (plot) redraw(); });
    return { show };
  }

  return { make, decimalsOf, COLOURS };
})();
