// The output of processes: the last lines of it, as text and nothing else.

import { placeOf } from "./spark.js";

const MOST_LINES = 2000;
const NEAR_THE_END = 40; // pixels

// What steers a terminal: colours, titles, cursor movements.
// eslint-disable-next-line no-control-regex
const SEQUENCES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;

export function readable(text) {
  return text
    .replace(SEQUENCES, "")
    .replace(/\r$/, "")
    .replace(CONTROLS, (c) => (c === "\x7f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0))));
}

export class Logs {
  constructor(element, note) {
    this.element = element;
    this.note = note;
    this.waiting = [];
    this.dropped = 0;
    this.scheduled = false;
    this.following = true;
    element.addEventListener("scroll", () => this.scrolled(), { passive: true });
  }

  clear() {
    this.waiting = [];
    this.dropped = 0;
    this.element.replaceChildren();
    this.note.textContent = "";
  }

  add(line) {
    this.put(() => this.lineOf(line));
  }

  missed(count) {
    this.put(() => {
      const note = document.createElement("div");
      note.className = "note";
      note.textContent = count === null ? "some lines are missing here" : `${count} lines are missing here`;
      return note;
    });
  }

  put(make) {
    this.waiting.push(make);
    if (this.waiting.length > MOST_LINES) this.waiting.shift();
    if (!this.scheduled) {
      this.scheduled = true;
      requestAnimationFrame(() => this.flush());
    }
  }

  flush() {
    this.scheduled = false;
    const lines = document.createDocumentFragment();
    for (const make of this.waiting) lines.append(make());
    this.waiting = [];
    this.element.append(lines);
    const excess = this.element.childElementCount - MOST_LINES;
    for (let i = 0; i < excess; i += 1) this.element.firstElementChild.remove();
    if (excess > 0) this.note.textContent = `the last ${MOST_LINES} lines`;
    if (this.following) this.toTheEnd();
  }

  lineOf(said) {
    const { node, stream, line } = said;
    const div = document.createElement("div");
    const who = document.createElement("span");
    who.className = "who";
    const sign = stream === "stdout" ? "" : stream === "stderr" ? "! " : `${stream}: `;
    who.textContent = `${node ? `${node} ` : ""}${placeOf(said)} ${sign}`;
    const what = document.createElement("bdi");
    if (stream === "stderr") what.className = "stderr";
    what.textContent = readable(line);
    div.append(who, what);
    return div;
  }

  follow(yes) {
    this.following = yes;
    if (yes) this.toTheEnd();
  }

  toTheEnd() {
    this.element.scrollTop = this.element.scrollHeight;
  }

  // Who scrolls up wants to read; who comes back to the end wants to follow.
  scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    const atTheEnd = scrollHeight - clientHeight - scrollTop < NEAR_THE_END;
    if (atTheEnd !== this.following) {
      this.following = atTheEnd;
      this.onfollow?.(atTheEnd);
    }
  }
}
