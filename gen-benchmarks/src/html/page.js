"use strict";

// Whatever stands in the data comes from a record and may hold any character, so it reaches the page
// only as text and as values of attributes. What a reader chose (words, order, theme, group, hidden
// series) stands in the fragment of the address, so that a view can be shared.

const { groups, comparison } = JSON.parse(
  document.querySelector('script[type="application/json"]').textContent,
);

// ---------------------------------------------------------------------------------------- elements

const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

const draw = (name, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

/** Pieces of prose: each begins with a letter for what it is. */
const prose = (pieces) =>
  pieces.map((piece) => {
    const name = { c: "code", s: "b" }[piece[0]];
    return name ? el(name, {}, piece.slice(1)) : piece.slice(1);
  });

/** A figure with its interval, which is less important. */
function figure(text) {
  const at = text.indexOf(" (");
  return at < 0 ? [text] : [text.slice(0, at), el("span", { class: "range" }, text.slice(at + 1))];
}

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

const english = new Intl.NumberFormat("en", { maximumFractionDigits: 20 });

const thousands = (number) => english.format(number);

// ------------------------------------------------------------------------------------------- state

const state = { q: "", sort: "", theme: "", group: "", off: new Set() };

function readState() {
  const parts = new URLSearchParams(location.hash.slice(1));
  for (const key of ["q", "sort", "theme", "group"]) state[key] = parts.get(key) ?? "";
  state.off = new Set(parts.getAll("off"));
}

function writeState() {
  const parts = new URLSearchParams();
  for (const key of ["q", "sort", "theme", "group"]) if (state[key]) parts.set(key, state[key]);
  for (const one of state.off) parts.append("off", one);
  history.replaceState(null, "", `#${parts}`);
}

/** What a hidden series is called in the state. */
const offKey = (group, series) => JSON.stringify([group.name, group.series[series]]);

const isOff = (group, series) => state.off.has(offKey(group, series));

// ----------------------------------------------------------------------------------------- figures

const UNITS = [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]];

const unitOf = (ns) => UNITS.findLast(([, size]) => size <= Math.abs(ns)) ?? UNITS[0];

/** The power of ten of the leading digit. */
const place = (value) => Number(value.toExponential().split("e")[1]);

function duration(ns) {
  const [unit, size] = unitOf(ns);
  return `${thousands(Number((ns / size).toPrecision(4)))} ${unit}`;
}

/** The label of a tick, in the unit that suits the largest of its axis. */
function tick(value, step, largest) {
  if (value === 0) return "0";
  const [unit, size] = unitOf(largest);
  const decimals = clamp(1 - place(step / size), 0, 20);
  return `${thousands(Number((value / size).toFixed(decimals)))} ${unit}`;
}

const SIZES = {
  ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40,
  k: 1e3, M: 1e6, G: 1e9,
};

/** The number that a cell begins with, in the smallest unit; NaN where it is none. */
function number(text) {
  const found = /^([+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?)\s*([^\s\d(]*)/.exec(text);
  return found ? Number(found[1].replaceAll(",", "")) * (SIZES[found[2]] ?? 1) : NaN;
}

// -------------------------------------------------------------------------------------------- axes

// As in the charts of BENCHMARKS.md: round ends, few ticks, zero on linear axes.

/** Values this close, relatively, are the same: quotients of round numbers are not round. */
const CLOSE = 1e-9;

function axis(log, low, high, ticks) {
  const along = (value) => (log ? Math.log(value) : value);
  const [start, end] = [along(low), along(high)];
  const at = (value) =>
    start >= end ? 0.5 : log && value <= low ? 0 : clamp((along(value) - start) / (end - start), 0, 1);
  return { log, low, ticks, at };
}

function linearAxis(low, high, count) {
  if (low === high) high = low + 1;
  const wanted = (high - low) / count;
  const power = 10 ** place(wanted);
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((one) => one >= wanted * (1 - CLOSE)) ?? wanted;
  const first = Math.floor(low / step + CLOSE);
  const last = Math.ceil(high / step - CLOSE);
  const largest = Math.max(Math.abs(first * step), last * step);
  const ticks = [];
  for (let index = first; index <= last; index++) ticks.push([index * step, tick(index * step, step, largest)]);
  return { ...axis(false, first * step, last * step, ticks), high: last * step };
}

function logAxis(low, high, count) {
  // Values that hardly differ get an axis around them.
  if (high < 1.02 * low) [low, high] = [low / 1.1, high * 1.1];
  if (high < 3 * low) {
    // Powers are too far apart to be read between.
    const { low: start, high: end, ticks } = linearAxis(low, high, count);
    if (start > 0) return axis(true, start, end, ticks);
  }
  const round = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++) {
    for (const digit of [1, 2, 5]) round.push({ power, digit, value: Number(`${digit}e${power}`) });
  }
  const start = Math.max(0, round.findLastIndex(({ value }) => value <= low * (1 + CLOSE)));
  const end = round.findIndex(({ value }) => value >= high * (1 - CLOSE));
  const covered = round.slice(start, end < 0 ? undefined : end + 1);
  // Too many: whole powers only; still too many: every second power, every third, ...
  const powers = covered.filter(({ digit }) => digit === 1).length;
  const every = Math.max(1, Math.ceil(powers / count));
  const all = covered.length <= count;
  const ticks = covered
    .filter(({ digit, power }) => all || (digit === 1 && power % every === 0))
    .map(({ value }) => [value, tick(value, value, value)]);
  return axis(true, covered[0].value, covered.at(-1).value, ticks);
}

/** The smallest and the largest of many values, or 1 and 1 of none. */
const ends = (values) =>
  values.length
    ? [values.reduce((one, other) => Math.min(one, other)), values.reduce((one, other) => Math.max(one, other))]
    : [1, 1];

/** The axis of values with their intervals. */
function valueAxis(log, points, count) {
  log &&= points.every((point) => point.y > 0);
  const all = points.flatMap((point) => [point.y, point.low, point.high]).filter((value) => !log || value > 0);
  const [low, high] = ends(all);
  return log ? logAxis(low, high, count) : linearAxis(Math.min(low, 0), Math.max(high, 0), count);
}

/** The axis of positions, from the first to the last. */
function positionAxis(log, positions) {
  const [low, high] = ends(positions);
  return log && low > 0 ? axis(true, low, high, []) : axis(false, Math.min(low, 0), Math.max(high, 0), []);
}

/** Which labels [position, width] can stand side by side: the last, and what touches neither it nor others. */
function thin(labels) {
  const gap = 12;
  const end = labels.length ? labels.at(-1)[0] - labels.at(-1)[1] / 2 - gap : 0;
  let free = -Infinity;
  return labels.map(([at, width], index) => {
    const isKept = index === labels.length - 1 || (at - width / 2 >= free && at + width / 2 <= end);
    if (isKept) free = at + width / 2 + gap;
    return isKept;
  });
}

/** Moves ascending positions apart until they are `step` from each other, as little as possible. */
function spread(wanted, step, low, high) {
  const pools = [];
  wanted.forEach((at, index) => {
    let pool = { mean: at - step * index, count: 1 };
    while (pools.length && pools.at(-1).mean > pool.mean) {
      const { mean, count } = pools.pop();
      pool = { mean: (mean * count + pool.mean * pool.count) / (count + pool.count), count: count + pool.count };
    }
    pools.push(pool);
  });
  const highest = Math.max(low, high - step * Math.max(0, wanted.length - 1));
  const flat = pools.flatMap(({ mean, count }) => Array(count).fill(mean));
  return flat.map((mean, index) => clamp(mean, low, highest) + step * index);
}

// ------------------------------------------------------------------------------------------ charts

const pen = document.createElement("canvas").getContext("2d");

function textWidth(text, style = "12px") {
  pen.font = `${style} ui-sans-serif, -apple-system, "Segoe UI", Inter, "DejaVu Sans", sans-serif`;
  return pen.measureText(text).width;
}

/** A text no wider than this: the middle of longer ones is left out. */
function shorten(text, width, style) {
  const characters = [...text];
  if (characters.length < 400 && textWidth(text, style) <= width) return text;
  const cut = (kept) => `${characters.slice(0, Math.ceil(kept / 2)).join("")}…${characters.slice(-Math.floor(kept / 2)).join("")}`;
  let [low, high] = [2, Math.min(characters.length - 1, 200)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (textWidth(cut(middle), style) <= width) low = middle;
    else high = middle - 1;
  }
  return cut(low);
}

/** 12 markers; with 5 colours no two of 60 series look alike. */
const MARKERS = [
  ["full", "M3.6 0a3.6 3.6 0 1 1-7.2 0a3.6 3.6 0 1 1 7.2 0z"],
  ["full", "M-3.2-3.2h6.4v6.4h-6.4z"],
  ["full", "M0-4.2 4.2 3.2h-8.4z"],
  ["full", "M0-4.6 4.6 0 0 4.6-4.6 0z"],
  ["hollow", "M-4.2 0h8.4M0-4.2v8.4"],
  ["hollow", "M3.6 0a3.6 3.6 0 1 1-7.2 0a3.6 3.6 0 1 1 7.2 0z"],
  ["hollow", "M-3.2-3.2h6.4v6.4h-6.4z"],
  ["hollow", "M0-4.2 4.2 3.2h-8.4z"],
  ["hollow", "M0-4.6 4.6 0 0 4.6-4.6 0z"],
  ["hollow", "M-3.4-3.4 3.4 3.4M-3.4 3.4 3.4-3.4"],
  ["full", "M0 4.2 4.2-3.2h-8.4z"],
  ["hollow", "M0 4.2 4.2-3.2h-8.4z"],
];

function marker(style, x, y) {
  const [look, path] = MARKERS[style % MARKERS.length];
  return draw("path", { class: `${look} c${style % 5}`, d: path, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` });
}

const path = (points) => `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;

const segment = (name, x1, y1, x2, y2) =>
  draw("path", { class: name, d: path([[x1, y1], [x2, y2]]) });

const label = (name, x, y, text, anchor) =>
  draw("text", { class: name, x: x.toFixed(1), y: y.toFixed(1), "text-anchor": anchor }, text);

/** More than this is not drawn; the table has it. */
const MOST_LINES = 40;
const MOST_BARS = 120;
/** With more lines than this, names stand in the legend only. */
const MOST_NAMES = 16;

/** The measured rows as points, by series in the order in which they are drawn. */
function pointsOf(group, rows) {
  const { styles } = group;
  return rows
    .filter((row) => group.time[row] !== null && !isOff(group, group.row_series[row]))
    .map((row) => ({
      row,
      series: group.row_series[row],
      style: styles[group.row_series[row]],
      input: group.row_inputs[row],
      y: group.time[row],
      low: group.low[row],
      high: group.high[row],
    }));
}

/**
 * What a chart is made of: the picture, and its points with their places and those of their processes.
 * A point is reached by pointer and by arrow keys.
 */
function chart(group, rows, width) {
  const points = pointsOf(group, rows);
  if (!group.chart || !points.length) return null;
  return (group.chart.is_line ? lineChart : barChart)(group, points, width);
}

function canvas(width, height, group, children) {
  return draw("svg", {
    class: "chart", width, height: Math.ceil(height), viewBox: `0 0 ${width} ${Math.ceil(height)}`,
    role: "group", "aria-label": `Chart: ${group.question} Arrow keys go from point to point; the table below holds the same data.`,
  }, ...children);
}

function lineChart(group, points, width) {
  const styles = [...new Set(points.map((point) => point.style))].sort((one, other) => one - other);
  const kept = new Set(styles.slice(0, MOST_LINES));
  const leftOut = styles.length - kept.size;
  const shown = points.filter((point) => kept.has(point.style));
  for (const point of shown) point.position = Number(group.inputs[point.input]);
  const lines = styles.slice(0, MOST_LINES).map((style) => {
    const own = shown.filter((point) => point.style === style).sort((one, other) => one.position - other.position);
    const { series, row } = own.at(-1);
    const growth = group.chart.growth[series];
    const value = group.cells[0][row].split(" (")[0];
    const isStrong = series === group.chart.strong;
    return { style, series, own, isStrong, growth, value };
  });
  const isNamed = width >= 560 && lines.length <= MOST_NAMES;
  const nameWidth = Math.min(280, width * 0.34);
  for (const line of lines) {
    line.name = shorten(group.series[line.series], nameWidth, line.isStrong ? "600 12px" : "12px");
    line.detail = [line.growth, line.value].filter(Boolean).join(", ");
  }
  const valueScale = valueAxis(group.chart.log_y, shown, 7);
  const positionScale = positionAxis(group.chart.log_x, shown.map((point) => point.position));
  const labelWidth = !isNamed ? 0 : Math.max(...lines.map((line) =>
    Math.max(textWidth(line.name, line.isStrong ? "600 12px" : "12px"), textWidth(line.detail, "11px"))));

  const step = 29;
  const top = 30;
  const left = Math.max(...valueScale.ticks.map(([, text]) => textWidth(text))) + 10;
  const height = Math.max(290, isNamed ? step * lines.length : 0);
  const bottom = top + height;
  const y = (value) => bottom - valueScale.at(value) * height;

  const named = lines.map((line) => ({ line, at: y(line.own.at(-1).y) })).sort((one, other) => one.at - other.at);
  const places = spread(named.map(({ at }) => at), step, top, bottom - 13);
  const moved = Math.max(0, ...named.map(({ at }, index) => Math.abs(at - places[index])));
  const lead = clamp(moved * 0.5, 12, 60);
  const names = width - labelWidth - 2;
  const right = isNamed ? names - 12 - lead : width - 6;
  const x = (position) => left + 12 + positionScale.at(position) * (right - left - 24);

  const children = [label("axis", 0, 12, `${group.chart.y_label}${valueScale.log ? ", log" : ""}`)];
  for (const [value, text] of valueScale.ticks) {
    children.push(segment("grid", left, y(value), right, y(value)));
    children.push(label("tick", left - 8, y(value) + 4, text, "end"));
  }
  const positions = [...new Map(shown.map((point) => [point.position, group.labels[point.input]]))];
  if (!positionScale.log && positions.every(([position]) => position !== 0)) positions.push([0, "0"]);
  positions.sort(([one], [other]) => one - other);
  const ticks = positions.map(([position, text]) => [x(position), shorten(text, 110)]);
  const standing = thin(ticks.map(([at, text]) => [at, textWidth(text)]));
  ticks.forEach(([at, text], index) => {
    if (!standing[index]) return;
    children.push(segment("grid fine", at, top, at, bottom));
    children.push(label("tick", at, bottom + 19, text, "middle"));
  });
  children.push(label("axis", (left + right) / 2, bottom + 38, group.chart.x_label + (positionScale.log ? ", log" : ""), "middle"));

  // What stands out is drawn last and lies on top.
  for (const line of [...lines].reverse()) {
    const color = `c${line.style % 5}`;
    const places = (end) => line.own.map((point) => [x(point.position), y(point[end])]);
    const lineOf = draw("g", { class: `series ${color}`, "data-series": line.series });
    lineOf.append(draw("path", { class: "band", d: `${path([...places("high"), ...places("low").reverse()])}z` }));
    for (const point of line.own) {
      point.x = x(point.position);
      point.top = y(point.y);
      point.dots = group.processes[point.row].map((value) => [point.x, y(value)]);
      if (y(point.high) < y(point.low)) {
        lineOf.append(segment("whisker", point.x, y(point.high), point.x, y(point.low)));
      }
    }
    const look = `line${line.isStrong ? " strong" : ""} d${Math.floor(line.style / 5) % 4}`;
    const fit = group.chart.fit[line.series];
    if (fit) lineOf.append(fitOf(fit, line.own, x, y));
    lineOf.append(draw("path", { class: look, d: path(places("y")) }));
    lineOf.append(...line.own.map((point) => marker(line.style, point.x, point.top)));
    children.push(lineOf);
  }
  if (isNamed) {
    named.forEach(({ line, at }, index) => {
      const place = places[index];
      const last = line.own.at(-1);
      const leader = draw("path", {
        class: "leader", d: path([[x(last.position) + 6, at], [right - 4, at], [names - 15, place]]),
      });
      const look = line.isStrong ? "strong" : "name";
      children.push(draw("g", { class: `series c${line.style % 5}`, "data-series": line.series },
        leader, marker(line.style, names - 10, place), label(look, names, place + 4, line.name),
        label("detail", names, place + 17, line.detail)));
    });
  }
  return { svg: canvas(width, bottom + 46, group, children), points: shown, leftOut, what: "series" };
}

/** The power of the position that times follow, from the first to the last of the points. */
function fitOf([factor, exponent], points, x, y) {
  const [first, last] = [points[0].position, points.at(-1).position];
  const STEPS = 24;
  const places = Array.from({ length: STEPS + 1 }, (_, step) => {
    const position = first * (last / first) ** (step / STEPS);
    return [x(position), y(factor * position ** exponent)];
  });
  return draw("path", { class: "fit", d: path(places) });
}

function barChart(group, points, width) {
  const shown = points.slice(0, MOST_BARS);
  const scale = valueAxis(group.chart.log_y, shown, width < 500 ? 3 : 5);
  const inputs = [...new Set(shown.map((point) => point.input))];
  // What cannot be told by position is told by order.
  const order = (one, other) => (inputs.length > 1 ? one.series - other.series : one.y - other.y);
  const single = new Set(shown.map((point) => point.series)).size === 1 && inputs.length > 1;
  const sections = single ? [{ rows: shown }] : inputs.map((input) => ({
    heading: inputs.length > 1 ? group.labels[input] : undefined,
    rows: shown.filter((point) => point.input === input).sort(order),
  }));
  const nameOf = (point) => (single ? group.labels[point.input] : group.series[point.series]);
  const isStrong = (point) => point.series === group.chart.strong;
  const font = (point) => (isStrong(point) ? "600 12px" : "12px");
  const valueOf = (point) => group.cells[0][point.row].split(" (")[0];
  const nameWidth = Math.min(300, width * 0.36);
  for (const point of shown) point.name = shorten(nameOf(point), nameWidth, font(point));
  const left = Math.max(...shown.map((point) => textWidth(point.name, font(point)))) + 8;
  // As wide as the values beside the longest bars allow.
  const fits = shown.map((point) => {
    const end = scale.at(point.high);
    const room = width - textWidth(valueOf(point), "600 12px") - 12 - left;
    return end > 0 ? left + room / end : width;
  });
  const right = Math.max(left + 80, Math.min(width - 8, ...fits));
  const x = (value) => left + scale.at(value) * (right - left);
  const [rowHeight, thickness] = shown.length > 12 ? [21, 12] : [32, 20];
  const children = [label("axis", 0, 12, group.chart.x_label)];
  let y = 22;
  const ticks = scale.ticks.map(([value, text]) => [x(value), text]);
  const standing = thin(ticks.map(([at, text]) => [at, textWidth(text)]));
  for (const { heading, rows } of sections) {
    if (heading !== undefined) {
      children.push(label("strong", 0, y + 16, shorten(heading, width, "600 12px")));
      y += 24;
    }
    const end = y + rowHeight * rows.length;
    ticks.forEach(([at], index) => standing[index] && children.push(segment("grid fine", at, y, at, end)));
    for (const point of rows) {
      const middle = y + rowHeight / 2;
      const color = isStrong(point) ? "c0" : "c4";
      const bar = draw("g", { class: `series ${color}`, "data-series": point.series });
      bar.append(label(isStrong(point) ? "strong" : "name", left - 8, middle + 4, point.name, "end"));
      if (!scale.log) {
        bar.append(draw("path", {
          class: "bar-fill",
          d: `M${x(0)} ${middle - thickness / 2}H${x(point.y)}v${thickness}H${x(0)}z`,
        }));
      }
      if (point.low < point.high) {
        bar.append(segment("bar-whisker", x(point.low), middle, x(point.high), middle));
        for (const at of [x(point.low), x(point.high)]) bar.append(segment("bar-whisker", at, middle - 3, at, middle + 3));
      }
      if (scale.log) bar.append(draw("circle", { class: "full", cx: x(point.y), cy: middle, r: 4.5 }));
      bar.append(label("strong", x(Math.max(point.high, 0)) + 8, middle + 4, valueOf(point)));
      children.push(bar);
      point.x = x(point.y);
      point.top = middle;
      point.dots = group.processes[point.row].map((value) => [x(value), middle]);
      y += rowHeight;
    }
  }
  ticks.forEach(([at, text], index) => standing[index] && children.push(label("tick", at, y + 16, text, "middle")));
  children.push(label("axis", (left + right) / 2, y + 36, `${group.chart.y_label}${scale.log ? ", log" : ""}`, "middle"));
  return { svg: canvas(width, y + 44, group, children), points: shown, leftOut: points.length - shown.length, what: "bars" };
}

// --------------------------------------------------------------------------------------- processes

const tip = byId("tip");

const processNumbers = (group, row) => group.numbers.find(([one]) => one === row)?.[1];

/** What every process of a case measured, as words. */
function processesOf(group, row) {
  const numbers = processNumbers(group, row);
  return group.processes[row].map((value, index) => [numbers ? numbers[index] : index + 1, duration(value)]);
}

/** Most processes that are listed. */
const MOST_PROCESSES = 40;

/** The values of the processes on a line, with the interval and the median. */
function strip(group, row) {
  const values = group.processes[row];
  const [low, high] = ends(values);
  const x = (value) => (high > low ? 6 + ((value - low) / (high - low)) * 228 : 120);
  return draw("svg", { width: 240, height: 18, viewBox: "0 0 240 18", "aria-hidden": "true", class: "chart" },
    segment("grid", 0, 9, 240, 9),
    segment("bar-whisker", x(group.low[row]), 9, x(group.high[row]), 9),
    segment("bar-whisker", x(group.time[row]), 2, x(group.time[row]), 16),
    ...values.map((value) => draw("circle", { class: "dot", cx: x(value).toFixed(1), cy: 9, r: 3.5 })));
}

/** Which group the tip is about, and where on the screen it belongs; pages scroll. */
let tipped;
let anchor;

function placeTip() {
  const box = anchor();
  const { width, height } = tip.getBoundingClientRect();
  const above = box.top - height - 12;
  tip.style.left = `${clamp(box.left + box.width / 2 - width / 2, 8, Math.max(8, innerWidth - width - 8))}px`;
  tip.style.top = `${above > 60 ? above : box.bottom + 12}px`;
}

function showTip(group, row, box) {
  const processes = processesOf(group, row);
  const more = processes.length - MOST_PROCESSES;
  tip.replaceChildren(
    el("p", {}, el("b", {}, el("bdi", {}, group.series[group.row_series[row]])), " ",
      el("span", { class: "muted" }, el("bdi", {}, `${group.chart?.x_label ?? ""} ${group.labels[group.row_inputs[row]]}`))),
    el("p", {}, ...figure(group.cells[0][row])),
    strip(group, row),
    el("p", { class: "muted" }, "median of each process"),
    el("ol", {}, ...processes.slice(0, MOST_PROCESSES).map(([number, value]) => el("li", {}, el("span", {}, number), value)),
      ...(more > 0 ? [el("li", { class: "muted" }, `and ${more} more`)] : [])));
  tip.hidden = false;
  [tipped, anchor] = [group, box];
  placeTip();
}

const hideTip = () => (tip.hidden = true);

/** Marks a point of a chart, and the row of the table that says the same. */
function mark(group, point, isKeyboard) {
  const { drawn } = group;
  if (!drawn) return;
  drawn.marked.replaceChildren();
  for (const series of drawn.svg.querySelectorAll(".series")) {
    series.classList.toggle("dim", Boolean(point) && series.dataset.series !== String(point.series));
  }
  for (const row of group.results.rows()) row.classList.toggle("on", Boolean(point) && row.dataset.row === String(point.row));
  if (!point) return;
  drawn.marked.append(...point.dots.map(([cx, cy]) => draw("circle", { class: "dot", cx: cx.toFixed(1), cy: cy.toFixed(1), r: 2.6 })),
    draw("circle", { class: "ring", cx: point.x, cy: point.top, r: isKeyboard ? 9 : 7.5 }));
}

/** Where a point is on the screen. */
function boxOf(drawn, point) {
  const { left, top, width } = drawn.svg.getBoundingClientRect();
  const zoom = width / drawn.svg.viewBox.baseVal.width;
  const [x, y] = [left + point.x * zoom, top + point.top * zoom];
  return { left: x, top: y - 6, bottom: y + 6, width: 0 };
}

/** The point that an arrow leads to. */
function neighbour(points, from, key) {
  const isSideways = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  if (key === "Home") return points[0];
  if (key === "End") return points.at(-1);
  const along = (point) => (isSideways ? point.x - from.x : point.top - from.top) * sign;
  const across = (point) => Math.abs(isSideways ? point.top - from.top : point.x - from.x);
  const ahead = points.filter((point) => point !== from && along(point) > 0.05);
  const own = isSideways ? ahead.filter((point) => point.series === from.series) : ahead;
  const cost = (point) => along(point) + 3 * across(point);
  return own.reduce((best, point) => (!best || cost(point) < cost(best) ? point : best), undefined);
}

/** Lets pointer and keys reach the points of a chart. */
function connect(group, drawn) {
  const { svg, points } = drawn;
  drawn.marked = draw("g", { class: "marked", "aria-hidden": "true" });
  svg.append(drawn.marked);
  const targets = points.map((point, index) => {
    const name = `${group.series[point.series]}, ${group.chart.x_label} ${group.labels[point.input]}: ${group.cells[0][point.row]}`;
    return draw("circle", {
      class: "point", cx: point.x.toFixed(1), cy: point.top.toFixed(1), r: 9, fill: "transparent",
      role: "img", tabindex: index ? -1 : 0, "aria-label": name, "aria-describedby": "tip", "data-at": index,
    });
  });
  svg.append(...targets);
  const show = (point, isKeyboard) => {
    mark(group, point, isKeyboard);
    if (point) showTip(group, point.row, () => boxOf(drawn, point));
    else hideTip();
  };
  svg.addEventListener("pointermove", (event) => {
    const { left, top, width } = svg.getBoundingClientRect();
    const zoom = svg.viewBox.baseVal.width / width;
    const [x, y] = [(event.clientX - left) * zoom, (event.clientY - top) * zoom];
    const far = (point) => (group.chart.is_line ? Math.hypot(point.x - x, point.top - y) : Math.abs(point.top - y) * 3);
    const nearest = points.reduce((best, point) => (far(point) < far(best) ? point : best));
    show(far(nearest) < 48 ? nearest : undefined, false);
  });
  svg.addEventListener("pointerleave", () => show(undefined));
  svg.addEventListener("focusin", ({ target }) => show(points[target.dataset.at], true));
  svg.addEventListener("focusout", () => show(undefined));
  svg.addEventListener("keydown", (event) => {
    const from = points[event.target.dataset?.at];
    if (!from || !/^(Arrow|Home|End)/.test(event.key)) return;
    event.preventDefault();
    const to = neighbour(points, from, event.key);
    if (!to) return;
    targets.forEach((target) => target.setAttribute("tabindex", -1));
    const target = targets[points.indexOf(to)];
    target.setAttribute("tabindex", 0);
    target.focus();
  });
}

// ------------------------------------------------------------------------------------------ tables

const collator = new Intl.Collator("en", { numeric: true });

const VERDICTS = ["regressed", "inconclusive", "improved", "equivalent"];

/** The order of what is sorted by; what has no number is last whatever the direction. */
function compare(one, other, direction) {
  if (typeof one === "string") return direction * collator.compare(one, other);
  if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other);
  return direction * (one - other);
}

/** The rows in the order that the state asks for, as far as these columns know it. */
function ordered(rows, columns) {
  const direction = state.sort.startsWith("-") ? -1 : 1;
  const column = columns.find(({ key }) => key === state.sort.replace(/^-/, ""));
  if (!column) return rows;
  const keyed = rows.map((row) => [row, column.order(row)]);
  keyed.sort(([, one], [, other]) => compare(one, other, direction));
  return keyed.map(([row]) => row);
}

/** Ascending, descending, as the record has it. */
function sortBy(key) {
  state.sort = state.sort === key ? `-${key}` : state.sort === `-${key}` ? "" : key;
  changed();
}

/**
 * How many more rows a reader gets who asks for them: with 5,000 in view a key in the search box takes
 * over a second (headless Chromium, 2-core x86-64 VM, 2026-11).
 */
const MORE_ROWS = 500;

/**
 * A table with columns { key, title, isNumber, order(row), cell(row) }, of whose rows the first are
 * shown until a reader asks for more. Up and down go from row to row.
 */
function results(caption, columns, most, rowOf, onRow) {
  const heads = columns.map(({ key, title, isNumber }) => {
    const button = el("button", { type: "button" }, title);
    button.addEventListener("click", () => sortBy(key));
    return el("th", { scope: "col", class: isNumber && "n" }, button);
  });
  const body = el("tbody");
  const more = el("button", { type: "button", class: "more" });
  const node = el("div", { class: "results" },
    el("div", { class: "scroll" }, el("table", {}, el("caption", { class: "heard" }, caption), el("thead", {}, el("tr", {}, ...heads)), body)),
    more);
  let limit = most;
  let latest = [];
  const show = (rows) => {
    latest = rows;
    const sorted = ordered(rows, columns);
    columns.forEach(({ key }, index) => {
      const sort = state.sort === key ? "ascending" : state.sort === `-${key}` ? "descending" : undefined;
      if (sort) heads[index].setAttribute("aria-sort", sort);
      else heads[index].removeAttribute("aria-sort");
    });
    const shown = sorted.slice(0, limit);
    body.replaceChildren(...shown.map((row, index) => rowOf(row, shown[index - 1])));
    body.firstElementChild?.setAttribute("tabindex", 0);
    more.hidden = shown.length === sorted.length;
    const all = `${thousands(sorted.length)} rows`;
    more.textContent = sorted.length <= limit + MORE_ROWS ? `Show all ${all}` : `Show ${MORE_ROWS} more of ${all}`;
  };
  more.addEventListener("click", () => {
    const first = limit;
    limit += MORE_ROWS;
    show(latest);
    body.children[first]?.focus();
  });
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const to = {
      ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling,
      Home: body.firstElementChild, End: body.lastElementChild,
    }[event.key];
    if (!to || event.target !== row) return;
    event.preventDefault();
    row.setAttribute("tabindex", -1);
    to.setAttribute("tabindex", 0);
    to.focus();
  });
  if (onRow) {
    const rowAt = (target) => target.closest("tr")?.dataset.row;
    body.addEventListener("focusin", ({ target }) => onRow(rowAt(target), target, true));
    body.addEventListener("focusout", () => onRow());
    body.addEventListener("pointerover", ({ target }) => onRow(rowAt(target), target.closest(".time"), false));
    body.addEventListener("pointerleave", () => onRow());
  }
  return {
    node, show, rows: () => body.children,
    whole() {
      limit = Infinity;
      show(latest);
    },
  };
}

// ------------------------------------------------------------------------------------------ groups

/** Rows of a group that are shown at first. */
const MOST_ROWS = 24;

function prepare(group, at) {
  const { strong } = group.chart ?? {};
  const rank = group.series.map((_, series) => series).sort((one, other) => (other === strong) - (one === strong) || one - other);
  const styles = [];
  rank.forEach((series, style) => (styles[series] = style));
  const failures = new Map(group.failed);
  const verdicts = group.cells[group.head.findIndex(([key]) => key === "verdict") - 2];
  Object.assign(group, {
    at, styles,
    isBuilt: false, isStale: true,
    failures, best: new Set(group.fastest),
    ids: group.row_series.map((series, row) => {
      const parts = [group.name, group.series[series], group.inputs[group.row_inputs[row]]];
      const marks = [verdicts?.[row], failures.has(row) && "failed"].filter(Boolean);
      return `${parts.join("/")} ${marks.join(" ")}`.toLowerCase();
    }),
  });
  const name = el("code", {}, group.name);
  group.link = el("li", {}, el("a", { href: `#${new URLSearchParams({ group: group.name })}`, title: group.question }, el("bdi", {}, group.name)));
  const link = el("a", { href: group.link.firstChild.getAttribute("href"), "aria-label": `Link to ${group.name}` }, name);
  for (const one of [group.link.firstChild, link]) {
    one.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      state.group = group.name;
      writeState();
      goTo(group);
    });
  }
  group.section = el("section", { class: "group", id: `g${at}`, "data-at": at, "aria-labelledby": `g${at}h` },
    el("header", {}, el("h3", { id: `g${at}h`, tabindex: -1 }, group.question), link));
  const rows = group.row_series.length;
  const picture = !group.chart ? 0 : group.chart.is_line ? 400 : Math.min(rows, MOST_BARS) * 22 + 90;
  group.section.style.minHeight = `${220 + picture + Math.min(rows, MOST_ROWS) * 29}px`;
}

/** The parts of a group that stay; `update` fills them. */
function build(group) {
  group.isBuilt = true;
  const [axisHead, seriesHead, ...heads] = group.head;
  const hasInputs = group.inputs.some((input) => input !== "");
  const text = (column) => (row) => group.cells[column][row];
  const columns = [
    ...(hasInputs ? [{ key: axisHead[0], title: axisHead[1], isNumber: group.is_numeric, order: (row) => group.row_inputs[row] }] : []),
    { key: seriesHead[0], title: seriesHead[1], order: (row) => group.series[group.row_series[row]] },
    ...heads.map(([key, title], column) => ({
      key, title, isNumber: key !== "verdict",
      order: (row) => {
        if (group.failures.has(row)) return NaN;
        if (key === "time") return group.time[row];
        const cell = text(column)(row);
        return key !== "verdict" ? number(cell) : cell ? VERDICTS.indexOf(cell) : NaN;
      },
    })),
  ];
  const rowOf = (row, before) => {
    const [input, series] = [group.row_inputs[row], group.row_series[row]];
    const isFirst = before !== undefined && !state.sort && group.row_inputs[before] !== input;
    const cells = [
      ...(hasInputs ? [el("td", { class: group.is_numeric ? "input n" : "input" }, el("bdi", {}, group.labels[input]))] : []),
      el("th", { scope: "row" }, el("bdi", {}, group.series[series])),
    ];
    if (group.failures.has(row)) {
      cells.push(el("td", { class: "failed", colspan: heads.length }, `failed: ${group.failures.get(row)}`));
    } else {
      heads.forEach(([key], column) => {
        const cell = text(column)(row);
        if (key === "verdict") cells.push(el("td", { class: cell }, cell));
        else if (key === "time" && group.best.has(row)) cells.push(el("td", { class: "n time best" }, ...figure(cell).map((part) => (part.nodeType ? part : el("b", {}, part)))));
        else cells.push(el("td", { class: key === "time" ? "n time" : "n" }, ...figure(cell)));
      });
    }
    return el("tr", { tabindex: -1, class: isFirst && "first", "data-row": row, "aria-describedby": "tip" }, ...cells);
  };
  const onRow = (row, target, isKeyboard) => {
    const point = group.drawn?.points.find((one) => String(one.row) === row);
    mark(group, point, isKeyboard);
    if (row === undefined || !target || group.time[row] === null) return hideTip();
    const time = target.querySelector?.(".time") ?? target;
    showTip(group, Number(row), () => time.getBoundingClientRect());
  };
  group.results = results(`Results of ${group.name}`, columns, MOST_ROWS, rowOf, onRow);
  group.picture = el("figure");
  group.legend = group.series.length > 1 && group.chart ? el("div", { class: "legend", role: "group", "aria-label": "Series shown" }) : null;
  group.chips = [];
  if (group.legend) {
    group.styles.map((style, series) => [style, series]).sort(([one], [other]) => one - other).forEach(([style, series]) => {
      // Bars have one colour for what stands out and one for the rest.
      const look = group.chart.is_line ? style : series === group.chart.strong ? 0 : 4;
      const sample = group.chart.is_line ? marker(style, 7, 7) : draw("path", { class: `full c${look}`, d: "M2 2h10v10h-10z" });
      const chip = el("button", { type: "button", class: "chip", title: "Hides or shows the series; with Shift shows only this one" },
        draw("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" }, sample), el("bdi", {}, group.series[series]));
      chip.addEventListener("click", (event) => toggle(group, series, event.shiftKey));
      group.chips[series] = chip;
      group.legend.append(chip);
    });
    group.all = el("button", { type: "button", class: "chip" }, "Show all");
    group.all.addEventListener("click", () => toggle(group));
    group.legend.append(group.all);
  }
  group.section.style.minHeight = "";
  group.section.append(
    el("p", { class: "work" }, ...prose(group.work)),
    ...group.notes.map(([kind, pieces]) => el("p", { class: `note ${kind}` }, el("b", {}, { takeaway: "Takeaway ", doubtful: "Doubtful " }[kind] ?? ""), ...prose(pieces))),
    ...[group.legend].filter(Boolean), group.picture, group.results.node);
}

/** Hides or shows a series, shows only it, or shows all where none is named. */
function toggle(group, series, isAlone) {
  const keys = group.series.map((_, index) => offKey(group, index));
  if (series === undefined) keys.forEach((key) => state.off.delete(key));
  else if (isAlone) keys.forEach((key, index) => (index === series ? state.off.delete(key) : state.off.add(key)));
  else if (!state.off.delete(keys[series])) state.off.add(keys[series]);
  writeState();
  update(group);
  if (series === undefined) group.chips[0].focus();
}

function drawPicture(group) {
  const width = Math.round(clamp(group.section.clientWidth - 46, 260, 900));
  group.width = width;
  const drawn = chart(group, group.matches, width);
  group.drawn = drawn;
  if (!drawn) return group.picture.replaceChildren();
  connect(group, drawn);
  const caption = drawn.leftOut > 0
    ? `${group.chart.subtitle} · ${thousands(drawn.leftOut)} more ${drawn.what} are in the table only`
    : group.chart.subtitle;
  group.picture.replaceChildren(drawn.svg, el("figcaption", {}, caption));
}

/** Shows what the state asks for in a group. */
function update(group) {
  if (!group.isBuilt) build(group);
  group.isStale = false;
  if (tipped === group) hideTip();
  const matched = new Set(group.matches.map((row) => group.row_series[row]));
  group.chips.forEach((chip, series) => {
    chip.setAttribute("aria-pressed", !isOff(group, series));
    chip.hidden = !matched.has(series);
  });
  if (group.all) group.all.hidden = !group.series.some((_, series) => isOff(group, series));
  drawPicture(group);
  group.results.show(group.matches.filter((row) => !isOff(group, group.row_series[row])));
}

function goTo(group) {
  byId("nav").classList.remove("open");
  byId("menu").setAttribute("aria-expanded", "false");
  if (!group.section.hidden && group.isStale) update(group);
  group.section.scrollIntoView();
  byId(`g${group.at}h`).focus({ preventScroll: true });
}

// -------------------------------------------------------------------------------------- comparison

function compared() {
  if (!comparison) return;
  const { rows } = comparison;
  const at = (row) => rows.place[row];
  const idOf = (row) => {
    if (!at(row)) return rows.id[row];
    const group = groups[at(row)[0]];
    return `${group.name}/${group.series[group.row_series[at(row)[1]]]}/${group.inputs[group.row_inputs[at(row)[1]]]}`;
  };
  const ids = rows.verdict.map((_, row) => idOf(row));
  const verdict = (row) => comparison.verdicts[rows.verdict[row]];
  const texts = (column) => ({ order: (row) => rows[column][row], cell: (row) => rows[column][row] });
  const figures = (column) => ({ isNumber: true, order: (row) => number(rows[column][row]), cell: (row) => rows[column][row] });
  const columns = [
    { key: "verdict", title: "verdict", order: (row) => VERDICTS.indexOf(verdict(row)), cell: verdict },
    { key: "case", title: "case", order: (row) => ids[row], cell: (row) => ids[row] },
    { key: "metric", title: "metric", ...texts("metric") },
    { key: "change", title: "new / old", ...figures("ratio") },
    { key: "old", title: "old", ...figures("old") },
    { key: "new", title: "new", ...figures("new") },
    { key: "visible", title: "smallest visible", ...figures("visible") },
    { key: "why", title: "", order: (row) => comparison.reasons[rows.reason[row]], cell: (row) => comparison.reasons[rows.reason[row]] },
  ];
  const rowOf = (row) => el("tr", { tabindex: -1 }, ...columns.map(({ key, isNumber, cell }) => {
    const text = cell(row);
    if (key === "verdict") return el("td", { class: text }, text);
    if (key !== "case") return el("td", { class: isNumber && "n" }, ...(isNumber ? figure(text) : [text]));
    if (!at(row)) return el("th", { scope: "row" }, el("bdi", {}, text));
    const group = groups[at(row)[0]];
    const link = el("a", { href: group.link.firstChild.getAttribute("href") }, el("bdi", {}, text));
    link.addEventListener("click", (event) => {
      event.preventDefault();
      goTo(group);
    });
    return el("th", { scope: "row" }, link);
  }));
  const table = results("What changed", columns, 50, rowOf);
  const list = (title, names) => !names.length ? [] : [
    el("details", {}, el("summary", {}, `${title}: ${thousands(names.length)}`), el("ul", {}, ...names.map((name) => el("li", {}, el("code", {}, name))))),
  ];
  const section = byId("comparison");
  section.hidden = false;
  section.append(
    el("h2", { id: "compared" }, "Compared with ", el("code", {}, comparison.base)),
    ...comparison.about.map((line) => el("p", { class: "work" }, line)),
    el("ul", { class: "counts" }, ...comparison.verdicts.map((name, index) =>
      el("li", { class: name }, el("b", {}, thousands(comparison.counts[index])), name))),
    ...list("Gone, only on the old side", comparison.missing),
    ...list("New, only on the new side", comparison.new),
    table.node);
  comparison.table = table;
  comparison.filter = (words) => {
    const all = rows.verdict.map((_, row) => row);
    comparison.matches = all.filter((row) => {
      const text = `${ids[row]} ${verdict(row)}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  };
}

// -------------------------------------------------------------------------------------------- page

/** How far from what can be seen groups are filled, in pixels. */
const MARGIN = 800;

const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const group = groups[target.dataset.at];
    if (isIntersecting && group.isStale) update(group);
  }
}, { rootMargin: `${MARGIN}px` });

/** Fills what can be seen, and a little more. */
function fillView() {
  for (const group of groups) {
    if (group.section.hidden) continue;
    const { top, bottom } = group.section.getBoundingClientRect();
    if (top > innerHeight + MARGIN) break;
    if (bottom > -MARGIN && group.isStale) update(group);
  }
}

/** The group that is being read, in the list of groups. */
const read = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const link = groups[target.dataset.at].link.firstChild;
    if (!isIntersecting) {
      link.removeAttribute("aria-current");
    } else {
      link.setAttribute("aria-current", "true");
      if (!byId("nav").matches(":hover, :focus-within")) link.scrollIntoView({ block: "nearest" });
    }
  }
}, { rootMargin: "-25% 0px -74% 0px" });

const total = groups.reduce((sum, group) => sum + group.row_series.length, 0);

/** Chooses the cases that hold every word, and shows what is in view. */
function filter() {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  let [cases, some] = [0, 0];
  for (const group of groups) {
    group.matches = [];
    group.ids.forEach((id, row) => words.every((word) => id.includes(word)) && group.matches.push(row));
    cases += group.matches.length;
    some += group.matches.length > 0;
    group.section.hidden = group.link.hidden = !group.matches.length;
  }
  for (const heading of document.querySelectorAll("[data-from]")) {
    const { from, to } = heading.dataset;
    heading.hidden = groups.slice(from, to).every((group) => group.section.hidden);
  }
  byId("status").textContent = words.length
    ? `${thousands(cases)} of ${thousands(total)} cases in ${thousands(some)} group${some === 1 ? "" : "s"}`
    : `${thousands(total)} cases`;
  byId("nothing").hidden = cases > 0;
  byId("nothing").textContent = cases ? "" : `No case matches “${state.q}”. Escape clears the filter.`;
  comparison?.filter(words);
}

/** Shows the state everywhere; what is not in view waits until it is. */
function changed() {
  writeState();
  show();
}

function show() {
  const { theme } = state;
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", isDark() ? "Use the light theme" : "Use the dark theme");
  byId("q").value = state.q;
  filter();
  comparison?.table.show(comparison.matches);
  groups.forEach((group) => (group.isStale = true));
  fillView();
}

const system = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (state.theme ? state.theme === "dark" : system.matches);

function start() {
  groups.forEach(prepare);
  let from = 0;
  while (from < groups.length) {
    const { section } = groups[from];
    const title = groups[from].section_title;
    let to = from;
    while (to < groups.length && groups[to].section_title === title) to++;
    const heading = el("h2", { "data-from": from, "data-to": to }, title);
    byId("groups").append(heading, ...groups.slice(from, to).map((group) => group.section));
    byId("nav").append(el("h2", { "data-from": from, "data-to": to }, title),
      el("ul", {}, ...groups.slice(from, to).map((group) => group.link)));
    from = to;
  }
  compared();
  const rest = [...document.querySelectorAll(".intro h2[id], #comparison h2[id], .prose h2[id]")];
  const links = rest.map((heading) => el("li", {}, el("a", { href: `#${heading.id}` }, heading.textContent)));
  if (links.length) byId("nav").append(el("h2", {}, "About the record"), el("ul", {}, ...links));
  readState();
  show();
  for (const { section } of groups) {
    near.observe(section);
    read.observe(section);
  }
  const chosen = groups.find(({ name }) => name === state.group);
  if (chosen) goTo(chosen);
}

byId("q").addEventListener("input", ({ target }) => {
  state.q = target.value;
  changed();
});

byId("theme").addEventListener("click", () => {
  const next = isDark() ? "light" : "dark";
  state.theme = (next === "dark") === system.matches ? "" : next;
  changed();
});

byId("menu").addEventListener("click", () => {
  byId("menu").setAttribute("aria-expanded", byId("nav").classList.toggle("open"));
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, textarea, select");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("q").focus();
    byId("q").select();
  } else if (event.key === "Escape") {
    if (!tip.hidden) return hideTip();
    if (state.q) {
      state.q = "";
      changed();
    }
  }
});

addEventListener("hashchange", () => {
  // A link to a heading is followed by the browser and changes nothing else.
  if (location.hash && !location.hash.includes("=")) return;
  readState();
  show();
  const chosen = groups.find(({ name }) => name === state.group);
  if (chosen) goTo(chosen);
});

system.addEventListener("change", show);
addEventListener("scroll", () => {
  // Who goes by keys scrolls on the way; who scrolls by pointer has left what was pointed at.
  if (tip.hidden) return;
  if (document.activeElement?.matches(".point, tr")) placeTip();
  else hideTip();
}, { passive: true });
let pageWidth = innerWidth;
addEventListener("resize", () => {
  // On a phone, scrolling changes the height.
  if (innerWidth === pageWidth) return;
  pageWidth = innerWidth;
  groups.forEach((group) => (group.isStale = true));
  fillView();
});
addEventListener("beforeprint", () => {
  for (const group of groups) {
    if (group.section.hidden) continue;
    if (group.isStale) update(group);
    group.results.whole();
  }
  comparison?.table.whole();
});

start();
