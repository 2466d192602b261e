// The tasks that a page follows on one connection, each with its followers and its last snapshot.

import { isSame, isTerminal } from "./task-progress-states.js";

/** Return the part of a stream's query that is about one task. */
export function makeParameters(taskId, { token }) {
  const parameters = new URLSearchParams({ task: taskId });
  if (token) {
    parameters.append("token", token);
  }
  return parameters.toString();
}

export class Watches {
  #watches = new Map(); // task id → {taskId, token, logs, parameters, followers, snapshot, isMissing}
  #transport = "connecting";
  #on;

  /** The number of snapshots that were newer than the one before. */
  newCount = 0;

  /**
   * @param {object} on
   * @param {() => void} on.missing - is called when the server has not found a task
   * @param {() => void} on.found - is called when it has found one that was missing
   * @param {() => void} on.news - is called when a task has got to another state
   */
  constructor(on) {
    this.#on = on;
  }

  get isEmpty() {
    return this.#watches.size === 0;
  }

  /** The watches of tasks that are neither terminal nor missing. */
  get live() {
    return [...this.#watches.values()].filter((watch) => !watch.isMissing && !isTerminal(watch.snapshot));
  }

  /** The watches of tasks that the server has not found. */
  get missing() {
    return [...this.#watches.values()].filter((watch) => watch.isMissing);
  }

  has(taskId) {
    return this.#watches.has(taskId);
  }

  /** Add a follower, and show it the last snapshot. A missing task becomes live: there may be a new token. */
  add(taskId, { token, logs }, follower) {
    const watch = this.#watches.get(taskId) ?? { taskId, followers: new Set(), snapshot: null };
    this.#watches.set(taskId, watch);
    watch.followers.add(follower);
    watch.token = token ?? watch.token;
    watch.logs ||= logs;
    watch.parameters = makeParameters(taskId, watch);
    watch.isMissing = false;
    follower.showTransport(this.#transport);
    if (watch.snapshot) {
      follower.showSnapshot(watch.snapshot);
    }
  }

  /** Remove a follower; its task stays until the next `prune()`. */
  remove(taskId, follower) {
    this.#watches.get(taskId)?.followers.delete(follower);
  }

  /** Remove the tasks without followers. */
  prune() {
    this.#watches.forEach(({ followers }, taskId) => followers.size || this.#watches.delete(taskId));
  }

  showSnapshot(snapshot) {
    const watch = this.#watches.get(snapshot.task_id);
    if (!watch || !(watch.isMissing || isNewer(snapshot, watch.snapshot))) {
      return;
    }
    const { isMissing: wasMissing, snapshot: before } = watch;
    this.newCount++;
    watch.snapshot = snapshot;
    watch.isMissing = false;
    watch.followers.forEach((follower) => follower.showSnapshot(snapshot));
    if (wasMissing) {
      this.#on.found();
    } else if (before && before.state !== snapshot.state) {
      this.#on.news();
    }
  }

  showMissing(taskId) {
    const watch = this.#watches.get(taskId);
    if (watch && !watch.isMissing && !isTerminal(watch.snapshot)) {
      watch.isMissing = true;
      watch.followers.forEach((follower) => follower.showMissing());
      this.#on.missing();
    }
  }

  showLines(taskId, offset, lines) {
    this.#watches.get(taskId)?.followers.forEach((follower) => follower.showLines(offset, lines));
  }

  showTransport(transport) {
    if (transport !== this.#transport) {
      this.#transport = transport;
      this.#watches.forEach(({ followers }) => followers.forEach((follower) => follower.showTransport(transport)));
    }
  }
}

// Nothing is newer than the end.
function isNewer(snapshot, known) {
  return !known || (!isTerminal(known) && snapshot.seq >= known.seq && !isSame(snapshot, known));
}
