"use strict";
/* The level over time with its three lines; what is suspect or failed is marked, and a failed reading is no part of the line. */
const Hydrograph = (() => {
  const STATES = ["alert", "warning", "danger"];
  const STEPS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]; // metres between two lines of the grid
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  function columns(rows) {
    const t = [], level = [], suspect = [], failed = [];
    for (const [ms, v, q] of rows) {
      t.push(ms / 1000);
      level.push(q === 4 || q === 9 ? null : v);
      suspect.push(q === 3 ? v : null);
      failed.push(q === 4 ? v : null);
    }
    return [t, level, suspect, failed];
  }

  function range(lines, low, high) {
    const marks = Object.values(lines);
    const bottom = Math.min(low ?? Infinity, ...marks), top = Math.max(high ?? -Infinity, ...marks);
    if (!isFinite(bottom) || !isFinite(top)) return [0, 1];
    const room = Math.max((top - bottom) * 0.08, 0.05);
    return [bottom - room, top + room];
  }

  function eachLine(u, lines, draw) {
    const { ctx, bbox } = u, scale = devicePixelRatio;
    ctx.save();
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
  const names = (lines) => (ctx, name, left, y, width, scale) => {
    const text = `${name} ${lines[name].toFixed(2)} m`;
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

  /* `tell(row or null)` hears which reading the pointer is on. */
  function make(element, tell) {
    let plot = null, rows = [], lines = {}, span = [0, 1];
    const height = () => Math.max(260, Math.min(420, Math.round(innerHeight * 0.42)));

    function options() {
      const axis = { stroke: colour("soft"), grid: { stroke: colour("rule"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
      const time = { ...axis, space: 64, values: [
        [86400, "{D} {MMM}", null, null, null, null, null, null, 1],
        [3600, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
        [60, "{HH}:{mm}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
        [1, "{HH}:{mm}:{ss}", "\n{D} {MMM}", null, "\n{D} {MMM}", null, null, null, 1],
      ] };
      return {
        width: element.clientWidth, height: height(), legend: { show: false },
        scales: { x: { time: true, range: () => span }, y: { range: (u, low, high) => range(lines, low, high) } },
        axes: [time, { ...axis, size: 52, incrs: STEPS, values: (u, marks, _, __, step) => marks.map((v) => v.toFixed(step < 0.1 ? 2 : 1)) }],
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
        series: [
          {},
          { stroke: colour("accent"), width: 2.25, spanGaps: false, points: { show: false } },
          { paths: () => null, points: { show: marks("diamond", "suspect") } },
          { paths: () => null, points: { show: marks("cross", "failed") } },
        ],
        hooks: {
          drawAxes: [(u) => eachLine(u, lines, dashes)],
          draw: [(u) => eachLine(u, lines, names(lines))],
          setCursor: [(u) => tell(u.cursor.idx == null ? null : rows[u.cursor.idx])],
        },
      };
    }

    function show(newRows, newLines, fromMs, toMs) {
      rows = newRows;
      lines = newLines;
      span = [fromMs / 1000, Math.max(toMs / 1000, fromMs / 1000 + 60)];
      if (plot) plot.setData(columns(rows));
      else plot = new uPlot(options(), columns(rows), element);
    }

    function redraw() {
      if (!plot) return;
      plot.destroy();
      plot = new uPlot(options(), columns(rows), element);
    }

    new ResizeObserver(() => { if (plot && element.clientWidth) plot.setSize({ width: element.clientWidth, height: height() }); }).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    return { show };
  }

  return { make };
})();
