// The monitor's page of one task: the component, and below it all other fields of its snapshot.

import { make, setChildCount, setText } from "../task-progress-dom.js";
import { describeDuration } from "../task-progress-description.js";
import { findWebUrl } from "../task-progress-requests.js";
import { isTerminal } from "../task-progress-states.js";
import { getFormatter, say, texts } from "../task-progress-texts.js";
import { findParts, nameState, readPageTexts, setTime, stamp } from "./dom.js";

const TIMES = ["created_at", "started_at", "finished_at", "updated_at"];

const find = (id) => document.getElementById(id);
const findFact = (name) => find("facts").querySelector(`[data-fact="${name}"]`);
const component = document.querySelector("task-progress");

readPageTexts();
const format = getFormatter();

component.addEventListener("task-progress:change", () => {
  find("gone").hidden = true;
  render();
});
component.addEventListener("task-progress:error", () => {
  find("gone").hidden = component.state !== "missing";
  render();
});
setInterval(tick, 1000);
linkBack();
customElements.whenDefined("task-progress").then(render);

function render() {
  const { snapshot } = component;
  if (!snapshot) {
    return;
  }
  renderFacts(snapshot);
  renderStages(snapshot.stages);
  renderMeta(snapshot.meta);
  renderResult(snapshot);
  renderError(snapshot);
}

// Update facts that change with time alone.
function tick() {
  const { snapshot } = component;
  if (!document.hidden && snapshot && !isTerminal(snapshot)) {
    renderFacts(snapshot);
  }
}

function renderFacts(snapshot) {
  const state = findFact("state");
  state.dataset.state = component.state;
  setText(state.lastElementChild, nameState(component.state));
  TIMES.forEach((name) => setTime(findFact(name), snapshot[name], format));
  setText(findFact("took"), describeDuration(snapshot, Date.now(), format));
  for (const name of ["attempt", "queue_position"]) {
    setText(findFact(name), snapshot[name] === null ? "" : format.number(snapshot[name]));
  }
  for (const fact of find("facts").children) {
    fact.hidden = !fact.lastElementChild.textContent;
  }
}

function renderStages(stages) {
  const body = find("stages").querySelector("tbody");
  find("stages").hidden = !stages.length;
  setChildCount(body, stages.length, () => stamp("stage"));
  stages.forEach((stage, index) => renderStage(body.children[index], stage));
}

function renderStage(row, { name, weight, progress, state }) {
  const parts = findParts(row);
  row.dataset.state = state;
  setText(parts.name, name, name);
  setText(parts.state, nameState(state));
  setText(parts.percent, progress === null ? "" : format.percent(progress));
  parts.fill.style.inlineSize = `${progress ?? 0}%`;
  setText(parts.weight, format.number(weight));
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
  const content = isText ? String(value) : make("pre", { dir: "ltr" }, JSON.stringify(value, null, 2));
  return make("div", {}, make("dt", { dir: "auto" }, name), make("dd", { dir: "auto" }, content));
}

function renderResult({ state, result, result_omitted: reason }) {
  const { open, link, omitted, json } = findParts(find("result"));
  const url = findWebUrl(result?.url);
  find("result").hidden = !(state === "succeeded" && (result !== null || reason));
  open.hidden = !url;
  link.href = url;
  setText(link, texts.result, url);
  omitted.hidden = !reason;
  setText(omitted, reason ? say("omitted", { reason }) : "");
  json.hidden = result === null;
  setText(json, JSON.stringify(result, null, 2));
}

function renderError({ error }) {
  const { type, message } = findParts(find("error"));
  find("error").hidden = !error;
  setText(type, error?.type ?? "");
  setText(message, error?.message ?? "");
}

// Keep the filters of the list that the user comes from.
function linkBack() {
  const [list, from] = [new URL(find("back").href), document.referrer && new URL(document.referrer)];
  if (from && from.origin === list.origin && from.pathname === list.pathname) {
    find("back").href = from.href;
  }
}
