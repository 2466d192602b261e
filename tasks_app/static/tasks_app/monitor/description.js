// The texts that a row of the monitor shows of a snapshot. Pure: no element, no clock.

import { describe, describeDuration, describeReason, describeWhole } from "../task-progress-description.js";
import { SERVER_TEXTS, texts } from "../task-progress-texts.js";

/**
 * Return the texts of a row: `percent`, `status`, `left`, `whole` (everything that is known) and `took`.
 *
 * @param {object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {object} circumstances - as `describe` takes them; `now` is the server's time
 * @param {Formatter} format
 */
export function describeRow(snapshot, state, circumstances, format) {
  const described = describe(snapshot, state, circumstances, format);
  const said = describeStatus(snapshot, state, described, circumstances, format);
  const { children, problems } = described.facts;
  const status = join([said !== nameState(state) && said, children, problems]);
  const left = described.facts.left || described.facts.usual || "";
  return {
    percent: isIndeterminate(snapshot, state) ? "" : format.percent(snapshot.progress),
    status,
    left: status && left ? ` · ${left}` : left,
    whole: join([said, ...Object.values(described.facts)]),
    took: describeDuration(snapshot, circumstances.now, format),
  };
}

/** Return the name of a state, as it stands in a list. */
export function nameState(state) {
  return texts[`state-${state}`] ?? texts[state];
}

/** Whether a task runs without a known total. */
export function isIndeterminate({ percent }, state) {
  return state === "running" && percent === null;
}

// The state and the duration have columns of their own, so the status does not repeat them.
function describeStatus(snapshot, state, { percent, status }, { isMine }, format) {
  switch (state) {
    case "queued":
      return percent || status;
    case "succeeded":
      return snapshot.conclusion ?? describeWhole(snapshot, format) ?? "";
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
