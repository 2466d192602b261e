// The bar of a task: one segment, or one for each stage or child.

import { makeChildSegments } from "./task-progress-counts.js";
import { setAttribute } from "./task-progress-dom.js";
import { estimate } from "./task-progress-estimate.js";
import { setSegments } from "./task-progress-parts.js";

/**
 * Show how far a task is. Where nobody knows that, the bar may show an estimate, but has no value.
 *
 * @param {HTMLElement} bar
 * @param {?object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {object} circumstances
 * @param {boolean} circumstances.isLive
 * @param {number} circumstances.age - seconds since the task was as the snapshot says
 * @param {string} circumstances.text - what is read out of it
 */
export function renderBar(bar, snapshot, state, { isLive, age, text }) {
  const { progress = 0, percent = 0, stages = [] } = snapshot ?? {};
  const estimated = estimate(snapshot, state, age);
  const whole = estimated ?? (isLive ? percent : progress);
  setSegments(bar, makeChildSegments(snapshot) ?? (stages.length ? stages : [{ weight: 1, progress: whole }]));
  setAttribute(bar, "aria-valuenow", state === "running" && percent === null ? null : progress);
  setAttribute(bar, "aria-valuetext", text);
  setAttribute(bar, "data-estimated", estimated === null ? null : "");
}
