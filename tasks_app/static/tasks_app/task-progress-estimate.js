// How far a task without a total is, as far as its usual duration tells. Pure: no element, no clock.

const STEADY = 0.7; // the part of the usual duration in which the bar grows evenly; then it slows, and never fills

/** Return whether a task runs without a total, while it is known how long its runs usually take. */
export function isEstimated(snapshot, state) {
  return state === "running" && snapshot?.percent === null && snapshot.expected > 0;
}

/**
 * Return the percentage to draw of a task; null if nothing tells it.
 *
 * @param {?object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {number} age - seconds since the task was as the snapshot says
 */
export function estimate(snapshot, state, age) {
  if (!isEstimated(snapshot, state)) {
    return null;
  }
  const share = countRun(snapshot, age) / snapshot.expected;
  const slowed = share < STEADY ? share : 1 - (1 - STEADY) * Math.exp((STEADY - share) / (1 - STEADY));
  return Math.min(slowed * 100, 99);
}

/** Return the seconds that are left of the usual duration of a task that runs; negative if it takes longer. */
export function countLeft(snapshot, age) {
  return snapshot.expected - countRun(snapshot, age);
}

function countRun({ started_at: start, updated_at: updated }, age) {
  return Math.max((Date.parse(updated) - Date.parse(start)) / 1000, 0) + age;
}
