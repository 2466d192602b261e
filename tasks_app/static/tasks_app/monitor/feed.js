// What the monitor shows, asked for again and again while somebody looks at it.

import { fetchJson } from "../task-progress-requests.js";
import { drawBackoff } from "../task-progress-timers.js";

const POLL_MS = 2000;
const TIMEOUT_MS = 15_000;
const MIN_SKEW_MS = 5000; // the header tells whole seconds, and an answer takes its time

export class Feed {
  #url;
  #on;
  #query = "";
  #shown = ""; // the address and the ETag of what was taken last
  #failures = 0;
  #skew = 0; // milliseconds by which the server's clock is ahead
  #timer;
  #request = null;

  /**
   * @param {string} url - where the data is
   * @param {{take: (data: object) => void, hear: () => void, lose: (failures: number) => void,
   *   refuse: (status: number, detail: string) => void}} on - there is news; the server answers; it does not; it refuses to
   */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#stop() : this.retry()));
    addEventListener("online", () => this.retry());
    addEventListener("pageshow", ({ persisted }) => persisted && this.retry());
    addEventListener("pagehide", () => this.#stop());
  }

  /** Ask for something else, at once. */
  ask(query) {
    this.#query = String(query);
    this.retry();
  }

  /** Ask at once: the network, or the reader, is back. */
  retry() {
    this.#failures = 0;
    if (!document.hidden) {
      this.#poll();
    }
  }

  /** The server's time in milliseconds. */
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
    const pause = await this.#ask(url, request.signal);
    if (request === this.#request) {
      this.#timer = pause === null ? undefined : setTimeout(() => this.#poll(), pause);
    }
  }

  // Returns after how many milliseconds to ask again; null: never.
  async #ask(url, aborted) {
    try {
      const signal = AbortSignal.any([aborted, AbortSignal.timeout(TIMEOUT_MS)]);
      const response = await fetchJson(url, { redirect: "manual", signal }); // a redirect leads to a login
      const isRefused = response.type === "opaqueredirect" || [400, 401, 403, 404].includes(response.status);
      if (response.ok) {
        await this.#take(url, response, aborted);
        return POLL_MS;
      } else if (isRefused) {
        await this.#refuse(response, aborted);
        return null;
      }
    } catch (error) {
      if (aborted.aborted) {
        return null; // another request has taken its place
      }
      if (!["AbortError", "SyntaxError", "TimeoutError", "TypeError"].includes(error.name)) {
        throw error; // the others say that no answer came, or one that is cut off or no JSON
      }
    }
    return this.#lose();
  }

  async #take(url, response, aborted) {
    const shown = `${url} ${response.headers.get("ETag")}`;
    const data = shown === this.#shown ? null : await response.json();
    if (aborted.aborted) {
      return;
    }
    this.#failures = 0;
    this.#on.hear();
    if (data) {
      this.#skew = measureSkew(response);
      this.#shown = response.headers.has("ETag") ? shown : "";
      this.#on.take(data);
    }
  }

  async #refuse(response, aborted) {
    const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
    const detail = isProblem ? (await response.json()).detail : "";
    if (!aborted.aborted) {
      this.#shown = "";
      this.#on.refuse(response.status, detail);
    }
  }

  #lose() {
    this.#on.lose(++this.#failures);
    return drawBackoff(this.#failures);
  }
}

function measureSkew(response) {
  const skew = Date.parse(response.headers.get("Date")) - Date.now();
  return Math.abs(skew) > MIN_SKEW_MS ? skew : 0;
}
