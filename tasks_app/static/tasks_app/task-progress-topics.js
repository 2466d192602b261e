// The tasks that a page follows on one connection: what is known of each, and who is to be told.

import { fetchJson, makeTaskUrl } from "./task-progress-requests.js";
import { isTerminal } from "./task-progress-states.js";

const POLLS_AT_ONCE = 4;

/** What a task adds to the query of a stream. */
export function makeParameters(taskId, { token }) {
  const parameters = new URLSearchParams({ task: taskId });
  if (token) {
    parameters.append("token", token);
  }
  return parameters.toString();
}

export class Topics {
  #topics = new Map(); // task id → {taskId, token, logs, parameters, followers, snapshot, isDone}
  #transport = "connecting";

  /** How many snapshots were shown. */
  newsCount = 0;

  has(taskId) {
    return this.#topics.has(taskId);
  }

  /** Those that have not ended, and are not missing. */
  get live() {
    return [...this.#topics.values()].filter((topic) => !topic.isDone);
  }

  get isEmpty() {
    return this.#topics.size === 0;
  }

  add(taskId, { token, logs }, follower) {
    const topic = this.#topics.get(taskId) ?? { taskId, followers: new Set(), snapshot: null, isDone: false };
    this.#topics.set(taskId, topic);
    topic.followers.add(follower);
    topic.token = token ?? topic.token;
    topic.logs ||= logs;
    topic.parameters = makeParameters(taskId, topic);
    topic.isDone &&= isTerminal(topic.snapshot); // what was missing is asked for again
    follower.carry(this.#transport);
    if (topic.snapshot) {
      follower.show(topic.snapshot);
    }
  }

  /** Take a follower away; its task stays until the next `prune()`. */
  remove(taskId, follower) {
    this.#topics.get(taskId)?.followers.delete(follower);
  }

  /** Forget what nobody follows. */
  prune() {
    this.#topics.forEach(({ followers }, taskId) => followers.size || this.#topics.delete(taskId));
  }

  show(snapshot) {
    const topic = this.#topics.get(snapshot.task_id);
    if (!topic || topic.isDone || !isNews(snapshot, topic.snapshot)) {
      return;
    }
    this.newsCount++;
    topic.snapshot = snapshot;
    topic.isDone = isTerminal(snapshot);
    topic.followers.forEach((follower) => follower.show(snapshot));
  }

  miss({ task_id: taskId }) {
    const topic = this.#topics.get(taskId);
    if (topic && !topic.isDone) {
      topic.isDone = true;
      topic.followers.forEach((follower) => follower.miss());
    }
  }

  log({ task_id: taskId, offset, lines }) {
    this.#topics.get(taskId)?.followers.forEach((follower) => follower.log(offset, lines));
  }

  carry(transport) {
    if (transport !== this.#transport) {
      this.#transport = transport;
      this.#topics.forEach((topic) => topic.followers.forEach((follower) => follower.carry(transport)));
    }
  }

  /**
   * Ask for each that is live, once.
   *
   * @returns {Promise<boolean>} was there an answer for all of them?
   */
  async poll(base, signal) {
    const queue = this.live;
    let isReached = true;
    const work = async () => {
      for (let topic = queue.shift(); topic && !signal.aborted; topic = queue.shift()) {
        isReached = (await this.#pollOne(base, topic, signal)) && isReached;
      }
    };
    await Promise.all(Array.from({ length: POLLS_AT_ONCE }, work));
    return isReached;
  }

  async #pollOne(base, { taskId, token }, signal) {
    const query = token ? `?token=${encodeURIComponent(token)}` : "";
    try {
      const response = await fetchJson(`${makeTaskUrl(base, taskId)}${query}`, { signal });
      if (response.status === 404) {
        this.miss({ task_id: taskId });
      } else if (response.ok) {
        this.show(await response.json());
      }
      return response.ok || response.status === 404;
    } catch {
      return false; // aborted, or the server can't be reached: the next round will tell
    }
  }
}

/** A stalled task that stirs has the same `seq` as before. */
function isNews(snapshot, known) {
  const isSame = (name) => snapshot[name] === known[name];
  return !known || (snapshot.seq >= known.seq && !["seq", "state", "stalled"].every(isSame));
}
