// What <task-progress> says of a snapshot. Pure: no element, no clock.

import { SERVER_TEXTS, say, texts } from "./task-progress-texts.js";

const STALLED_AFTER = 15; // seconds of silence after which a server calls a task stalled
const GENERIC_ERROR = "The task failed."; // what viewers are told who may not know more

/**
 * Return the texts for a snapshot: `status` is the sentence, `facts` what is beside it, by name, `percent` the figure above.
 *
 * @param {object} snapshot
 * @param {string} state - its state, or "stalled" or "missing"
 * @param {{elapsed: number, now: number, isMine: boolean, isCutOff: boolean}} circumstances - seconds since the snapshot
 *   came, the time in milliseconds, whether it was this page that asked the task to stop, and whether news can't come
 * @param {Formatter} format
 */
export function describe(snapshot, state, circumstances, format) {
  const said = snapshot.status === SERVER_TEXTS[snapshot.state] ? texts[snapshot.state] : snapshot.status;
  const percent = describeFigure(snapshot, state, format);
  switch (state) {
    case "missing":
      return { percent, status: texts.missing, facts: {} };
    case "failed":
      return { percent, status: describeFailure(snapshot), facts: {} };
    case "lost":
      return { percent, status: texts.lost, facts: said === texts.lost ? {} : { said } };
    case "cancelled":
      return { percent, status: circumstances.isMine ? texts.cancelledByYou : texts.cancelled, facts: {} };
    case "stalled":
      return { percent, status: describeSilence(snapshot, circumstances, format), facts: { said } };
    default:
      return { percent, ...describeWork(snapshot, state, said, circumstances, format) };
  }
}

/** "shop.tasks.import_rows" is called "Import rows" unless the page says better. */
export function describeName(snapshot) {
  const name = (snapshot?.task ?? "").split(".").at(-1).replaceAll("_", " ");
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Why a task has failed: the error where viewers are told, else what the task said last; null where it said nothing. */
export function describeReason({ status, error }) {
  if (status === SERVER_TEXTS.failed) {
    return null;
  }
  const told = error && error.message !== GENERIC_ERROR ? error.message : null;
  return told ?? status.replace(/^Failed: /, "");
}

/** Return how long a task ran, or "" if it has not started; one without an end runs until `now`, in milliseconds. */
export function describeDuration({ started_at: start, finished_at: end }, now, format) {
  const milliseconds = (end ? Date.parse(end) : now) - Date.parse(start);
  return start ? format.duration(Math.max(milliseconds, 0) / 1000) : "";
}

function describeFigure(snapshot, state, format) {
  const { progress, percent, queue_position: position } = snapshot;
  switch (state) {
    case "queued":
      return position === null ? "" : format.position(position);
    case "running":
    case "stalled":
      return percent === null ? "" : format.percent(progress);
    case "succeeded":
      return describeEnd(snapshot, format);
    default:
      return percent === null ? describeEnd(snapshot, format) : say("stoppedAt", { percent: format.percent(progress) });
  }
}

function describeEnd(snapshot, format) {
  return snapshot.finished_at ? describeDuration(snapshot, null, format) : "";
}

function describeWork(snapshot, state, said, { elapsed, isCutOff }, format) {
  const { stages } = snapshot;
  const step = stages.findIndex((stage) => stage.state === "running") + 1;
  const left = (snapshot.eta ?? 0) - elapsed;
  const status = step && said === texts.running ? stages[step - 1].name : said;
  if (isCutOff) {
    return { status, facts: { reconnecting: texts.reconnecting } };
  }
  return {
    status,
    facts: {
      step: step && say("step", { n: format.number(step), total: format.number(stages.length) }),
      count: state === "running" && format.count(snapshot),
      rate: state === "running" && format.rate(snapshot),
      left: left > 0 && describeTimeLeft(left, state, format),
    },
  };
}

function describeTimeLeft(left, state, format) {
  return state === "queued"
    ? say("startsIn", { time: format.roughly(left) })
    : say("left", { time: format.duration(left) });
}

function describeFailure(snapshot) {
  const message = describeReason(snapshot);
  return message === null ? texts.failed : say("failedBecause", { message });
}

// Not longer than it can have been: the last change was a sign of life.
function describeSilence(snapshot, { elapsed, now }, format) {
  const unchanged = (now - Date.parse(snapshot.updated_at)) / 1000;
  const silence = STALLED_AFTER + elapsed;
  return say("silent", { time: format.roughly(unchanged > 0 ? Math.min(unchanged, silence) : silence) });
}
