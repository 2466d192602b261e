// Starts tasks, and adds a component for each. All text that comes from the server is set as text, never as HTML.

const page = document.body.dataset;
const tasks = document.querySelector("#tasks");

async function submit(event, start) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  const hadFocus = document.activeElement === button;
  button.disabled = true;
  showAlert(form, "");
  try {
    await start(form);
  } catch (error) {
    showAlert(form, error.message);
  } finally {
    button.disabled = false;
    if (hadFocus && document.activeElement === document.body) {
      button.focus(); // which it lost when it was disabled
    }
  }
}

async function startTasks(form) {
  const numbers = [...new FormData(form)].map(([name, value]) => [name, Number(value)]);
  const { count = 1, ...kwargs } = Object.fromEntries(numbers);
  const body = JSON.stringify({ task: form.dataset.task, kwargs });
  for (let number = 0; number < count; number++) {
    add(await post(page.startUrl, body, { "Content-Type": "application/json" }));
  }
}

async function startImport(form) {
  const [file] = form.elements.file.files;
  if (file.size > Number(page.maxBytes)) {
    throw new Error(`The file is too large: ${formatNumber(file.size)} bytes; ${formatNumber(page.maxBytes)} are allowed.`);
  }
  add(await post(form.action, new FormData(form)));
}

async function post(url, body, headers = {}) {
  let response;
  try {
    response = await fetch(url, {
      method: "POST",
      credentials: "same-origin",
      headers: { Accept: "application/json", "X-CSRFToken": page.csrfToken, ...headers },
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

// A new component is a copy of what the server would have put into the page. A visitor can cancel by the token alone.
function add({ task_id: taskId, token }) {
  const label = makeLabel();
  const copy = document.importNode(document.querySelector("#component").content, true);
  const component = copy.querySelector("task-progress");
  component.setAttribute("task-id", taskId);
  component.setAttribute("cancel-token", token);
  sessionStorage.setItem(`token ${taskId}`, token);
  if (label) {
    component.setAttribute("label", label);
  }
  tasks.prepend(component);
  remember();
}

// Where all have the same name they are numbered.
function makeLabel() {
  return tasks.dataset.label && `${tasks.dataset.label} ${tasks.querySelectorAll("task-progress").length + 1}`;
}

// The address names the tasks, so that a reload shows them again.
function remember() {
  const taskIds = [...tasks.querySelectorAll("task-progress")].map((component) => component.getAttribute("task-id"));
  const query = new URLSearchParams(taskIds.slice(0, page.maxTasks).reverse().map((taskId) => ["task", taskId]));
  history.replaceState(null, "", `${page.pageUrl}?${query}`);
}

// After a reload the server knows no more of a visitor than the address, and leaves the button out.
function bringTokenBack(component) {
  const token = sessionStorage.getItem(`token ${component.getAttribute("task-id")}`);
  if (token && !component.hasAttribute("cancel")) {
    component.setAttribute("cancel-token", token);
    component.toggleAttribute("cancel", document.querySelector("#component").content.querySelector("[cancel]") !== null);
  }
}

function showAlert(form, text) {
  const alert = form.querySelector("[role=alert]");
  alert.textContent = text;
  alert.hidden = !text;
}

// An import says what it left out, and why; one of which no row is valid fails, and has no result.
function showOutcome(component) {
  const { result, meta } = component.snapshot ?? {};
  const { notes = [], errors = [], skipped = 0, kept = 0 } = result ?? meta ?? {};
  if (notes.length || errors.length) {
    const outcome = document.createElement("div");
    outcome.className = "outcome";
    outcome.append(...notes.map((note) => makeElement("p", note)));
    if (errors.length) {
      outcome.append(makeList(errors, skipped));
    }
    if (kept) {
      outcome.append(makeDownload(component.getAttribute("task-id"), kept, skipped));
    }
    component.after(outcome);
  }
}

function makeList(errors, skipped) {
  const details = document.createElement("details");
  const list = document.createElement("ul");
  list.tabIndex = 0; // it scrolls
  list.append(...errors.map((error) => makeElement("li", describeError(error))));
  details.append(makeElement("summary", describeRows(errors.length, skipped)), list);
  return details;
}

function makeDownload(taskId, kept, skipped) {
  const link = makeElement("a", `Download ${kept < skipped ? `the first ${formatNumber(kept)} ` : ""}as CSV`);
  link.href = page.skippedUrl.replace("TASK-ID", encodeURIComponent(taskId));
  link.download = "";
  return link;
}

function makeElement(name, text) {
  const element = document.createElement(name);
  element.textContent = text;
  return element;
}

function describeRows(shown, all) {
  const which = shown < all ? `The first ${formatNumber(shown)} of ` : "";
  return `${which}${formatNumber(all)} skipped ${all === 1 ? "row" : "rows"}`;
}

function describeError({ line, reason }) {
  return `Line ${formatNumber(line)}: ${reason}`;
}

function formatNumber(value) {
  return new Intl.NumberFormat("en").format(value);
}

// The encoding was chosen for the file before.
function forgetEncoding(event) {
  const { file, encoding } = event.currentTarget.elements;
  if (event.target === file) {
    encoding.value = "";
  }
}

tasks.querySelectorAll("task-progress").forEach(bringTokenBack);
tasks.querySelectorAll("task-progress").forEach(showOutcome); // what had ended before the page was made
tasks.addEventListener("task-progress:end", (event) => showOutcome(event.target));
document.querySelector("#start-form").addEventListener("submit", (event) => submit(event, startTasks));
const importForm = document.querySelector("#import-form");
importForm?.addEventListener("submit", (event) => submit(event, startImport));
importForm?.addEventListener("change", forgetEncoding);
