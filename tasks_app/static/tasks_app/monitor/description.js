// The texts that a row of the monitor shows of a snapshot. Pure: no element, no clock.

import { describe, describeDuration, describeReason } from "../task-progress-description.js";
import { SERVER_TEXTS, texts } from "../task-progress-texts.js";

/**
 * Return the texts of a row: `percent`, `status`, `whole` (everything that is known) and `took`.
 *
 * @param {object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {object} circumstances - as `describe` takes them
 * @param {number} serverNow - the server's time in milliseconds
 * @param {Formatter} format
 */
export function describeRow(snapshot, state, circumstances, serverNow, format) {
  const described = describe(snapshot, state, circumstances, format);
  const status = describeStatus(snapshot, state, described, circumstances);
  return {
    percent: isIndeterminate(snapshot, state) ? "" : format.percent(snapshot.progress),
    status: join([status, described.facts.step, described.facts.left]),
    whole: join([status, ...Object.values(described.facts)]),
    took: describeDuration(snapshot, serverNow, format),
  };
}

/** Whether a task runs without a known total. */
export function isIndeterminate({ percent }, state) {
  return state === "running" && percent === null;
}

// The state has a column of its own, so the status does not repeat it.
function describeStatus(snapshot, state, { percent, status }, { isMine }) {
  switch (state) {
    case "queued":
      return percent || status;
    case "failed":
      return describeReason(snapshot) ?? texts.failed;
    case "cancelled":
      return isMine || snapshot.status === SERVER_TEXTS.cancelled ? status : snapshot.status;
    default:
      return status;
  }
}

function join(texts) {
  return texts.filter(Boolean).join(" · ");
}
