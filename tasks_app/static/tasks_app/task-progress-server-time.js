// The time by the server's clock, since the clock of a browser may be hours off.

let offset = null; // milliseconds from the browser's steady clock to the server's

/** Take over the server's time out of its answer: an RFC 3339 text; anything else is left alone. */
export function hearServerTime(text) {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) {
    // What came late, or out of a cache, tells a time that has passed.
    offset = Math.max(offset ?? -Infinity, time - performance.now());
  }
}

/**
 * Return the seconds since a task was as its snapshot says, which may have come late; while the server's time is unknown,
 * those since it came.
 */
export function findAge(snapshot, elapsed) {
  const age = offset === null || !snapshot ? elapsed : (serverNow() - Date.parse(snapshot.updated_at)) / 1000;
  return Math.max(age, elapsed);
}

/** Return the server's time in milliseconds; until the server has told it, the browser's. */
export function serverNow() {
  return offset === null ? Date.now() : performance.now() + offset;
}
