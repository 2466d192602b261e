// Polling: fetches the snapshot of each task of a connection, round after round.

import { fetchSnapshot } from "./task-progress-requests.js";
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
   * @param {object} on
   * @param {(problem: string) => void} on.answer - is called after each round, with the problem if nothing was heard
   * @param {() => void} on.goOn - is called when another round is due
   * @param {() => void} on.finish - is called when no task is live any more
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

  /** Poll each of some tasks once, by default the live ones, and return the problems of those without an answer. */
  async poll(signal = new AbortController().signal, queue = this.#watches.live) {
    const problems = [];
    const work = async () => {
      for (let watch = queue.shift(); watch && !signal.aborted; watch = queue.shift()) {
        problems.push(await this.#pollOne(watch, signal));
      }
    };
    await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, work));
    if (!this.#watches.live.length) {
      this.#on.finish();
    }
    return problems;
  }

  async #run(signal, pause) {
    const problems = await this.poll(signal);
    if (!signal.aborted) {
      const problem = problems.every(Boolean) ? problems[0] : ""; // one task that is refused slows no other
      this.#on.answer(problem);
      const longer = Math.min(2 * pause, MAX_BACKOFF_MS);
      const next = problem ? longer : Math.max(this.#interval, MS_PER_TASK * this.#watches.live.length);
      this.#timeout = setTimeout(() => this.#run(signal, next), next * (0.75 + Math.random() / 2));
      this.#on.goOn();
    }
  }

  async #pollOne(watch, signal) {
    const { snapshot, isMissing, problem } = await fetchSnapshot(this.#base, watch, signal);
    if (signal.aborted) {
      return problem;
    }
    if (isMissing) {
      this.#watches.showMissing(watch.taskId);
    } else if (snapshot) {
      this.#watches.showSnapshot(snapshot);
    }
    return problem;
  }
}
