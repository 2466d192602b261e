// The connections of a page. All components share one stream, or a few where one can't name all their tasks.

import { Connection } from "./task-progress-connection.js";
import { followVisibility } from "./task-progress-timers.js";

const MAX_STREAMS = 3; // browsers allow six connections to a host, and cancelling needs one; further tasks are polled
const HIDDEN_MS = 15_000; // until a hidden tab gives up its stream: all tabs share the six connections

const connections = new Set();
let isHidden = false;

const page = {
  get isHidden() {
    return isHidden;
  },
  /** Whether this connection is one of those that may have a stream. */
  allowsStream: (connection) => [...connections].filter(({ isLive }) => isLive).indexOf(connection) < MAX_STREAMS,
  remove: (connection) => connections.delete(connection),
};

/**
 * Follow a task, on a connection that is shared by all followers of a base URL.
 *
 * @param {string} base - absolute URL under which the app's endpoints are, with a slash at its end
 * @param {string} taskId
 * @param {{token?: string, tokenAge?: number, logs?: boolean}} options - a signed token, for how many seconds it lasts if
 *   the session may renew it, and whether to fetch log lines
 * @param {object} follower
 * @param {(snapshot: object) => void} follower.showSnapshot - is called with each newer snapshot
 * @param {() => void} follower.showMissing - is called if the server does not find the task
 * @param {(offset: number, lines: object[]) => void} follower.showLines - is called with log lines, of which some may have
 *   come before
 * @param {(transport: string) => void} [follower.showTransport] - is called with "connecting", "stream" or "polling"
 * @param {(contact: Contact) => void} [follower.showContact] - is called when the server is heard no longer, or again
 * @returns {() => void} stops following
 */
export function follow(base, taskId, options, follower) {
  const connection = findConnection(base, taskId, options) ?? new Connection(base, page);
  connections.add(connection);
  connection.add(taskId, options, follower);
  return () => connection.remove(taskId, follower);
}

/**
 * Follow a task on the connection of another one, as `follow` does, where that has room: nothing is opened for it.
 *
 * @returns {?() => void} stops following; null if it is not followed
 */
export function followBeside(base, companionId, taskId, options, follower) {
  const candidates = [...connections].filter((connection) => connection.base === base);
  const connection =
    candidates.find(({ watches }) => watches.has(taskId)) ??
    candidates.find(({ watches }) => watches.has(companionId) && watches.hasRoomBeside(taskId, options));
  connection?.add(taskId, options, follower);
  return connection ? () => connection.remove(taskId, follower) : null;
}

function findConnection(base, taskId, options) {
  const candidates = [...connections].filter((connection) => connection.base === base);
  return (
    candidates.find((connection) => connection.watches.has(taskId)) ??
    candidates.find((connection) => connection.watches.hasRoom(taskId, options))
  );
}

function rest() {
  isHidden = true;
  connections.forEach((connection) => connection.rest());
}

function wake() {
  isHidden = false;
  connections.forEach((connection) => connection.wake());
}

followVisibility(HIDDEN_MS, { rest, wake });
addEventListener("online", () => isHidden || connections.forEach((connection) => connection.renew()));
addEventListener("pageshow", () => connections.forEach((connection) => connection.wake()));
addEventListener("pagehide", () => connections.forEach((connection) => connection.freeze()));
