// The texts that <task-progress> shows of a snapshot. Pure: no element, no clock.

import { describeDone, describeProblems, withoutCounts } from "./task-progress-counts.js";
import { countLeft, isEstimated } from "./task-progress-estimate.js";
import { TERMINAL } from "./task-progress-states.js";
import { SERVER_TEXTS, say, texts } from "./task-progress-texts.js";

const STALLED_AFTER = 15; // seconds without a sign of life after which a server by default calls a task stalled
const NEXT_AFTER = 1; // seconds until a task is called the next one in line

const MODULE = /(?:[^\s.,]+\.)+/g; // of the name of a task

/** The states beside which the counts of a parent's children are shown. */
const HAS_COUNTS = new Set(["queued", "running", "stalled", ...TERMINAL]);

/** The message of an error where errors are not exposed. */
export const GENERIC_ERROR = "The task failed.";

/**
 * Return the texts of a snapshot: `percent`, the figure; `status`, the sentence; and `facts` beside it, by name.
 *
 * @param {object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {object} circumstances
 * @param {number} circumstances.now - the server's time in milliseconds
 * @param {number} circumstances.elapsed - seconds since the snapshot came
 * @param {number} circumstances.age - seconds since the task was as the snapshot says
 * @param {boolean} circumstances.isMine - whether this page asked the server to cancel the task
 * @param {boolean} [circumstances.isCompact] - whether the figure is all that is shown
 * @param {Formatter} format
 */
export function describe(snapshot, state, circumstances, format) {
  const said = describeState(withoutCounts(snapshot), state, circumstances, format);
  if (!snapshot.children || !HAS_COUNTS.has(state)) {
    return said;
  }
  const counts = { children: describeDone(snapshot, format), problems: describeProblems(snapshot, format) };
  return { ...said, facts: { ...counts, ...said.facts } };
}

function describeState(snapshot, state, circumstances, format) {
  const percent = describeFigure(snapshot, state, circumstances, format);
  const said = snapshot.status === SERVER_TEXTS[snapshot.state] ? texts[snapshot.state] : snapshot.status;
  switch (state) {
    case "missing":
      return { percent, status: texts.missing, facts: {} };
    case "reconnecting":
      return { percent, status: texts.reconnecting, facts: {} };
    case "succeeded":
      return describeSuccess(snapshot, circumstances, format);
    case "failed":
      return { percent, status: describeFailure(snapshot), facts: {} };
    case "lost":
      return { percent, status: texts.lost, facts: said === texts.lost ? {} : { said } };
    case "cancelled":
      return { percent, status: circumstances.isMine ? texts.cancelledByYou : texts.cancelled, facts: {} };
    case "stalled":
      return snapshot.status === SERVER_TEXTS.unknown
        ? { percent, status: texts.unknown, facts: {} }
        : { percent, status: describeSilence(snapshot, circumstances, format), facts: { said } };
    default:
      return { percent, ...describeWork(snapshot, state, said, circumstances, format) };
  }
}

/** Return how long ago, by `performance.now()`, the server was heard last; "" if it never was. */
export function describeNews({ heardAt }, now, format) {
  return heardAt === null ? "" : say("lastNews", { time: format.duration((now - heardAt) / 1000) });
}

/**
 * Return the label of a task, else a name for it: "shop.tasks.import_rows" becomes "Import rows".
 *
 * In the name of a parent, such as "chain of shop.tasks.read, shop.tasks.save", each name loses its module.
 */
export function describeName(snapshot) {
  if (snapshot?.label) {
    return snapshot.label;
  }
  const name = (snapshot?.task ?? "").replaceAll(MODULE, "").replaceAll("_", " ");
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Return why a task failed: its error where that is exposed, else its last status; null without either. */
export function describeReason(snapshot) {
  const { status, error } = withoutCounts(snapshot);
  if (status === SERVER_TEXTS.failed) {
    return null;
  }
  const message = error && error.message !== GENERIC_ERROR ? error.message : null;
  return message ?? status.replace(/^Failed: /, "");
}

/** Return what a task that has succeeded has counted: "1,284 files", or "99 / 120 files"; null without a count. */
export function describeWhole({ current, total, unit }, format) {
  return format.count({ current, total: current === total ? null : total, unit });
}

/** Return how long a task ran, or "" if it has not started; one without an end runs until `now`, in milliseconds. */
export function describeDuration({ started_at: start, finished_at: end }, now, format) {
  const seconds = ((end ? Date.parse(end) : now) - Date.parse(start)) / 1000;
  if (!start) {
    return "";
  }
  return seconds < 1 ? texts.moment : format.duration(seconds);
}

function describeFigure(snapshot, state, { elapsed, isCompact }, format) {
  const { progress, percent, queue_position: position } = snapshot;
  switch (state) {
    case "queued":
      // Most tasks begin as soon as they are next, and that would only flash.
      return position === null || (position === 1 && elapsed < NEXT_AFTER) ? "" : format.position(position);
    case "running":
    case "stalled":
    case "reconnecting":
    case "missing": // of what it has come to, nothing is known
      return percent === null ? "" : format.percent(progress);
    default:
      return percent === null ? describeEnd(snapshot, format) : describeStop(progress, isCompact, format);
  }
}

function describeStop(progress, isCompact, format) {
  const percent = format.percent(progress);
  return isCompact ? percent : say("stoppedAt", { percent });
}

function describeEnd(snapshot, format) {
  return snapshot.finished_at ? describeDuration(snapshot, null, format) : "";
}

function describeWork(snapshot, state, said, circumstances, format) {
  const { stages } = snapshot;
  const step = stages.findIndex((stage) => stage.state === "running") + 1;
  const status = step && said === texts.running ? stages[step - 1].name : said;
  return {
    status,
    facts: {
      step: step && say("step", { n: format.number(step), total: format.number(stages.length) }),
      count: state === "running" && format.count(snapshot),
      rate: state === "running" && format.rate(snapshot),
      left: describeTimeLeft(snapshot, state, circumstances, format),
      usual: describeUsual(snapshot, state, format),
    },
  };
}

// What the job said while it worked is no longer so; its last words say it all.
function describeSuccess(snapshot, { isCompact }, format) {
  const { conclusion } = snapshot;
  const [time, count] = [describeEnd(snapshot, format), describeWhole(snapshot, format)];
  if (conclusion || !count || isCompact) {
    return { percent: time, status: conclusion ?? texts.done, facts: {} };
  }
  return { percent: "", status: `${texts.done} · ${time ? say("countIn", { count, time }) : count}`, facts: {} };
}

function describeTimeLeft(snapshot, state, { elapsed, age }, format) {
  if (isEstimated(snapshot, state)) {
    const left = countLeft(snapshot, age);
    return left >= 1 ? say("leftAbout", { time: format.roughly(left) }) : "";
  }
  const seconds = (snapshot.eta ?? 0) - elapsed;
  if (seconds <= 0) {
    return "";
  }
  return state === "queued"
    ? say("startsIn", { time: format.roughly(seconds) })
    : say("left", { time: format.duration(seconds) });
}

// A task that counts towards a total shows by that how long it takes.
function describeUsual(snapshot, state, format) {
  const { expected } = snapshot;
  if (!(expected >= 1) || !(state === "queued" || isEstimated(snapshot, state))) {
    return "";
  }
  return say("usually", { time: format.roughly(expected < 60 ? expected : Math.round(expected / 60) * 60) });
}

function describeFailure(snapshot) {
  const message = describeReason(snapshot);
  return message === null ? texts.failed : say("failedBecause", { message });
}

// The silence is no longer than the time since the last change, which was a sign of life.
function describeSilence(snapshot, { elapsed, now }, format) {
  const unchanged = (now - Date.parse(snapshot.updated_at)) / 1000;
  const silence = STALLED_AFTER + elapsed;
  return say("silent", { time: format.roughly(unchanged > 0 ? Math.min(unchanged, silence) : silence) });
}
