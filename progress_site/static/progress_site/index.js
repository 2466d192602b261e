// Starts tasks and shows how far they are. All text that comes from the server is set as text, never as HTML.

const RETRY_MS = 5000;
const MAX_TASKS = 100; // what one stream may name

const page = document.body.dataset;
const csrfToken = document.querySelector("[name=csrfmiddlewaretoken]").value;
const cards = new Map();
let source = null;
let retry = null;

async function submit(event, start) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  button.disabled = true;
  showAlert(form.querySelector(".alert"), "");
  try {
    const { task_id: taskId } = await start(form);
    addCard(taskId);
    remember();
    follow();
  } catch (error) {
    showAlert(form.querySelector(".alert"), error.message);
  } finally {
    button.disabled = false;
  }
}

function startSimulation(form) {
  const kwargs = { duration: form.elements.duration.valueAsNumber };
  return post(page.startUrl, JSON.stringify({ task: "simulate", kwargs }), { "Content-Type": "application/json" });
}

function startImport(form) {
  const [file] = form.elements.file.files;
  if (file.size > Number(page.maxBytes)) {
    throw new Error(`The file is too large: ${formatNumber(file.size)} bytes; ${formatNumber(page.maxBytes)} are allowed.`);
  }
  return post(form.action, new FormData(form));
}

async function post(url, body, headers = {}) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      credentials: "same-origin",
      headers: { Accept: "application/json", "X-CSRFToken": csrfToken, ...headers },
      body,
    });
  } catch {
    throw new Error("The server can't be reached.");
  }
  if (!/json/.test(response.headers.get("Content-Type"))) {
    throw new Error(response.status === 403 ? "This page is too old: reload it." : `The server answered ${response.status}.`);
  }
  const data = await response.json();
  if (!response.ok) {
    throw new Error(data.detail);
  }
  return data;
}

// One stream for all tasks: browsers allow six connections to a host, and starting and cancelling need one too.
function follow() {
  clearTimeout(retry);
  source?.close();
  source = null;
  const taskIds = [...cards.values()].filter((card) => !card.hasEnded).map((card) => card.taskId);
  if (!taskIds.length) {
    return;
  }
  const query = new URLSearchParams(taskIds.map((taskId) => ["task", taskId]));
  source = new EventSource(`${page.streamUrl}?${query}`);
  source.onopen = () => showConnection("");
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.addEventListener("missing", (event) => cards.get(JSON.parse(event.data).task_id)?.showMissing());
  source.addEventListener("end", (event) => event.target.close());
  source.onerror = (event) => {
    showConnection("The connection is lost; trying again …");
    if (event.target.readyState === EventSource.CLOSED) {
      retry = setTimeout(follow, RETRY_MS); // after an error status an EventSource does not try again by itself
    }
  };
}

function show(snapshot) {
  cards.get(snapshot.task_id)?.show(snapshot);
}

function addCard(taskId) {
  if (!cards.has(taskId)) {
    cards.set(taskId, new Card(taskId));
    document.querySelector("#no-tasks").hidden = true;
  }
}

// The address names the tasks, so that a reload shows them again.
function remember() {
  const query = new URLSearchParams([...cards.keys()].slice(-MAX_TASKS).map((taskId) => ["task", taskId]));
  history.replaceState(null, "", `${page.indexUrl}?${query}`);
}

function showConnection(text) {
  showAlert(document.querySelector("#connection"), text);
}

function showAlert(element, text) {
  element.textContent = text;
  element.hidden = !text;
}

class Card {
  hasEnded = false;

  constructor(taskId) {
    this.taskId = taskId;
    const fragment = document.querySelector("#task-template").content.cloneNode(true);
    this.element = fragment.querySelector(".task");
    this.bar = this.element.querySelector("progress");
    this.parts = Object.fromEntries(
      [...this.element.querySelectorAll("[data-show]")].map((part) => [part.dataset.show, part]),
    );
    this.parts.name.textContent = "Task";
    this.parts.cancel.addEventListener("click", () => this.cancel());
    document.querySelector("#tasks").prepend(fragment);
  }

  show(snapshot) {
    this.hasEnded = !["queued", "running"].includes(snapshot.state);
    this.element.dataset.state = snapshot.state;
    this.parts.name.textContent = snapshot.task.split(".").at(-1);
    this.parts.state.textContent = describeState(snapshot);
    this.parts.status.textContent = snapshot.status;
    this.parts.facts.textContent = describeFacts(snapshot, this.hasEnded);
    this.parts.cancel.hidden = this.hasEnded;
    this.parts.cancel.disabled = snapshot.cancel_requested;
    this.showBar(snapshot);
    if (this.hasEnded) {
      this.showOutcome(snapshot);
    }
  }

  showBar({ task, percent, progress }) {
    this.bar.setAttribute("aria-label", `Progress of ${task}`);
    if (percent === null && !this.hasEnded) {
      this.bar.removeAttribute("value"); // the total is unknown
    } else {
      this.bar.value = percent ?? progress;
    }
  }

  showOutcome({ task, state, status, result, result_omitted: omitted }) {
    this.parts.announcement.textContent = `${task}: ${state}. ${status}`;
    this.parts.outcome.textContent = omitted ?? describeResult(result);
    const errors = result?.errors ?? [];
    const details = this.element.querySelector("details");
    details.hidden = !errors.length;
    details.querySelector("summary").textContent =
      errors.length < result?.skipped
        ? `The first ${formatNumber(errors.length)} skipped rows`
        : `${formatNumber(errors.length)} skipped rows`;
    details.querySelector("ul").replaceChildren(...errors.map(describeError));
  }

  showMissing() {
    this.hasEnded = true;
    this.element.dataset.state = "lost";
    this.parts.state.textContent = "unknown";
    this.parts.status.textContent = "The server does not know this task any more.";
    this.parts.cancel.hidden = true;
    this.bar.value = 0;
  }

  async cancel() {
    this.parts.cancel.disabled = true;
    try {
      await post(page.cancelUrl.replace("TASK_ID", encodeURIComponent(this.taskId)));
    } catch (error) {
      this.parts.outcome.textContent = error.message;
      this.parts.cancel.disabled = false;
    }
  }
}

function describeState({ state, stalled, queue_position: position, cancel_requested: isCancelled }) {
  if (state === "queued" && position !== null) {
    return `queued, number ${position}`;
  }
  if (state === "running" && isCancelled) {
    return "being cancelled";
  }
  return stalled ? `${state}, but silent for a while` : state;
}

function describeFacts({ progress, current, total, unit, rate, eta }, hasEnded) {
  const facts = [`${progress} %`];
  const hasUnit = unit !== null;
  if (hasUnit && current !== null) {
    facts.push(total === null ? `${formatNumber(current)} ${unit}` : `${formatNumber(current)} of ${formatNumber(total)} ${unit}`);
  }
  if (hasUnit && rate !== null && !hasEnded) {
    facts.push(`${formatNumber(rate)} ${unit}/s`);
  }
  if (eta !== null && !hasEnded) {
    facts.push(`${formatDuration(eta)} left`);
  }
  return facts.join(" · ");
}

function describeResult(result) {
  return result === null || Array.isArray(result?.errors) ? null : `Result: ${JSON.stringify(result)}`;
}

function describeError({ line, reason }) {
  const item = document.createElement("li");
  item.textContent = `Line ${formatNumber(line)}: ${reason}`;
  return item;
}

function formatNumber(value) {
  return new Intl.NumberFormat("en", { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

function formatDuration(seconds) {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

document.querySelector("#simulate-form").addEventListener("submit", (event) => submit(event, startSimulation));
document.querySelector("#import-form").addEventListener("submit", (event) => submit(event, startImport));
new URLSearchParams(location.search).getAll("task").slice(-MAX_TASKS).forEach(addCard);
follow();
