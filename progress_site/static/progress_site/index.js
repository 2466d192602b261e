// Starts tasks, and adds a component for each. All text that comes from the server is set as text, never as HTML.

const page = document.body.dataset;
const csrfToken = document.querySelector("[name=csrfmiddlewaretoken]").value;
const tasks = document.querySelector("#tasks");

async function submit(event, start) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  button.disabled = true;
  showAlert(form, "");
  try {
    await start(form);
  } catch (error) {
    showAlert(form, error.message);
  } finally {
    button.disabled = false;
    remember();
  }
}

async function startSimulations({ elements: { duration, count } }) {
  const body = JSON.stringify({ task: "simulate", kwargs: { duration: duration.valueAsNumber } });
  for (let number = 0; number < count.valueAsNumber; number++) {
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

function add({ task_id: taskId }, label = "") {
  const component = document.createElement("task-progress");
  component.setAttribute("task-id", taskId);
  component.setAttribute("label", label);
  component.toggleAttribute("cancel", true);
  tasks.prepend(component);
}

// The address names the tasks, so that a reload shows them again.
function remember() {
  const taskIds = [...tasks.querySelectorAll("task-progress")].map((component) => component.getAttribute("task-id"));
  const query = new URLSearchParams(taskIds.slice(0, page.maxTasks).reverse().map((taskId) => ["task", taskId]));
  history.replaceState(null, "", `${page.indexUrl}?${query}`);
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
document.querySelector("#simulate-form").addEventListener("submit", (event) => submit(event, startSimulations));
document.querySelector("#import-form").addEventListener("submit", (event) => submit(event, startImport));
