// The tasks that a page follows on one connection, each with its followers and its last snapshot.

import { isSame, isTerminal } from "./task-progress-states.js";

const MAX_TASKS = 100; // on one stream, by the server's default
const MAX_BESIDE = 50; // up to which there is room for tasks that no component of the page needs
const MAX_QUERY = 6000; // characters; proxies refuse long addresses

// A token without an age is all that its reader has. One with an age came with the page: the session does as well.
// The token of a parent, which is on the stream, covers its children.
function makeParameters(taskId, { token, tokenAge, isCovered }) {
  const parameters = new URLSearchParams({ task: taskId });
  if (token && !tokenAge && !isCovered) {
    parameters.append("token", token);
  }
  return parameters.toString();
}

export class Watches {
  #watches = new Map(); // task id → {taskId, token, tokenAge, tokenAt, given, logs, parameters, followers, …}
  #transport = "connecting";
  #contact = null;
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

  /** The live watches whose tokens the session renews. */
  get renewable() {
    return this.live.filter((watch) => watch.token && watch.tokenAge);
  }

  /** Whether their tokens must be put together into one to fit into an address. */
  get hasTooManyTokens() {
    const tokens = this.#renewableTokens;
    return tokens.length > 1 && !this.#fit(tokens);
  }

  /** Return the URL of a stream of the live ones. Tokens that the session renews are left out if they do not fit. */
  makeUrl(base) {
    const tokens = this.#renewableTokens;
    return `${base}task-progress?${[this.query, ...(this.#fit(tokens) ? tokens : [])].join("&")}`;
  }

  get #renewableTokens() {
    return [...new Set(this.renewable.map(({ token }) => `token=${encodeURIComponent(token)}`))];
  }

  #fit(tokens) {
    return [this.query, ...tokens].join("&").length < MAX_QUERY;
  }

  /** What a stream of the live ones is asked for, but for tokens that the session renews. */
  get query() {
    const logs = this.live.some((watch) => watch.logs) ? ["logs=1"] : [];
    return ["heartbeat=event", ...this.live.map((watch) => watch.parameters), ...logs].join("&");
  }

  /** Whether a stream can show one more task. */
  hasRoom(taskId, options) {
    const isFull = this.live.length + this.missing.length >= MAX_TASKS;
    return !isFull && this.query.length + makeParameters(taskId, options).length < MAX_QUERY;
  }

  /** Whether a stream can show one more task that no component of the page needs, and then still has room for those. */
  hasRoomBeside(taskId, options) {
    return this.live.length + this.missing.length < MAX_BESIDE && this.hasRoom(taskId, options);
  }

  has(taskId) {
    return this.#watches.has(taskId);
  }

  /** Add a follower, and show it the last snapshot. A missing task becomes live: there may be a new token. */
  add(taskId, { token, tokenAge, logs, isCovered }, follower) {
    const watch = this.#watches.get(taskId) ?? { taskId, followers: new Set(), snapshot: null };
    this.#watches.set(taskId, watch);
    watch.followers.add(follower);
    const given = `${token} ${tokenAge}`;
    if (token && given !== watch.given && !(isCovered && watch.token)) {
      this.#setToken(watch, token, tokenAge);
      watch.given = given; // an element that is moved brings it again
    }
    watch.logs ||= logs;
    watch.isCovered = Boolean(isCovered) && watch.isCovered !== false;
    watch.parameters = makeParameters(taskId, watch);
    watch.isMissing = false;
    follower.showTransport?.(this.#transport);
    follower.showContact?.(this.#contact);
    if (watch.snapshot) {
      follower.showSnapshot(watch.snapshot);
    }
  }

  /** Take over the answer to the request for new tokens of some tasks; the session alone serves those that got none. */
  takeTokens(taskIds, { token, tasks, max_age: age }) {
    const watches = taskIds.map((taskId) => this.#watches.get(taskId)).filter(Boolean);
    watches.forEach((watch) => (tasks.includes(watch.taskId) ? this.#setToken(watch, token, age) : this.#setToken(watch)));
  }

  #setToken(watch, token = null, tokenAge = 0) {
    Object.assign(watch, { token, tokenAge, tokenAt: performance.now() });
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
      this.#followers.forEach((follower) => follower.showTransport?.(transport));
    }
  }

  showContact(contact) {
    this.#contact = contact;
    this.#followers.forEach((follower) => follower.showContact?.(contact));
  }

  get #followers() {
    return [...this.#watches.values()].flatMap(({ followers }) => [...followers]);
  }
}

// Nothing is newer than the end.
function isNewer(snapshot, known) {
  return !known || (!isTerminal(known) && snapshot.seq >= known.seq && !isSame(snapshot, known));
}
