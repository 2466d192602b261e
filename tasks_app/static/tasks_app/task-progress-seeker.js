// The search for tasks that the server has not found: it may have told their ids to a page before it sends them.

import { drawBackoff, Timers } from "./task-progress-timers.js";

const TASKS_AT_ONCE = 10; // a page where more are missing asks for each of them less often

export class Seeker {
  #watches;
  #poller;
  #timers = new Timers();
  #controller = new AbortController();
  #failures = 0;

  /**
   * @param {Watches} watches - knows which tasks are missing
   * @param {Poller} poller - asks for them
   */
  constructor(watches, poller) {
    this.#watches = watches;
    this.#poller = poller;
  }

  /** Ask for the missing tasks again and again, after pauses that grow. */
  start() {
    const count = this.#watches.missing.length;
    if (count && !this.#timers.has("ask")) {
      const pause = drawBackoff(this.#failures++) * Math.ceil(count / TASKS_AT_ONCE);
      this.#timers.set("ask", () => this.#ask(), pause);
    }
  }

  /** Ask at once: another task has got further and may have sent them, or the network or the user is back. */
  hurry() {
    this.#failures = 0;
    this.#timers.clear("ask");
    if (this.#watches.missing.length) {
      this.#ask();
    }
  }

  stop() {
    this.#timers.clear("ask");
    this.#controller.abort();
    this.#controller = new AbortController();
  }

  async #ask() {
    const { signal } = this.#controller;
    await this.#poller.poll(signal, this.#watches.missing);
    if (!signal.aborted) {
      this.start();
    }
  }
}
