// What a task was called with and what went wrong, as far as staff are told.

import { GENERIC_ERROR, describeReason } from "../task-progress-description.js";
import { make, setText } from "../task-progress-dom.js";
import { say } from "../task-progress-texts.js";
import { findParts } from "./dom.js";

const SHORT = 60; // characters of a message that the component shows without cutting them

/**
 * Show the error of a task: its type, which viewers may not be told, and the traceback where that is recorded, else a
 * message that was cut above.
 */
export function renderError(section, snapshot, attempts) {
  const { error, attempt } = snapshot;
  const { type, message, traceback } = findParts(section);
  const latest = attempts.find((each) => each.attempt === attempt);
  const text = latest?.traceback ?? "";
  section.hidden = !error && !text;
  setText(type, error ? latest?.error ?? error.type : "");
  setText(message, text || !error || isShownAbove(snapshot) ? "" : error.message);
  setTraceback(traceback, text);
  message.hidden = !message.textContent;
}

/** Show why the attempts before the latest one failed, each behind its number. */
export function renderEarlierErrors(section, { attempt }, attempts, format) {
  const failed = attempts.filter((each) => each.traceback && each.attempt < attempt);
  const shown = failed.map((each) => each.attempt).join();
  section.hidden = !failed.length;
  if (section.dataset.shown !== shown) {
    section.dataset.shown = shown;
    findParts(section).attempts.replaceChildren(...failed.map((each) => makeEarlier(each, format)));
  }
}

/** Show the arguments of the latest attempt whose arguments are recorded. */
export function renderArguments(section, attempts) {
  const values = attempts.findLast((each) => each.arguments)?.arguments ?? [];
  const shown = JSON.stringify(values);
  section.hidden = !values.length;
  if (section.dataset.shown !== shown) {
    section.dataset.shown = shown;
    findParts(section).values.replaceChildren(...values.map(makeArgument));
  }
}

// The component shows a message in one line, which it cuts, and none that is kept back.
function isShownAbove(snapshot) {
  const { message } = snapshot.error;
  const isWhole = describeReason(snapshot) === message && message.length <= SHORT && !message.includes("\n");
  return isWhole || message === GENERIC_ERROR;
}

// The end says what happened.
function setTraceback(element, text) {
  element.hidden = !text;
  if (element.textContent !== text) {
    element.textContent = text;
    element.scrollTop = element.scrollHeight;
  }
}

function makeEarlier({ attempt, traceback }, format) {
  const name = say("attempt", { n: format.number(attempt) });
  const text = make("pre", { class: "traceback", dir: "ltr", tabindex: 0, role: "region", "aria-label": name }, traceback);
  return make("details", {}, make("summary", {}, name), text);
}

function makeArgument({ name, value }, index) {
  const label = name || String(index + 1);
  return make("div", {}, make("dt", {}, makeCode(label)), make("dd", {}, makeCode(value)));
}

function makeCode(text) {
  return make("code", { dir: "ltr" }, text);
}
