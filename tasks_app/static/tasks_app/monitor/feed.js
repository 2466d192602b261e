// The data of the monitor's list: polled while its page is visible.

import { fetchJson } from "../task-progress-requests.js";
import { drawBackoff } from "../task-progress-timers.js";

const POLL_MS = 2000;
const TIMEOUT_MS = 15_000;
const REFUSALS = [400, 401, 403, 404];
const NETWORK_ERRORS = ["AbortError", "SyntaxError", "TimeoutError", "TypeError"]; // no answer, or one that is not JSON

export class Feed {
  #url;
  #on;
  #query = "";
  #known = { url: "", etag: null }; // what the last data answered
  #failures = 0;
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
      const response = await this.#ask(url, signal);
      if (response.ok || response.status === 304) {
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

  // The page has the last data, so the browser need not keep it. A redirect leads to a login.
  #ask(url, signal) {
    const etag = url === this.#known.url ? this.#known.etag : null;
    const headers = { Accept: "application/json", ...(etag && { "If-None-Match": etag }) };
    return fetchJson(url, { cache: "no-store", redirect: "manual", headers, signal });
  }

  async #take(url, response, aborted) {
    const data = response.ok ? await response.json() : null;
    if (aborted.aborted) {
      return;
    }
    this.#failures = 0;
    this.#on.answer();
    if (data) {
      this.#known = { url, etag: response.headers.get("ETag") };
      this.#on.data(data);
    }
  }

  async #refuse(response, aborted) {
    const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
    const detail = isProblem ? (await response.json()).detail : "";
    if (!aborted.aborted) {
      this.#known = { url: "", etag: null };
      this.#on.refusal(response.status, detail);
    }
  }

  #fail() {
    this.#on.failure(++this.#failures);
    return drawBackoff(this.#failures);
  }
}
