// Requests with the token, and streams that come back by themselves.

const KEY = "asynctask-token";
const FIRST_PAUSE = 250; // milliseconds
const LONGEST_PAUSE = 10_000;
const LARGEST_MESSAGE = 64 << 20;
const WRONG = "That token is wrong. When the manager starts it tells in which file the right one is.";

let askForToken = null; // the promise of the token that is being asked for

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

function authorization() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

// Browsers have a word of their own for it each: "Failed to fetch", "NetworkError", "Load failed".
function plainly(error) {
  throw error instanceof TypeError ? new Error("the manager does not answer") : error;
}

function ask(wrong) {
  askForToken ??= new Promise((resolve) => {
    const dialog = document.getElementById("token-dialog");
    const input = document.getElementById("token");
    if (wrong) document.getElementById("token-why").textContent = WRONG;
    input.value = "";
    // Without it there is nothing to see; Escape closes it all the same when it is pressed twice.
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => {
      if (askForToken && !dialog.open) dialog.showModal();
    };
    dialog.querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, input.value.trim());
      input.value = "";
      askForToken = null;
      dialog.close();
      resolve();
    };
    dialog.showModal();
  });
  return askForToken;
}

async function authorized(path, options) {
  for (;;) {
    const used = sessionStorage.getItem(KEY);
    const headers = { ...options.headers, ...authorization() };
    const sent = fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
    const response = await sent.catch(plainly);
    if (response.status !== 401) return response;
    if (used === sessionStorage.getItem(KEY)) {
      sessionStorage.removeItem(KEY);
      await ask(used !== null);
    }
  }
}

async function reasonOf(response) {
  try {
    return (await response.json()).error || response.statusText;
  } catch {
    return response.statusText || `status ${response.status}`;
  }
}

export async function request(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const response = await authorized(path, options);
  if (!response.ok) throw new Refused(response.status, await reasonOf(response));
  return response.json();
}

// Server-sent events through fetch, since an EventSource sends no token.
export class Stream {
  // hear(event, data); tell(state, text) with "open", "lost" or "refused"
  constructor(hear, tell) {
    this.hear = hear;
    this.tell = tell;
    this.lastId = "";
    this.going = null;
  }

  open(path, fresh = false) {
    this.close();
    if (fresh) this.lastId = "";
    this.going = new AbortController();
    this.run(path, this.going.signal);
  }

  close() {
    this.going?.abort();
    this.going = null;
  }

  async run(path, signal) {
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      let text = "the manager ended";
      try {
        const headers = { Accept: "text/event-stream" };
        if (this.lastId) headers["Last-Event-ID"] = this.lastId;
        const response = await authorized(path, { headers, signal });
        if (response.ok) {
          this.tell("open", "");
          pause = FIRST_PAUSE;
          await this.read(response.body, signal);
        } else {
          text = await reasonOf(response);
          if (response.status === 404 || response.status === 400) {
            this.tell("refused", text);
            return;
          }
        }
      } catch (error) {
        text = error.message;
      }
      if (signal.aborted) return;
      this.tell("lost", text);
      await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  async read(body, signal) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read().catch(plainly);
      if (done || signal.aborted) return;
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      if (rest.length > LARGEST_MESSAGE) throw new Error("a message is too large");
      for (const block of blocks) this.take(block);
    }
  }

  take(block) {
    let event = "message";
    let data = null;
    for (const line of block.split("\n")) {
      const colon = line.indexOf(": ");
      const value = line.slice(colon + 2);
      if (line.startsWith("event: ")) event = value;
      else if (line.startsWith("data: ")) data = value;
      else if (line.startsWith("id: ")) this.lastId = value;
    }
    if (data !== null) this.hear(event, JSON.parse(data));
  }
}
