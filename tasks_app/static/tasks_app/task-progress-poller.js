// Polling: fetches the snapshot of each task of a connection, round after round.

import { fetchJson, makeTaskUrl } from "./task-progress-requests.js";
import { MAX_BACKOFF_MS } from "./task-progress-timers.js";

const REQUESTS_AT_ONCE = 4;
const MS_PER_TASK = 100; // a page with many tasks polls each of them less often

export class Poller {
  #base;
  #watches;
  #on;
  #interval = null;
  #controller = null;
  #timeout;

  /**
   * @param {string} base - as `findBase` returns it
   * @param {Watches} watches - gets the snapshots
   * @param {{goOn: () => void, finish: () => void}} on - `goOn` is called when another round is due, `finish` when no task
   *   is live any more
   */
  constructor(base, watches, on) {
    this.#base = base;
    this.#watches = watches;
    this.#on = on;
  }

  get isRunning() {
    return this.#controller !== null;
  }

  /** Poll until `stop()`, with so many milliseconds between two rounds. */
  start(interval) {
    if (this.#interval !== interval) {
      this.stop();
      this.#interval = interval;
      this.#controller = new AbortController();
      this.#run(this.#controller.signal, interval);
    }
  }

  stop() {
    this.#controller?.abort();
    clearTimeout(this.#timeout);
    this.#interval = this.#controller = null;
  }

  /** Poll each of some tasks once, by default the live ones, and return whether the server answered for all of them. */
  async poll(signal = new AbortController().signal, queue = this.#watches.live) {
    let isReached = true;
    const work = async () => {
      for (let watch = queue.shift(); watch && !signal.aborted; watch = queue.shift()) {
        isReached = (await this.#pollOne(watch, signal)) && isReached;
      }
    };
    await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, work));
    if (!this.#watches.live.length) {
      this.#on.finish();
    }
    return isReached;
  }

  async #run(signal, pause) {
    const isReached = await this.poll(signal);
    if (!signal.aborted) {
      const longer = Math.min(2 * pause, MAX_BACKOFF_MS);
      const next = isReached ? Math.max(this.#interval, MS_PER_TASK * this.#watches.live.length) : longer;
      this.#timeout = setTimeout(() => this.#run(signal, next), next * (0.75 + Math.random() / 2));
      this.#on.goOn();
    }
  }

  async #pollOne({ taskId, token }, signal) {
    const query = token ? `?token=${encodeURIComponent(token)}` : "";
    try {
      const response = await fetchJson(`${makeTaskUrl(this.#base, taskId)}${query}`, { signal });
      if (response.status === 404) {
        this.#watches.showMissing(taskId);
      } else if (response.ok) {
        this.#watches.showSnapshot(await response.json());
      }
      return response.ok || response.status === 404;
    } catch {
      return false; // aborted, or without an answer: the next round tries again
    }
  }
}
