// The data of the monitor's list: polled while its page is visible.

import { fetchJson } from "../task-progress-requests.js";
import { drawBackoff } from "../task-progress-timers.js";

const POLL_MS = 2000;
const TIMEOUT_MS = 15_000;
const MIN_SKEW_MS = 5000; // the Date header counts whole seconds, and an answer takes its time
const REFUSALS = [400, 401, 403, 404];
const NETWORK_ERRORS = ["AbortError", "SyntaxError", "TimeoutError", "TypeError"]; // no answer, or one that is not JSON

export class Feed {
  #url;
  #on;
  #query = "";
  #known = ""; // the URL and the ETag of the last data
  #failures = 0;
  #skew = 0; // milliseconds by which the server's clock is ahead
  #timer;
  #request = null;

  /**
   * @param {string} url
   * @param {object} on
   * @param {(data: object) => void} on.data - is called with data that is new
   * @param {() => void} on.answer - is called when the server has answered with data, new or not
   * @param {(failures: number) => void} on.failure - is called when it has not, for so many times in a row
   * @param {(status: number, detail: string) => void} on.refusal - is called when the server has refused the data
   */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#stop() : this.retry()));
    addEventListener("online", () => this.retry());
    addEventListener("pageshow", ({ persisted }) => persisted && this.retry());
    addEventListener("pagehide", () => this.#stop());
  }

  /** Poll another query, at once. */
  select(query) {
    this.#query = String(query);
    this.retry();
  }

  /** Poll at once: the network or the user is back. */
  retry() {
    this.#failures = 0;
    if (!document.hidden) {
      this.#poll();
    }
  }

  /** Return the server's time in milliseconds. */
  getServerNow() {
    return Date.now() + this.#skew;
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    this.#request = null;
  }

  async #poll() {
    this.#stop();
    const request = (this.#request = new AbortController());
    const url = this.#query ? `${this.#url}?${this.#query}` : this.#url;
    const pause = await this.#fetch(url, request.signal);
    if (request === this.#request) {
      this.#timer = pause === null ? undefined : setTimeout(() => this.#poll(), pause);
    }
  }

  // Returns the milliseconds until the next poll; null for none.
  async #fetch(url, aborted) {
    try {
      const signal = AbortSignal.any([aborted, AbortSignal.timeout(TIMEOUT_MS)]);
      const response = await fetchJson(url, { redirect: "manual", signal }); // a redirect leads to a login
      if (response.ok) {
        await this.#take(url, response, aborted);
        return POLL_MS;
      } else if (response.type === "opaqueredirect" || REFUSALS.includes(response.status)) {
        await this.#refuse(response, aborted);
        return null;
      }
    } catch (error) {
      if (aborted.aborted) {
        return null; // another request has taken its place
      }
      if (!NETWORK_ERRORS.includes(error.name)) {
        throw error;
      }
    }
    return this.#fail();
  }

  async #take(url, response, aborted) {
    const known = `${url} ${response.headers.get("ETag")}`;
    const data = known === this.#known ? null : await response.json();
    if (aborted.aborted) {
      return;
    }
    this.#failures = 0;
    this.#on.answer();
    if (data) {
      this.#skew = measureSkew(response);
      this.#known = response.headers.has("ETag") ? known : "";
      this.#on.data(data);
    }
  }

  async #refuse(response, aborted) {
    const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
    const detail = isProblem ? (await response.json()).detail : "";
    if (!aborted.aborted) {
      this.#known = "";
      this.#on.refusal(response.status, detail);
    }
  }

  #fail() {
    this.#on.failure(++this.#failures);
    return drawBackoff(this.#failures);
  }
}

function measureSkew(response) {
  const skew = Date.parse(response.headers.get("Date")) - Date.now();
  return Math.abs(skew) > MIN_SKEW_MS ? skew : 0;
}
