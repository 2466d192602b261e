// What only staff may know of a task, fetched again whenever its snapshot says that it has changed.

import { fetchJson } from "../task-progress-requests.js";
import { drawBackoff } from "../task-progress-timers.js";

const TIMEOUT_MS = 15_000;
const NETWORK_ERRORS = ["SyntaxError", "TimeoutError", "TypeError"]; // no answer, or one that is not JSON

export class Details {
  /** The attempts that the server knows of, the first one first. */
  attempts = [];
  #url;
  #onChange;
  #wanted = ""; // what the snapshot told last
  #known = ""; // what it told when the attempts were asked for
  #failures = 0;
  #timer;
  #isAsking = false;

  /**
   * @param {string} url
   * @param {() => void} onChange - is called when there are other attempts
   */
  constructor(url, onChange) {
    this.#url = url;
    this.#onChange = onChange;
  }

  /** Fetch the attempts if the snapshot tells of another attempt, stage or end than before. */
  follow({ attempt, state, stages }) {
    this.#wanted = [attempt, state, ...stages.map((stage) => stage.state)].join(" ");
    if (this.#wanted !== this.#known && !this.#isAsking) {
      this.#ask();
    }
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#isAsking = true;
    const wanted = this.#wanted;
    const isAnswered = await this.#fetch();
    this.#isAsking = false;
    if (isAnswered) {
      this.#failures = 0;
      this.#known = wanted;
    }
    if (this.#known !== this.#wanted) {
      this.#timer = setTimeout(() => this.#ask(), isAnswered ? 0 : drawBackoff(++this.#failures));
    }
  }

  // Returns whether the server has answered. A refusal is an answer: the component says that the task is gone.
  async #fetch() {
    try {
      const response = await fetchJson(this.#url, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (response.ok) {
        this.attempts = (await response.json()).attempts;
        this.#onChange();
      }
      return response.status < 500;
    } catch (error) {
      if (!NETWORK_ERRORS.includes(error.name)) {
        throw error;
      }
      return false;
    }
  }
}
