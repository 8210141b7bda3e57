// Templates and their processes, and nodes: rows that stay, of which only what is another is changed.

import { Gauge, bytes, duration, percent, placeOf, put } from "./spark.js";

const MANY = 25; // processes of a template that are not folded away
const CPU_LEAST = 10; // per cent
const MEMORY_LEAST = 1 << 20;
const HERE = "this machine";

const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);
const keyOf = (process) => `${process.node ?? ""}/${process.index ?? `pid ${process.pid}`}`;

// Takes a row away; who has the focus in it gets another, near by.
function remove(element, instead) {
  if (element.contains(document.activeElement)) instead.focus();
  element.remove();
}

// As put() does with text: an attribute that is set again is looked at again.
function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function showState(row, cell, state, more) {
  set(row, "data-state", state);
  put(cell.word, state);
  put(cell.more, more);
}

function stateCell(row) {
  const cell = row.querySelector(".state");
  const word = cell.appendChild(document.createElement("b"));
  const more = cell.appendChild(document.createElement("small"));
  return { word, more };
}

function gauges(row) {
  return {
    cpu: new Gauge(row.querySelector(".cpu"), percent, CPU_LEAST),
    memory: new Gauge(row.querySelector(".memory"), bytes, MEMORY_LEAST),
  };
}

class Row {
  constructor(element) {
    this.element = element;
    this.visible = false;
    Object.assign(this, gauges(element));
    element.row = this;
  }

  add(cpu, memory) {
    this.cpu.add(cpu);
    this.memory.add(memory);
  }

  draw() {
    this.cpu.draw();
    this.memory.draw();
  }
}

class ProcessRow extends Row {
  constructor(process) {
    super(clone("process-row"));
    this.state = stateCell(this.element);
    this.up = this.element.querySelector(".up");
    this.pid = this.element.querySelector(".pid");
    this.restarts = this.element.querySelector(".restarts");
    this.stop = this.element.querySelector("[data-do=stop-process]");
    set(this.stop, "aria-label", `Stop ${placeOf(process)}${process.node ? ` on ${process.node}` : ""}`);
    put(this.element.querySelector("th"), placeOf(process));
    put(this.element.querySelector(".node"), process.node ?? "");
  }

  show(process) {
    this.seen = performance.now();
    if (this.process?.pid !== process.pid) {
      this.cpu.clear();
      this.memory.clear();
    }
    this.process = process;
    const { pid, os_pid: osPid, restarts, connected } = process;
    put(this.pid, pid === null ? "" : `${osPid ?? "?"}`);
    put(this.restarts, String(restarts));
    showState(this.element, this.state, process.state, connected ? (process.reason ?? "") : "connection lost");
    set(this.stop, "aria-disabled", String(pid === null));
  }

  draw() {
    super.draw();
    const { pid, uptime } = this.process;
    const since = (performance.now() - this.seen) / 1000;
    put(this.up, pid === null || uptime === null ? "" : duration(uptime + since));
  }
}

class TemplateRows extends Row {
  constructor(name, observer) {
    const body = clone("template-rows");
    super(body.querySelector("tr"));
    this.body = body;
    this.name = name;
    this.observer = observer;
    this.state = stateCell(this.element);
    this.fold = this.element.querySelector(".fold");
    this.nodes = this.element.querySelector(".node");
    this.restarts = this.element.querySelector(".restarts");
    this.folded = null;
    this.rows = new Map();
    body.dataset.name = name;
    put(this.fold, name);
    for (const button of this.element.querySelectorAll(".actions button")) {
      set(button, "aria-label", `${button.textContent.replace("…", "")} ${name}`);
    }
    observer.observe(this.element);
  }

  show(template, processes) {
    this.template = template;
    const keys = new Set(processes.map(keyOf));
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        this.observer.unobserve(row.element);
        this.rows.delete(key);
        remove(row.element, this.fold);
      }
    }
    let before = this.element;
    for (const process of processes) {
      const key = keyOf(process);
      let row = this.rows.get(key);
      if (!row) {
        row = new ProcessRow(process);
        this.rows.set(key, row);
        this.observer.observe(row.element);
      }
      row.show(process);
      if (before.nextElementSibling !== row.element && !row.element.contains(document.activeElement)) {
        before.after(row.element);
      }
      before = row.element;
    }
    this.foldTo(this.folded ?? processes.length > MANY);
    this.summarize(template, processes);
  }

  summarize({ numprocesses, wanted, active, nodes }, processes) {
    const states = processes.map((each) => each.state);
    const worst = ["fatal", "backoff", "stopping", "starting"].find((state) => states.includes(state));
    const state = worst ?? (active ? "running" : states.includes("exited") ? "exited" : "stopped");
    const count = `${active} of ${processes.length} running`;
    showState(this.element, this.state, state, count + (wanted && !numprocesses ? ", scaled to 0" : ""));
    put(this.nodes, nodes ?? "");
    put(this.restarts, String(processes.reduce((sum, each) => sum + each.restarts, 0)));
  }

  foldTo(folded) {
    set(this.fold, "aria-expanded", String(!folded));
    for (const row of this.rows.values()) if (row.element.hidden !== folded) row.element.hidden = folded;
  }

  toggle() {
    this.folded = this.fold.getAttribute("aria-expanded") === "true";
    this.foldTo(this.folded);
  }

  leave(instead) {
    for (const row of this.rows.values()) this.observer.unobserve(row.element);
    this.observer.unobserve(this.element);
    remove(this.body, instead);
  }
}

export class ProcessTable {
  constructor(table, heading) {
    this.table = table;
    this.heading = heading;
    this.templates = new Map();
    this.filter = "";
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        target.row.visible = isIntersecting;
        if (isIntersecting) target.row.draw();
      }
    });
  }

  show(templates, processes) {
    const byName = group(processes);
    const names = new Set(templates.map((each) => each.name));
    for (const [name, rows] of this.templates) {
      if (!names.has(name)) {
        this.templates.delete(name);
        rows.leave(this.heading);
      }
    }
    let before = this.table.tHead;
    for (const template of templates) {
      let rows = this.templates.get(template.name);
      if (!rows) {
        rows = new TemplateRows(template.name, this.observer);
        this.templates.set(template.name, rows);
      }
      rows.show(template, byName.get(template.name) ?? []);
      if (before.nextElementSibling !== rows.body && !rows.body.contains(document.activeElement)) before.after(rows.body);
      before = rows.body;
    }
    this.table.classList.toggle("here", !processes.some((each) => each.node !== null));
    this.hideOthers();
    this.draw();
  }

  use(stats) {
    for (const { name, cpu, memory, processes } of stats) {
      const rows = this.templates.get(name);
      if (!rows) continue;
      rows.add(cpu, memory);
      const byPid = new Map(processes.map((each) => [each.pid, each]));
      for (const row of rows.rows.values()) {
        const usage = byPid.get(row.process.pid);
        if (usage) row.add(usage.cpu, usage.memory);
      }
    }
    this.draw();
  }

  // Only what can be seen: a thousand plots would take longer than a second has.
  draw() {
    for (const rows of this.templates.values()) {
      if (rows.visible) rows.draw();
      for (const row of rows.rows.values()) if (row.visible) row.draw();
    }
  }

  narrow(text) {
    this.filter = text.trim().toLowerCase();
    this.hideOthers();
  }

  hideOthers() {
    for (const [name, rows] of this.templates) {
      const { nodes } = rows.template;
      const hidden = !`${name} ${nodes ?? ""}`.toLowerCase().includes(this.filter);
      if (rows.body.hidden !== hidden) rows.body.hidden = hidden;
    }
  }
}

function group(processes) {
  const found = new Map();
  for (const each of processes) {
    if (!found.has(each.name)) found.set(each.name, []);
    found.get(each.name).push(each);
  }
  return found;
}

export class NodeTable {
  constructor(table) {
    this.body = table.tBodies[0];
    this.rows = new Map();
    this.nodeOf = new Map();
  }

  show(processes) {
    const nodes = new Map();
    this.nodeOf.clear();
    for (const process of processes) {
      const name = process.node ?? HERE;
      const node = nodes.get(name) ?? { running: 0, all: 0, connected: true };
      nodes.set(name, node);
      node.all += 1;
      node.running += process.state === "running" ? 1 : 0;
      node.connected &&= process.connected;
      if (process.pid !== null) this.nodeOf.set(process.pid, name);
    }
    for (const [name, row] of this.rows) {
      if (!nodes.has(name)) {
        this.rows.delete(name);
        row.element.remove();
      }
    }
    for (const name of [...nodes.keys()].sort()) this.showNode(name, nodes.get(name));
  }

  showNode(name, { running, all, connected }) {
    let row = this.rows.get(name);
    if (!row) {
      row = new Row(clone("node-row"));
      put(row.element.querySelector("th"), name);
      this.rows.set(name, row);
      this.body.append(row.element);
    }
    const cell = row.element.querySelector(".connection");
    put(cell, connected ? (name === HERE ? "local" : "connected") : "lost");
    cell.classList.toggle("lost", !connected);
    put(row.element.querySelector(".running"), `${running} of ${all}`);
  }

  use(stats) {
    const sums = new Map([...this.rows.keys()].map((name) => [name, { cpu: 0, memory: 0 }]));
    for (const { processes } of stats) {
      for (const { pid, cpu, memory } of processes) {
        const sum = sums.get(this.nodeOf.get(pid));
        if (sum) {
          sum.cpu += cpu;
          sum.memory += memory;
        }
      }
    }
    for (const [name, { cpu, memory }] of sums) {
      this.rows.get(name).add(cpu, memory);
      this.rows.get(name).draw();
    }
  }
}
