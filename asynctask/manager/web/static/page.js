// The page: what the manager tells goes into the tables, what is pressed goes to the manager.

import { Stream, request } from "./api.js";
import { Logs } from "./logs.js";
import { placeOf, put } from "./spark.js";
import { NodeTable, ProcessTable } from "./table.js";

const REFRESH = 250; // milliseconds between two looks at least
const ANNOUNCE = 2000; // milliseconds between two announcements
const ANNOUNCED = 3; // changes that are told one by one
const HISTORY = 200; // lines
const CHOOSE = "Choose a template to see what it prints.";

const by = (id) => document.getElementById(id);
const table = new ProcessTable(by("processes"), by("processes-heading"));
const nodes = new NodeTable(by("nodes"));
const logs = new Logs(by("output"), by("output-note"));
const stream = new Stream(hear, tell);
let outputOf = "";

// -- from the manager --------------------------------------------------------------------------------

let refreshing = false;
let again = false;

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    do {
      again = false;
      const { templates, processes } = await request("GET", "/api/ps?usage=false");
      show(templates, processes);
      await new Promise((resolve) => setTimeout(resolve, REFRESH));
    } while (again);
  } catch (error) {
    if (error.status) problem(error.message); // else the stream tells that the connection is lost
  } finally {
    refreshing = false;
  }
}

function show(templates, processes) {
  table.show(templates, processes);
  nodes.show(processes);
  const running = processes.filter((each) => each.state === "running").length;
  put(by("summary"), `${running} of ${processes.length} processes running, ${templates.length} templates`);
  by("empty").hidden = templates.length > 0;
  offer(templates.map((each) => each.name));
  announce(processes);
}

function offer(names) {
  const select = by("output-of");
  const there = new Map([...select.options].slice(1).map((option) => [option.value, option]));
  for (const [name, option] of there) if (!names.includes(name) && name !== outputOf) option.remove();
  for (const name of names) if (!there.has(name)) select.add(new Option(name, name));
}

function hear(event, data) {
  if (event === "stats") {
    table.use(data.templates);
    nodes.use(data.templates);
  } else if (event === "output") {
    logs.add(data);
  } else if (event === "missed" && data.what === "output") {
    logs.missed(data.count);
  } else {
    refresh(); // an event, or some that were missed
  }
}

let lostAt = ""; // what is shown is of then

function tell(state, text) {
  const open = state === "open";
  lostAt = open ? "" : lostAt || new Date().toLocaleTimeString();
  for (const each of [by("connection"), document.querySelector("header")]) each.classList.toggle("lost", !open);
  put(by("connection"), open ? "Connected" : `Connection lost at ${lostAt}: ${text}`);
  if (open) begin();
  if (state === "refused" && outputOf) {
    problem(text);
    readOutput("");
  }
}

// -- what is told to who cannot see it ----------------------------------------------------------------

let known = null; // by place: its state, and which process it has
let changes = new Map();
let announcing = false;

function announce(processes) {
  const now = new Map();
  for (const process of processes) {
    const { node, pid, state, connected } = process;
    const place = `${placeOf(process)}${node ? ` on ${node}` : ""}`;
    const shown = connected ? state : "connection lost";
    now.set(place, { shown, pid });
    const before = known?.get(place);
    if (!known || (before?.shown === shown && before.pid === pid)) continue;
    changes.set(place, before?.shown === shown ? "restarted" : shown);
  }
  known = now;
  if (changes.size && !announcing) {
    announcing = true;
    setTimeout(speak, ANNOUNCE / 8);
  }
}

function speak() {
  const said = [...changes].slice(0, ANNOUNCED).map(([place, state]) => `${place} ${state}`);
  if (changes.size > ANNOUNCED) said.push(`and ${changes.size - ANNOUNCED} more changes`);
  put(by("changes"), said.join(", "));
  changes = new Map();
  setTimeout(() => {
    announcing = false;
    if (changes.size) {
      announcing = true;
      speak();
    }
  }, ANNOUNCE);
}

// -- to the manager ----------------------------------------------------------------------------------

function problem(text) {
  put(by("problem-text"), text);
  by("problem").hidden = false;
}

by("problem-close").onclick = () => {
  by("problem").hidden = true;
  by("processes-heading").focus();
};

// Asks in a dialog; resolves to false, true, or the number of processes.
function ask(heading, text, yes, count) {
  const dialog = by("ask-dialog");
  const form = dialog.querySelector("form");
  put(by("ask-heading"), heading);
  put(by("ask-text"), text);
  put(by("ask-yes"), yes);
  by("ask-count-line").hidden = count === undefined;
  by("ask-count").disabled = count === undefined;
  by("ask-count").value = count ?? "";
  return new Promise((resolve) => {
    const settle = (answer) => {
      dialog.close();
      resolve(answer);
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      settle(count === undefined ? true : by("ask-count").valueAsNumber);
    };
    by("ask-no").onclick = () => settle(false);
    // Of Escape not every browser tells before; and what is told after may be of the question before.
    dialog.oncancel = () => settle(false);
    dialog.onclose = () => {
      if (!dialog.open) settle(false);
    };
    dialog.showModal();
    (count === undefined ? by("ask-no") : by("ask-count")).focus();
    by("ask-count").select(); // what is typed takes its place
  });
}

async function perform(button, path, body = {}) {
  button.setAttribute("aria-busy", "true");
  button.setAttribute("aria-disabled", "true");
  try {
    await request("POST", path, body);
  } catch (error) {
    problem(error.message);
  } finally {
    button.removeAttribute("aria-busy");
    button.setAttribute("aria-disabled", "false");
    refresh();
  }
}

const doing = {
  start: (button, name, base) => perform(button, `${base}/start`),
  async stop(button, name, base) {
    if (await ask(`Stop ${name}?`, "Its processes are ended.", "Stop")) await perform(button, `${base}/stop`);
  },
  async restart(button, name, base) {
    const text = "Its processes are ended, then started again.";
    if (await ask(`Restart ${name}?`, text, "Restart")) await perform(button, `${base}/restart`);
  },
  reload: (button, name, base) => perform(button, `${base}/reload`),
  async scale(button, name, base) {
    const { numprocesses, nodes: where } = table.templates.get(name).template;
    const text = `How many processes are to run${where ? " on each node" : ""}. Fewer than now: some are ended.`;
    const n = await ask(`Scale ${name}`, text, "Scale", numprocesses);
    if (n !== false && n !== numprocesses) await perform(button, `${base}/scale`, { n });
  },
  fold: (button, name) => table.templates.get(name).toggle(),
  output(button, name) {
    readOutput(name);
    by("output-heading").focus();
  },
  async "stop-process"(button) {
    const { process } = button.closest("tr").row;
    const place = button.getAttribute("aria-label").replace("Stop ", "");
    const text = "It is ended, and not started again until its template is.";
    if (await ask(`Stop ${place}?`, text, "Stop")) await perform(button, `/api/processes/${process.pid}/stop`);
  },
};

by("main").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button || button.getAttribute("aria-disabled") === "true") return;
  const name = button.closest("tbody")?.dataset.name;
  const base = name === undefined ? "/api" : `/api/templates/${encodeURIComponent(name)}`;
  doing[button.dataset.do](button, name ?? "all templates", base);
});

by("filter").addEventListener("input", (event) => table.narrow(event.target.value));

// -- output ------------------------------------------------------------------------------------------

function readOutput(name) {
  outputOf = name;
  by("output-of").value = name;
  logs.clear();
  by("output").dataset.empty = name ? `${name} has printed nothing yet.` : CHOOSE;
  connect(true);
}

function followed(yes) {
  by("output-follow").setAttribute("aria-pressed", String(yes));
}

logs.onfollow = followed;
by("output-of").onchange = (event) => readOutput(event.target.value);
by("output-clear").onclick = () => logs.clear();
by("output-follow").onclick = () => {
  logs.follow(!logs.following);
  followed(logs.following);
};

// -- the connection ----------------------------------------------------------------------------------

function connect(fresh = false) {
  const query = outputOf ? `?lines=${HISTORY}&names=${encodeURIComponent(outputOf)}` : "";
  stream.open(`/api/live${query}`, fresh);
}

// A page that nobody sees needs no connection, of which a browser has few.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stream.close();
  else connect();
});

// It may be another manager than before.
async function begin() {
  refresh();
  try {
    const { name } = await request("GET", "/api/status");
    put(by("manager"), name);
    document.title = `${name} - asynctask`;
  } catch (error) {
    if (error.status) problem(error.message);
  }
}

connect();
setInterval(() => lostAt || table.draw(), 1000);
