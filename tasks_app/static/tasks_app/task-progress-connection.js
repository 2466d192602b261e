// One connection of a page: a stream for its tasks, or polling where no stream gets through.
//
// Snapshots are whole, so a new stream needs no history: the old one stays until the new one has brought its first event.

import { Contact, HEARTBEAT_MS } from "./task-progress-contact.js";
import { Permit } from "./task-progress-permit.js";
import { Poller } from "./task-progress-poller.js";
import { Seeker } from "./task-progress-seeker.js";
import { hearServerTime } from "./task-progress-server-time.js";
import { drawBackoff, Timers } from "./task-progress-timers.js";
import { Tokens } from "./task-progress-tokens.js";
import { Watches } from "./task-progress-watches.js";

const FIRST_EVENT_MS = 10_000; // the server sends the current state at once, unless a proxy holds it back
const BURST_MS = 1000; // an event later than this after the first one shows that nothing is held back
const CHECK_MS = 20_000; // a first heartbeat has come by then
const GRACE_MS = 2000; // by which a stream may lag behind a poll
const STEADY_MS = 5000; // a stream that lasted longer has not failed
const HELD_BACK_MS = 60_000; // until a stream is tried again where a proxy holds it back
const POLL_MS = 2000;
const POLL_HIDDEN_MS = 15_000;

export class Connection {
  #page;
  #watches;
  #poller;
  #seeker;
  #contact;
  #permit;
  #tokens;
  #timers = new Timers();
  #source = null; // the stream in use
  #candidate = null; // the stream without an event so far, which will replace it
  #query = ""; // of the newer stream
  #openedAt = 0;
  #firstEventAt = 0;
  #lastEventAt = 0;
  #failures = 0;

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
    this.#contact = new Contact({
      change: (contact) => this.#watches.showContact(contact),
      silence: () => this.#open(),
    });
    this.#poller = new Poller(base, this.#watches, {
      answer: (problem) => {
        problem ? this.#contact.lose(problem) : this.#contact.hear();
        problem || this.#watches.showTransport("polling");
      },
      goOn: () => this.#tryStream(),
      finish: () => this.#settle(),
    });
    this.#permit = new Permit(base, () => this.#yield());
    this.#seeker = new Seeker(this.#watches, this.#poller);
    this.#tokens = new Tokens(base, this.#watches);
  }

  /** The tasks that are followed on it. */
  get watches() {
    return this.#watches;
  }

  /** Whether any of its tasks may still change. */
  get isLive() {
    return this.#watches.live.length > 0;
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
    if (!this.#candidate && !isGood) {
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

  #update() {
    this.#watches.prune();
    this.#tokens.plan();
    if (this.#watches.isEmpty) {
      this.#page.remove(this);
    }
    if (this.isLive && this.#page.isHidden) {
      this.rest();
    } else if (this.#watches.query !== this.#query || !(this.#source || this.#candidate || this.#timers.has("retry"))) {
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

  #open() {
    this.#candidate?.close();
    this.#candidate = null;
    this.#timers.clear("retry");
    if (!this.isLive) {
      this.#settle();
    } else if ("EventSource" in window && this.#page.allowsStream(this) && this.#permit.take()) {
      this.#openCandidate();
    } else {
      this.#yield();
    }
  }

  #openCandidate() {
    this.#query = this.#watches.query;
    this.#openedAt = Date.now();
    this.#candidate = new EventSource(this.#watches.makeUrl(this.base));
    this.#timers.set("firstEvent", () => this.#giveUp(), FIRST_EVENT_MS);
    this.#listen(this.#candidate);
  }

  #yield() {
    this.#close();
    this.#poll(POLL_MS);
  }

  #listen(source) {
    const handlers = {
      message: (snapshot) => this.#watches.showSnapshot(snapshot),
      missing: ({ task_id: taskId }) => this.#watches.showMissing(taskId),
      log: ({ task_id: taskId, offset, lines }) => this.#watches.showLines(taskId, offset, lines),
      time: ({ server_time: time }) => hearServerTime(time),
      heartbeat: (data, gap) => this.#contact.hearHeartbeat(gap),
      end: () => this.#finish(source),
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, ({ data }) => this.#receive(source, (gap) => handle(JSON.parse(data), gap)));
    }
    source.addEventListener("open", () => (source.isAnswered = true));
    source.addEventListener("refused", ({ data }) => this.#lose(source, 1000 * JSON.parse(data).retry_after));
    source.addEventListener("error", () => this.#lose(source));
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
      this.#contact.hearStream();
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

  #giveUp() {
    this.#yield();
    this.#timers.set("retry", () => this.#open(), HELD_BACK_MS * (0.5 + Math.random()));
  }

  #lose(source, wait = 0) {
    const isRefused = source.readyState === EventSource.CLOSED || (source === this.#candidate && source.isAnswered);
    source.close();
    const isKnown = source === this.#source || source === this.#candidate;
    this.#drop(source);
    if (!isKnown || this.#candidate) {
      return;
    }
    if (isRefused) {
      this.#poll(POLL_MS); // the answer was no stream, or one without events; polling tells more
    } else if (!this.#source && !this.#poller.isRunning) {
      this.#watches.showTransport("connecting");
      this.#contact.wait();
    }
    this.#contact.problem && this.#poller.start(POLL_MS); // an EventSource does not tell of a login on another host
    this.#retry(wait);
  }

  #finish(source) {
    source.close();
    this.#drop(source);
    this.#query = "";
    if (!this.#candidate) {
      this.#retry();
    }
  }

  #drop(source) {
    if (source === this.#source) {
      this.#source = null;
      this.#timers.clear("check");
      this.#contact.leaveStream();
    } else if (source === this.#candidate) {
      this.#candidate = null;
      this.#timers.clear("firstEvent");
    }
  }

  #retry(wait = 0) {
    if (this.#firstEventAt >= this.#openedAt && Date.now() - this.#firstEventAt > STEADY_MS) {
      this.#failures = 0;
    }
    this.#timers.set("retry", () => this.#open(), wait || drawBackoff(this.#failures++));
  }

  #poll(interval) {
    this.#watches.showTransport("polling");
    this.#poller.start(interval);
  }

  // Another connection, or another tab, may have made room for a stream.
  #tryStream() {
    if (!this.#page.isHidden && !this.#candidate && !this.#timers.has("retry")) {
      this.#open();
    }
  }

  #close() {
    this.#source?.close();
    this.#candidate?.close();
    this.#source = this.#candidate = null;
    this.#query = "";
    this.#timers.clearAll();
    this.#contact.rest();
    this.#permit.release();
  }
}
