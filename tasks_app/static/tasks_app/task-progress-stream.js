// The connections of a page: one stream of Server-Sent Events, however many tasks it shows.
//
// What arrives are whole snapshots, so a new stream needs no history: it is opened beside the old one, which stays until
// the new one has spoken. Where no stream gets through, the tasks are polled until one does.

import { makeParameters, Topics } from "./task-progress-topics.js";

const MAX_TASKS = 100; // what the server allows on one stream
const MAX_STREAMS = 3; // browsers open six connections to a host, and cancelling needs one, too: what is beyond is polled
const MAX_QUERY = 6000; // characters; proxies refuse long addresses
const FIRST_BYTE_MS = 10_000; // the server sends the current state at once, unless something on the way holds it back
const BURST_MS = 1000; // what comes later than this after the first byte shows that nothing is held back
const DOUBT_MS = 20_000; // by then a first heartbeat should have come
const GRACE_MS = 2000; // by which a stream may be slower than a poll
const STEADY_MS = 5000; // a stream that lived for so long has not failed when it ends
const HEARTBEAT_MS = 15_000;
const MAX_PATIENCE_MS = 6 * 60_000;
const MIN_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 30_000;
const HELD_BACK_MS = 60_000; // until the next try of a stream that something holds back
const POLL_MS = 2000;
const POLL_HIDDEN_MS = 15_000;
const POLL_EACH_MS = 100; // pages with many tasks poll each of them less often
const HIDDEN_MS = 15_000; // a hidden tab then lets go of its stream: those six connections are for all tabs

const connections = new Set();
let isHidden = false;

/**
 * Follow a task on the connection that all followers of a base URL share.
 *
 * @param {string} base - absolute URL under which the app's endpoints are, with a slash at its end
 * @param {string} taskId
 * @param {{token?: string, logs?: boolean}} options - a signed token; whether log lines are wanted
 * @param {object} follower - `show(snapshot)`, `miss()`, `log(offset, lines)` and `carry(transport)` are called as things happen;
 *   the transport is "connecting", "stream" or "polling"
 * @returns {() => void} ends it
 */
export function follow(base, taskId, options, follower) {
  const connection = findConnection(base, taskId, options) ?? new Connection(base);
  connections.add(connection);
  connection.add(taskId, options, follower);
  return () => connection.remove(taskId, follower);
}

function findConnection(base, taskId, options) {
  const candidates = [...connections].filter((connection) => connection.base === base);
  return (
    candidates.find((connection) => connection.holds(taskId)) ??
    candidates.find((connection) => connection.hasRoom(taskId, options))
  );
}

class Connection {
  #topics = new Topics();
  #source = null; // the stream that has spoken
  #candidate = null; // the one that has not yet; it will replace the other
  #url = ""; // of the newer of both
  #openedAt = 0;
  #spokeAt = 0;
  #heardAt = 0;
  #failures = 0;
  #patience = 3 * HEARTBEAT_MS;
  #timers = {};
  #poller = null;

  constructor(base) {
    this.base = base;
  }

  holds(taskId) {
    return this.#topics.has(taskId);
  }

  hasRoom(taskId, options) {
    const isFull = this.#topics.live.length >= MAX_TASKS;
    return !isFull && this.#makeQuery().length + makeParameters(taskId, options).length < MAX_QUERY;
  }

  add(taskId, options, follower) {
    this.#topics.add(taskId, options, follower);
    this.#set("sync", () => this.#sync(), 0);
  }

  remove(taskId, follower) {
    this.#topics.remove(taskId, follower);
    this.#set("sync", () => this.#sync(), 0); // an element that was only moved is back by then
  }

  /** Try at once: the network, or the person, is back. */
  wake() {
    this.#failures = 0;
    if (!this.#isOpening && !(this.#source && Date.now() - this.#heardAt < HEARTBEAT_MS + 1000)) {
      this.#open();
    }
  }

  /** Open a new stream even if there is one: it may be that of another network. */
  renew() {
    this.#failures = 0;
    this.#open();
  }

  /** Hold no connection, and poll now and then. */
  rest() {
    this.#close();
    if (this.isLive) {
      this.#poll(POLL_HIDDEN_MS);
    }
  }

  /** Hold no connection, and do nothing: the page is being left, and may come back. */
  freeze() {
    this.#close();
    this.#stopPolling();
  }

  get isLive() {
    return this.#topics.live.length > 0;
  }

  get #mayStream() {
    return [...connections].filter((connection) => connection.isLive).indexOf(this) < MAX_STREAMS;
  }

  get #isOpening() {
    return this.#candidate !== null;
  }

  #makeQuery() {
    return ["heartbeat=event", ...this.#topics.live.map((topic) => topic.parameters)].join("&");
  }

  #sync() {
    this.#topics.prune();
    if (!this.isLive) {
      this.freeze();
      if (this.#topics.isEmpty) {
        connections.delete(this);
      }
    } else if (isHidden) {
      this.rest();
    } else if (this.#makeUrl() !== this.#url || !(this.#source || this.#isOpening || this.#timers.retry)) {
      this.#open();
    }
  }

  #makeUrl() {
    const logs = this.#topics.live.some((topic) => topic.logs) ? "&logs=1" : "";
    return `${this.base}task-progress?${this.#makeQuery()}${logs}`;
  }

  #open() {
    this.#candidate?.close();
    this.#candidate = null;
    this.#clear("retry");
    if (!this.isLive) {
      return;
    }
    if (!this.#mayStream) {
      this.#poll(POLL_MS);
      return;
    }
    this.#url = this.#makeUrl();
    this.#openedAt = Date.now();
    const source = (this.#candidate = new EventSource(this.#url));
    this.#set("firstByte", () => this.#giveUpOnStream(), FIRST_BYTE_MS);
    source.onmessage = (event) => this.#hear(source, () => this.#topics.show(JSON.parse(event.data)));
    source.onerror = () => this.#lose(source, source.readyState === EventSource.CLOSED);
    for (const [name, take] of Object.entries({
      heartbeat: (data, gap) => (this.#patience = 3 * Math.max(gap, HEARTBEAT_MS)),
      log: (data) => this.#topics.log(data),
      missing: (data) => this.#topics.miss(data),
      end: () => this.#finish(source),
    })) {
      source.addEventListener(name, (event) => this.#hear(source, (gap) => take(JSON.parse(event.data), gap)));
    }
  }

  #hear(source, take) {
    if (source === this.#candidate) {
      this.#promote();
    }
    if (source === this.#source) {
      if (Date.now() - this.#spokeAt > BURST_MS) {
        this.#clear("doubt");
      }
      const gap = Date.now() - this.#heardAt;
      this.#heardAt += gap;
      this.#set("silence", () => this.#endSilence(), this.#patience);
      take(gap);
    }
  }

  #promote() {
    this.#source?.close();
    this.#source = this.#candidate;
    this.#candidate = null;
    this.#spokeAt = this.#heardAt = Date.now();
    this.#clear("firstByte");
    this.#stopPolling();
    this.#topics.carry("stream");
    this.#doubt();
  }

  // Some proxies pass the beginning of a stream on, and hold the rest back. So as long as nothing has come after the
  // beginning, a poll now and then tells whether something should have.
  #doubt() {
    const poll = async () => {
      const [source, known] = [this.#source, this.#topics.newsCount];
      await this.#pollAll(new AbortController().signal);
      if (source !== this.#source || this.#heardAt - this.#spokeAt > BURST_MS) {
        return; // it has spoken in the meantime
      }
      if (this.#topics.newsCount === known) {
        this.#doubt();
      } else {
        this.#set("doubt", () => this.#giveUpOnStream(), GRACE_MS);
      }
    };
    this.#set("doubt", poll, DOUBT_MS);
  }

  #lose(source, isRefused) {
    source.close();
    if (source === this.#source) {
      this.#source = null;
      this.#clear("silence");
      this.#clear("doubt");
    } else if (source === this.#candidate) {
      this.#candidate = null;
      this.#clear("firstByte");
    } else {
      return;
    }
    if (this.#isOpening) {
      return;
    }
    if (isRefused) {
      this.#poll(POLL_MS); // the answer was no stream: each task's own address tells more
    } else if (!this.#source && !this.#poller) {
      this.#topics.carry("connecting");
    }
    this.#retry();
  }

  #finish(source) {
    source.close();
    this.#source = null;
    this.#url = "";
    this.#clear("silence");
    this.#clear("doubt");
    if (this.isLive && !this.#isOpening) {
      this.#retry();
    }
  }

  #retry() {
    if (this.#spokeAt >= this.#openedAt && Date.now() - this.#spokeAt > STEADY_MS) {
      this.#failures = 0;
    }
    const limit = Math.min(MIN_BACKOFF_MS * 2 ** this.#failures++, MAX_BACKOFF_MS);
    this.#set("retry", () => this.#open(), Math.random() * limit);
  }

  #giveUpOnStream() {
    this.#close();
    this.#poll(POLL_MS);
    this.#set("retry", () => this.#open(), HELD_BACK_MS * (0.5 + Math.random()));
  }

  // A half-open connection gives no error. But the server may also send its heartbeats less often than is usual.
  #endSilence() {
    this.#patience = Math.min(2 * this.#patience, MAX_PATIENCE_MS);
    this.#open();
  }

  #poll(interval) {
    if (this.#poller?.interval === interval) {
      return; // it does so already
    }
    this.#stopPolling();
    const poller = (this.#poller = Object.assign(new AbortController(), { interval }));
    this.#topics.carry("polling");
    let pause = interval;
    const run = async () => {
      const isReached = await this.#pollAll(poller.signal);
      if (!poller.signal.aborted) {
        const least = Math.max(interval, POLL_EACH_MS * this.#topics.live.length);
        pause = isReached ? least : Math.min(2 * pause, MAX_BACKOFF_MS);
        this.#set("poll", run, pause * (0.75 + Math.random() / 2));
        if (!isHidden && !this.#isOpening && !this.#timers.retry) {
          this.#open(); // there may be room for another stream now
        }
      }
    };
    run();
  }

  async #pollAll(signal) {
    const isReached = await this.#topics.poll(this.base, signal);
    if (!this.isLive) {
      this.freeze(); // all have ended
    }
    return isReached;
  }

  #stopPolling() {
    this.#poller?.abort();
    this.#poller = null;
    this.#clear("poll");
  }

  #close() {
    this.#source?.close();
    this.#candidate?.close();
    this.#source = this.#candidate = null;
    this.#url = "";
    ["sync", "retry", "firstByte", "doubt", "silence"].forEach((name) => this.#clear(name)); // polling has its own end
  }

  #set(name, callback, milliseconds) {
    this.#clear(name);
    this.#timers[name] = setTimeout(() => {
      delete this.#timers[name];
      callback();
    }, milliseconds);
  }

  #clear(name) {
    clearTimeout(this.#timers[name]);
    delete this.#timers[name];
  }
}

let hiddenTimer;

function changeVisibility() {
  clearTimeout(hiddenTimer);
  isHidden = false;
  if (document.hidden) {
    hiddenTimer = setTimeout(() => {
      isHidden = true;
      connections.forEach((connection) => connection.rest());
    }, HIDDEN_MS);
  } else {
    connections.forEach((connection) => connection.wake());
  }
}

changeVisibility();
document.addEventListener("visibilitychange", changeVisibility);
addEventListener("online", () => isHidden || connections.forEach((connection) => connection.renew()));
addEventListener("pageshow", () => connections.forEach((connection) => connection.wake()));
addEventListener("pagehide", () => connections.forEach((connection) => connection.freeze()));
