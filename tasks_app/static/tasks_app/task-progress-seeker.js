// The search for tasks that the server has not found: it may have told their ids to a page before it sends them.

import { drawBackoff, Timers } from "./task-progress-timers.js";

const TASKS_AT_ONCE = 10; // a page where more are missing asks for each of them less often

export class Seeker {
  #watches;
  #poller;
  #timers = new Timers();
  #controller = new AbortController();
  #failures = 0;
  #isAsking = false;
  #isHurried = false; // whether there was a reason to ask again since the round that runs has begun

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
    if (count && !this.#isAsking && !this.#timers.has("ask")) {
      const pause = drawBackoff(this.#failures++) * Math.ceil(count / TASKS_AT_ONCE);
      this.#timers.set("ask", () => this.#ask(), pause);
    }
  }

  /** Ask at once, or once more after the round that runs: another task has got further and may have sent them. */
  hurry() {
    this.#failures = 0;
    this.#timers.clear("ask");
    if (this.#isAsking) {
      this.#isHurried = true;
    } else if (this.#watches.missing.length) {
      this.#ask();
    }
  }

  /** Ask at once, without the answers of the round that runs: the network or the user is back. */
  renew() {
    this.stop();
    this.hurry();
  }

  stop() {
    this.#timers.clear("ask");
    this.#controller.abort();
    this.#controller = new AbortController();
    this.#isAsking = false;
  }

  // One round at a time, however many tasks get further in the meantime: each asks for all that are missing.
  async #ask() {
    const { signal } = this.#controller;
    this.#isAsking = true;
    do {
      this.#isHurried = false;
      await this.#poller.poll(signal, this.#watches.missing);
    } while (this.#isHurried && !signal.aborted);
    if (!signal.aborted) {
      this.#isAsking = false;
      this.start();
    }
  }
}
