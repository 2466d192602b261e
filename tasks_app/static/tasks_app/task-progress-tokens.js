// The tokens that came with a page: they open its streams without a look at the session, which renews them in time.

import { postTokens } from "./task-progress-requests.js";
import { drawBackoff, Timers } from "./task-progress-timers.js";

const MAX_WAIT_MS = 2 ** 31 - 1; // browsers take no longer timeouts
const BUNDLE_MS = 1000; // within which the tokens of a page are put together that are too many for one address

export class Tokens {
  #base;
  #watches;
  #timers = new Timers();
  #failures = 0;
  #isAsking = false; // until there is an answer
  #share = drawShare();

  /**
   * @param {string} base - as `findBase` returns it
   * @param {Watches} watches - has the tokens
   */
  constructor(base, watches) {
    this.#base = base;
    this.#watches = watches;
  }

  /** Have all tokens renewed at once, in the last third of the life of the one that expires first. */
  plan() {
    const { renewable, hasTooManyTokens } = this.#watches;
    if (renewable.length && !this.#isAsking) {
      const dueAt = Math.min(...renewable.map(({ tokenAt, tokenAge }) => tokenAt + tokenAge * 1000 * this.#share));
      this.#wait(hasTooManyTokens ? Math.random() * BUNDLE_MS : dueAt - performance.now());
    }
  }

  #wait(milliseconds) {
    this.#timers.set("renew", () => this.#renew(), Math.min(milliseconds, MAX_WAIT_MS));
  }

  // Where nobody answers, it goes on asking: the server is away, and will have many streams to open when it is back.
  async #renew() {
    const taskIds = this.#watches.renewable.map(({ taskId }) => taskId);
    this.#isAsking = taskIds.length > 0;
    const answer = this.#isAsking ? await postTokens(this.#base, taskIds) : { tasks: [] };
    if (answer) {
      this.#isAsking = false;
      this.#failures = 0;
      this.#share = drawShare();
      this.#watches.takeTokens(taskIds, answer);
      this.plan();
    } else {
      this.#wait(drawBackoff(this.#failures++));
    }
  }
}

// At random, so that pages that were opened together do not ask together.
function drawShare() {
  return (2 + 0.9 * Math.random()) / 3;
}
