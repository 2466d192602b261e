// The states of a task. They are those of `State` in Python; a test compares the two.

/** The states of a task that waits or runs. */
export const LIVE = new Set(["queued", "running"]);

/** The states of a task that has ended. */
export const TERMINAL = new Set(["succeeded", "failed", "cancelled", "lost"]);

/** Whether a value is a snapshot, as far as a page must rely on it. */
export function isSnapshot(value) {
  return (LIVE.has(value?.state) || TERMINAL.has(value?.state)) && Array.isArray(value.stages);
}

/** Whether the task of a snapshot has ended. */
export function isTerminal(snapshot) {
  return TERMINAL.has(snapshot?.state);
}

/** Whether a task may still change: it waits or runs, and the server finds it. */
export function isLive(snapshot, isMissing) {
  return LIVE.has(snapshot?.state) && !isMissing;
}

/** Return the state that a page shows: that of the snapshot, or "connecting", "reconnecting", "stalled" or "missing". */
export function findState(snapshot, isMissing, isCutOff = false) {
  if (isMissing) {
    return "missing";
  }
  if (isCutOff && !isTerminal(snapshot)) {
    return "reconnecting";
  }
  return snapshot?.stalled ? "stalled" : (snapshot?.state ?? "connecting");
}

/** Whether two snapshots of a task say the same. A change of `stalled` does not change `seq`. */
export function isSame(snapshot, other) {
  return ["seq", "state", "stalled"].every((name) => snapshot?.[name] === other?.[name]);
}
