// The monitor's page of one task: the component, and below it what that does not tell.

import { make, setText } from "../task-progress-dom.js";
import { findBase } from "../task-progress-requests.js";
import { serverNow } from "../task-progress-server-time.js";
import { isTerminal } from "../task-progress-states.js";
import { getFormatter, say } from "../task-progress-texts.js";
import { ChildTable } from "./children-view.js";
import { connectCopyButton } from "./copy-button.js";
import { Details } from "./details.js";
import { findParts, readPageTexts } from "./dom.js";
import { renderTimeline } from "./timeline-view.js";
import { makeTimeline } from "./timeline.js";
import { renderArguments, renderEarlierErrors, renderError } from "./task-problems.js";

const find = (id) => document.getElementById(id);
const component = document.querySelector("task-progress");

readPageTexts();
const format = getFormatter();
const details = new Details(find("task").dataset.details, render);
const children = new ChildTable(find("children"), { base: findBase(component.getAttribute("src") ?? "/"), format });

component.addEventListener("task-progress:change", () => {
  find("gone").hidden = true;
  render();
});
component.addEventListener("task-progress:error", () => {
  find("gone").hidden = component.state !== "missing";
  render();
});
setInterval(tick, 1000);
connectCopyButton(find("copy"), find("task-id"), find("copied"));
customElements.whenDefined("task-progress").then(render);

function render() {
  const { snapshot } = component;
  if (!snapshot) {
    return;
  }
  const { attempts } = details;
  details.follow(snapshot);
  children.follow(snapshot);
  showTimeline(snapshot);
  renderError(find("error"), snapshot, attempts);
  renderEarlierErrors(find("earlier"), snapshot, attempts, format);
  renderResult(snapshot);
  renderArguments(find("arguments"), attempts);
  renderMeta(snapshot.meta);
}

// Update what changes with time alone.
function tick() {
  const { snapshot } = component;
  if (!document.hidden && snapshot && !isTerminal(snapshot)) {
    showTimeline(snapshot);
    children.render();
  }
}

function showTimeline(snapshot) {
  const now = serverNow();
  renderTimeline(find("timeline"), makeTimeline(snapshot, details.attempts, now), now, format);
}

function renderMeta(meta) {
  const entries = Object.entries(meta);
  const list = find("meta").querySelector("dl");
  const shown = JSON.stringify(meta);
  find("meta").hidden = !entries.length;
  if (list.dataset.shown !== shown) {
    list.dataset.shown = shown;
    list.replaceChildren(...entries.map(([name, value]) => makeEntry(name, value)));
  }
}

function makeEntry(name, value) {
  const isText = typeof value !== "object" || value === null;
  const content = isText ? make("bdi", {}, String(value)) : make("pre", { dir: "ltr" }, JSON.stringify(value, null, 2));
  return make("div", {}, make("dt", {}, make("bdi", {}, name)), make("dd", {}, content));
}

function renderResult({ state, result, result_omitted: reason }) {
  const { omitted, json } = findParts(find("result"));
  find("result").hidden = !(state === "succeeded" && (result !== null || reason));
  omitted.hidden = !reason;
  setText(omitted, reason ? say("omitted", { reason }) : "");
  json.hidden = result === null;
  setText(json, JSON.stringify(result, null, 2));
}
