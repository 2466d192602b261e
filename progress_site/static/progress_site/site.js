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
  add(await post(form.action, new FormData(form)), `Import ${file.name}`);
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

// A new component is a copy of what the server would have put into the page.
function add({ task_id: taskId }, label = makeLabel()) {
  const copy = document.importNode(document.querySelector("#component").content, true);
  const component = copy.querySelector("task-progress");
  component.setAttribute("task-id", taskId);
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

function showAlert(form, text) {
  const alert = form.querySelector("[role=alert]");
  alert.textContent = text;
  alert.hidden = !text;
}

// An import says which rows it skipped, and why.
function showErrors(component) {
  const { result = null } = component.snapshot ?? {};
  const errors = result?.errors ?? [];
  if (errors.length) {
    const details = document.createElement("details");
    const summary = document.createElement("summary");
    const list = document.createElement("ul");
    const all = errors.length < result.skipped ? "The first " : "";
    summary.textContent = `${all}${formatNumber(errors.length)} skipped rows`;
    list.tabIndex = 0; // it scrolls
    list.append(...errors.map(describeError));
    details.append(summary, list);
    component.after(details);
  }
}

function describeError({ line, reason }) {
  const item = document.createElement("li");
  item.textContent = `Line ${formatNumber(line)}: ${reason}`;
  return item;
}

function formatNumber(value) {
  return new Intl.NumberFormat("en").format(value);
}

tasks.querySelectorAll("task-progress").forEach(showErrors); // what had ended before the page was made
tasks.addEventListener("task-progress:end", (event) => showErrors(event.target));
document.querySelector("#start-form").addEventListener("submit", (event) => submit(event, startTasks));
document.querySelector("#import-form")?.addEventListener("submit", (event) => submit(event, startImport));
