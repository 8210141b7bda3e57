// Small plots of the last minute, and how numbers and names are written.

const SVG = "http://www.w3.org/2000/svg";
const SAMPLES = 60;
const WIDTH = 60;
const HEIGHT = 16;

export class History {
  constructor() {
    this.values = [];
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > SAMPLES) this.values.shift();
  }

  get last() {
    return this.values.at(-1);
  }
}

// A number and its plot in a cell; drawn only when it is asked to.
export class Gauge {
  constructor(cell, format, least) {
    this.format = format;
    this.least = least; // the least that fills the plot: nothing is not to look like much
    this.history = new History();
    this.text = cell.appendChild(document.createTextNode(""));
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "spark");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    this.line = svg.appendChild(document.createElementNS(SVG, "polyline"));
    cell.append(svg);
    this.drawn = "";
  }

  add(value) {
    this.history.add(value);
  }

  clear() {
    this.history = new History();
  }

  draw() {
    const { values, last } = this.history;
    put(this.text, last === undefined ? "" : this.format(last));
    const most = Math.max(this.least, ...values);
    const first = SAMPLES - values.length;
    const points = values.map((value, i) => `${first + i},${(HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1)}`);
    const drawn = points.length > 1 ? points.join(" ") : "";
    if (drawn !== this.drawn) this.line.setAttribute("points", drawn);
    this.drawn = drawn;
  }
}

// Text that changes only when it is another: nothing is laid out, or read out, again.
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// As the command line names it: the first is 1, and what is run once has the manager's number.
export function placeOf({ name, index, pid }) {
  return index === null ? `${name}#${pid}` : `${name}.${index + 1}`;
}

export function percent(value) {
  return `${value.toFixed(1)} %`;
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(unit && value < 100 ? 1 : 0)} ${units[unit]}`;
}

export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}
