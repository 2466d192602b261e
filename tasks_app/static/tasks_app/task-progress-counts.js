// What the counts of a parent's children say: in words, and as segments of its bar. Pure: no element, no clock.

import { SERVER_TEXTS, say } from "./task-progress-texts.js";

const MAX_SEGMENTS = 12; // more of them would be too narrow to be counted

/** The states of children in the order of the bar. */
const ORDER = ["succeeded", "failed", "lost", "cancelled", "running", "queued"];

/** The texts of children that have not succeeded, by their state. */
const PROBLEMS = { failed: "childrenFailed", lost: "childrenLost", cancelled: "childrenCancelled" };

/** Return a snapshot without the status that a server made of the counts, which are shown in the words of the page. */
export function withoutCounts(snapshot) {
  const isMade = snapshot.children && snapshot.status === tellCounts(snapshot.children);
  return isMade ? { ...snapshot, status: SERVER_TEXTS[snapshot.state] } : snapshot;
}

/** Return how many of a parent's children have succeeded as "26 of 40"; "" for a task without children. */
export function describeDone({ children }, format) {
  return children ? say("childrenDone", { n: format.number(children.succeeded), total: format.number(children.total) }) : "";
}

/** Return how many of a parent's children have not succeeded as "1 failed · 2 cancelled"; "" without any. */
export function describeProblems({ children }, format) {
  const counted = Object.entries(PROBLEMS).filter(([state]) => children?.[state]);
  return counted.map(([state, name]) => format.counted(name, children[state])).join(" · ");
}

/**
 * Return a segment of the bar for each child of a task, null unless there are 2 to 12. The counts do not tell how far
 * those are that run, so their segments do not either.
 */
export function makeChildSegments(snapshot) {
  const children = snapshot?.children;
  if (!children || children.total < 2 || children.total > MAX_SEGMENTS) {
    return null;
  }
  const states = ORDER.flatMap((state) => Array.from({ length: children[state] }, () => state));
  return states.map((state) => ({ weight: 1, progress: state === "queued" ? 0 : 100, child: state }));
}

// As the server says it.
function tellCounts(children) {
  const others = ["failed", "cancelled", "lost"].filter((state) => children[state]);
  return [`${children.succeeded} of ${children.total} done`, ...others.map((state) => `${children[state]} ${state}`)].join(", ");
}
