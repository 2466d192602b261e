// One connection of a page: a stream for its tasks, or polling where no stream gets through.
//
// The server sends whole snapshots, so a new stream needs no history: it is opened beside the old one, which stays until
// the new one has brought its first event.

import { Poller } from "./task-progress-poller.js";
import { Seeker } from "./task-progress-seeker.js";
import { drawBackoff, Timers } from "./task-progress-timers.js";
import { makeParameters, Watches } from "./task-progress-watches.js";

const MAX_TASKS = 100; // on one stream, by the server's default
const MAX_QUERY = 6000; // characters; proxies refuse long addresses
const HEARTBEAT_MS = 15_000;
const FIRST_EVENT_MS = 10_000; // the server sends the current state at once, unless a proxy holds it back
const BURST_MS = 1000; // an event later than this after the first one shows that nothing is held back
const CHECK_MS = 20_000; // a first heartbeat has come by then
const GRACE_MS = 2000; // by which a stream may lag behind a poll
const STEADY_MS = 5000; // a stream that lasted longer has not failed
const MAX_SILENCE_MS = 6 * 60_000;
const HELD_BACK_MS = 60_000; // until a stream is tried again where a proxy holds it back
const POLL_MS = 2000;
const POLL_HIDDEN_MS = 15_000;

export class Connection {
  #page;
  #watches;
  #poller;
  #seeker;
  #timers = new Timers();
  #source = null; // the stream in use
  #candidate = null; // the stream without an event so far, which will replace it
  #url = ""; // of the newer stream
  #openedAt = 0;
  #firstEventAt = 0;
  #lastEventAt = 0;
  #failures = 0;
  #maxSilence = 3 * HEARTBEAT_MS;

  /**
   * @param {string} base - absolute URL under which the app's endpoints are, with a slash at its end
   * @param {object} page - says whether it is hidden (`isHidden`) and allows a stream (`allowsStream(connection)`), and
   *   removes a connection without tasks (`remove(connection)`)
   */
  constructor(base, page) {
    this.base = base;
    this.#page = page;
    this.#watches = new Watches({
      missing: () => this.#page.isHidden || this.#seeker.start(),
      found: () => this.#updateSoon(), // it may need a stream
      news: () => this.#seeker.hurry(),
    });
    this.#poller = new Poller(base, this.#watches, { goOn: () => this.#tryStream(), finish: () => this.#settle() });
    this.#seeker = new Seeker(this.#watches, this.#poller);
  }

  /** Whether any of its tasks may still change. */
  get isLive() {
    return this.#watches.live.length > 0;
  }

  has(taskId) {
    return this.#watches.has(taskId);
  }

  hasRoom(taskId, options) {
    const isFull = this.#watches.live.length + this.#watches.missing.length >= MAX_TASKS;
    return !isFull && this.#makeQuery().length + makeParameters(taskId, options).length < MAX_QUERY;
  }

  add(taskId, options, follower) {
    this.#watches.add(taskId, options, follower);
    this.#updateSoon();
  }

  remove(taskId, follower) {
    this.#watches.remove(taskId, follower);
    this.#updateSoon(); // an element that only moves is added again before that
  }

  /** Open a stream at once, unless there is a good one: the network or the user is back. */
  wake() {
    this.#seeker.renew();
    this.#failures = 0;
    const isGood = this.#source !== null && Date.now() - this.#lastEventAt < HEARTBEAT_MS + 1000;
    if (!this.#isOpening && !isGood) {
      this.#open();
    }
  }

  /** Open a stream in any case: the network may be another one. */
  renew() {
    this.#seeker.renew();
    this.#failures = 0;
    this.#open();
  }

  /** Close the streams, and poll slowly. */
  rest() {
    this.#seeker.stop();
    this.#close();
    if (this.isLive) {
      this.#poll(POLL_HIDDEN_MS);
    }
  }

  /** Close the streams, and do nothing until `wake()`. */
  freeze() {
    this.#seeker.stop();
    this.#settle();
  }

  get #isOpening() {
    return this.#candidate !== null;
  }

  #update() {
    this.#watches.prune();
    if (!this.isLive) {
      this.#settle();
      if (this.#watches.isEmpty) {
        this.#page.remove(this);
      }
    } else if (this.#page.isHidden) {
      this.rest();
    } else if (this.#makeUrl() !== this.#url || !(this.#source || this.#isOpening || this.#timers.has("retry"))) {
      this.#open();
    }
  }

  #settle() {
    this.#close();
    this.#poller.stop();
  }

  #updateSoon() {
    this.#timers.set("update", () => this.#update(), 0);
  }

  #makeUrl() {
    const logs = this.#watches.live.some((watch) => watch.logs) ? "&logs=1" : "";
    return `${this.base}task-progress?${this.#makeQuery()}${logs}`;
  }

  #makeQuery() {
    return ["heartbeat=event", ...this.#watches.live.map((watch) => watch.parameters)].join("&");
  }

  #open() {
    this.#candidate?.close();
    this.#candidate = null;
    this.#timers.clear("retry");
    if (this.isLive && this.#page.allowsStream(this)) {
      this.#openCandidate();
    } else if (this.isLive) {
      this.#poll(POLL_MS);
    }
  }

  #openCandidate() {
    this.#url = this.#makeUrl();
    this.#openedAt = Date.now();
    this.#candidate = new EventSource(this.#url);
    this.#timers.set("firstEvent", () => this.#giveUp(), FIRST_EVENT_MS);
    this.#listen(this.#candidate);
  }

  #listen(source) {
    const handlers = {
      message: (snapshot) => this.#watches.showSnapshot(snapshot),
      missing: ({ task_id: taskId }) => this.#watches.showMissing(taskId),
      log: ({ task_id: taskId, offset, lines }) => this.#watches.showLines(taskId, offset, lines),
      heartbeat: (data, gap) => (this.#maxSilence = 3 * Math.max(gap, HEARTBEAT_MS)),
      end: () => this.#finish(source),
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, ({ data }) => this.#receive(source, (gap) => handle(JSON.parse(data), gap)));
    }
    source.addEventListener("error", () => this.#lose(source, source.readyState === EventSource.CLOSED));
  }

  #receive(source, handle) {
    if (source === this.#candidate) {
      this.#promote();
    }
    if (source === this.#source) {
      if (Date.now() - this.#firstEventAt > BURST_MS) {
        this.#timers.clear("check");
      }
      const gap = Date.now() - this.#lastEventAt;
      this.#lastEventAt += gap;
      this.#timers.set("silence", () => this.#endSilence(), this.#maxSilence);
      handle(gap);
    }
  }

  #promote() {
    this.#source?.close();
    this.#source = this.#candidate;
    this.#candidate = null;
    this.#firstEventAt = this.#lastEventAt = Date.now();
    this.#timers.clear("firstEvent");
    this.#poller.stop();
    this.#watches.showTransport("stream");
    this.#timers.set("check", () => this.#check(), CHECK_MS);
  }

  // Some proxies pass the first events on, and hold later ones back. So a stream without later events is compared with a
  // poll, which shows whether there should have been any.
  async #check() {
    const [source, count] = [this.#source, this.#watches.newCount];
    await this.#poller.poll();
    if (source !== this.#source || this.#lastEventAt - this.#firstEventAt > BURST_MS) {
      return; // the answer came in the meantime
    }
    if (this.#watches.newCount === count) {
      this.#timers.set("check", () => this.#check(), CHECK_MS);
    } else {
      this.#timers.set("check", () => this.#giveUp(), GRACE_MS);
    }
  }

  // A half-open connection fires no error. But the server may also send heartbeats less often than by default.
  #endSilence() {
    this.#maxSilence = Math.min(2 * this.#maxSilence, MAX_SILENCE_MS);
    this.#open();
  }

  #giveUp() {
    this.#close();
    this.#poll(POLL_MS);
    this.#timers.set("retry", () => this.#open(), HELD_BACK_MS * (0.5 + Math.random()));
  }

  #lose(source, isRefused) {
    source.close();
    const isKnown = source === this.#source || source === this.#candidate;
    this.#drop(source);
    if (!isKnown || this.#isOpening) {
      return;
    }
    if (isRefused) {
      this.#poll(POLL_MS); // the answer was not a stream; polling tells more
    } else if (!this.#source && !this.#poller.isRunning) {
      this.#watches.showTransport("connecting");
    }
    this.#retry();
  }

  #finish(source) {
    source.close();
    this.#drop(source);
    this.#url = "";
    if (this.isLive && !this.#isOpening) {
      this.#retry();
    }
  }

  #drop(source) {
    if (source === this.#source) {
      this.#source = null;
      this.#timers.clear("silence", "check");
    } else if (source === this.#candidate) {
      this.#candidate = null;
      this.#timers.clear("firstEvent");
    }
  }

  #retry() {
    if (this.#firstEventAt >= this.#openedAt && Date.now() - this.#firstEventAt > STEADY_MS) {
      this.#failures = 0;
    }
    this.#timers.set("retry", () => this.#open(), drawBackoff(this.#failures++));
  }

  #poll(interval) {
    this.#watches.showTransport("polling");
    this.#poller.start(interval);
  }

  // Another connection may have made room for a stream.
  #tryStream() {
    if (!this.#page.isHidden && !this.#isOpening && !this.#timers.has("retry")) {
      this.#open();
    }
  }

  #close() {
    this.#source?.close();
    this.#candidate?.close();
    this.#source = this.#candidate = null;
    this.#url = "";
    this.#timers.clearAll();
  }
}
