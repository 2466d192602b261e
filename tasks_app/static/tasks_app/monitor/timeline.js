// The timeline of a task: what it waited for, its attempts and their stages. Pure: no element, no clock.

const MIN_WAIT_MS = 1000; // shorter waits say nothing

/**
 * Return the rows of a timeline, in order: `{kind, number, name, state, start, end, progress, attempt}`.
 *
 * `kind` is "wait", "attempt" or "stage"; times are in milliseconds, and null where they are not known; the `end` of
 * what goes on is `now`, and `isLive` says so. Nothing is told that neither the snapshot nor the details know.
 *
 * @param {object} snapshot
 * @param {object[]} attempts - the details that the server has of the attempts
 * @param {number} now - the server's time in milliseconds
 */
export function makeTimeline(snapshot, attempts, now) {
  const known = new Map(attempts.map((details) => [details.attempt, details]));
  const rows = [];
  for (let number = 1; number <= snapshot.attempt; number++) {
    const details = known.get(number);
    if (details || number === snapshot.attempt) {
      rows.push(...makeAttempt(snapshot, number, details, known.get(number - 1), now));
    }
  }
  const isWaiting = snapshot.state === "queued";
  return isWaiting ? [...rows, ...makeWait(findQueued(snapshot, known), null, now)] : rows;
}

/** Return the first and the last moment of a timeline, in milliseconds; null if none of its rows has a time. */
export function findBounds(rows) {
  const times = rows.flatMap(({ start, end }) => [start, end]).filter((time) => time !== null);
  return times.length ? { from: Math.min(...times), to: Math.max(...times) } : null;
}

/**
 * Return when a task waited, up to its first start or its end, and when it ran: `{wait, run}`, each with `start`, `end` and
 * `isLive`, or null where it is not known. What goes on ends `now`.
 */
export function makeCourse({ state, created_at: created, started_at: started, finished_at: finished }, now) {
  const [made, begun, ended] = [parse(created), parse(started), parse(finished)];
  const isRunning = begun !== null && ended === null && state === "running";
  const waited = begun ?? ended ?? (state === "queued" ? now : null);
  const ran = ended ?? (isRunning ? now : null);
  return {
    wait: made === null || waited === null ? null : { start: made, end: waited, isLive: begun === null && ended === null },
    run: begun === null || ran === null ? null : { start: begun, end: ran, isLive: isRunning },
  };
}

function makeAttempt(snapshot, number, details, before, now) {
  const isLatest = number === snapshot.attempt;
  const attempt = { ...details, ...(isLatest && readLatest(snapshot, details)) };
  if (!attempt.started_at) {
    return []; // it was begun, but nobody knows when
  }
  const began = number === 1 ? snapshot.created_at : before?.finished_at;
  const row = makeRow("attempt", attempt, now);
  const stages = isLatest ? findStages(snapshot, details) : (details.stages ?? []);
  return [
    ...makeWait(began, attempt.started_at, now),
    { ...row, number, host: details?.host, process: details?.process, isEndUnknown: !isLatest && row.isLive },
    ...stages.map((stage) => makeRow("stage", stage, now, attempt.finished_at)),
  ].map((each) => (isLatest ? each : { ...each, isLive: false, end: each.isLive ? null : each.end }));
}

// The snapshot knows best of the latest attempt, except of the times of one that was handed back.
function readLatest({ state, started_at, finished_at }, details) {
  return { state, started_at, finished_at: finished_at ?? (state === "queued" ? details?.finished_at : null) };
}

function findStages({ stages }, details) {
  const times = new Map((details?.stages ?? []).map((stage) => [stage.name, stage]));
  return stages.map((stage) => ({ started_at: null, finished_at: null, ...times.get(stage.name), ...stage }));
}

function findQueued(snapshot, known) {
  return snapshot.attempt === 0 ? snapshot.created_at : known.get(snapshot.attempt)?.finished_at;
}

function makeWait(from, until, now) {
  const isLive = until === null;
  const [start, end] = [parse(from), isLive ? now : parse(until)];
  const isShown = start !== null && end !== null && (isLive || end - start >= MIN_WAIT_MS);
  return isShown ? [{ kind: "wait", state: "queued", start, end, isLive }] : [];
}

// A stage that its job did not leave ends with the attempt.
function makeRow(kind, { name = "", state, progress = null, started_at, finished_at }, now, closed = null) {
  const start = parse(started_at);
  const end = parse(finished_at) ?? (start === null ? null : parse(closed));
  const isLive = start !== null && end === null && (state === "running" || state === "stalled");
  return { kind, name, state, progress, start, end: isLive ? now : end, isLive };
}

function parse(time) {
  return time ? Date.parse(time) : null;
}
