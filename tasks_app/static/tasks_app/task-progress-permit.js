// The permit of a connection to have a stream. Over HTTP/1.1 a browser opens six connections to a host, for all its tabs:
// were they all streams, the next tab would wait for ever. So four are, and further tabs poll until one ends.
//
// Permits are leases in the storage that the tabs share. Web Locks would keep pages that were left from being kept by the
// browser, and need HTTPS.

const PERMITS = 4;
const LEASE_MS = 15_000; // until a permit is free whose tab has crashed
const RENEW_MS = 5000;

let count = 0;

export class Permit {
  #keys;
  #lose;
  #id = `${performance.timeOrigin} ${Math.random()} ${++count}`;
  #held = null; // the key of the permit that is held
  #timer;

  /**
   * @param {string} base - a URL of the host
   * @param {() => void} lose - is called when another tab has taken the permit: two may at the same moment
   */
  constructor(base, lose) {
    const { origin } = new URL(base);
    this.#keys = Array.from({ length: PERMITS }, (_, number) => `tasks_app stream ${number} ${origin}`);
    this.#lose = lose;
  }

  /** Take a permit unless one is held, and return whether one is now. Where tabs can't know of each other, there always is. */
  take() {
    if (this.#held || isMultiplexed() || !canStore()) {
      return true;
    }
    this.#held = this.#keys.find((key) => isFree(read(key))) ?? null;
    if (this.#held) {
      this.#write();
      this.#timer = setInterval(() => this.#renew(), RENEW_MS);
    }
    return this.#held !== null;
  }

  /** Give the permit back. */
  release() {
    clearInterval(this.#timer);
    if (this.#held && read(this.#held)?.id === this.#id) {
      localStorage.removeItem(this.#held);
    }
    this.#held = null;
  }

  #renew() {
    const lease = read(this.#held);
    if (lease === null || lease.id === this.#id) {
      this.#write();
    } else {
      this.release();
      this.#lose();
    }
  }

  #write() {
    localStorage.setItem(this.#held, JSON.stringify({ id: this.#id, until: Date.now() + LEASE_MS }));
  }
}

// A lease of the future was written before the clock was set back.
function isFree(lease) {
  const left = (lease?.until ?? 0) - Date.now();
  return !(left > 0 && left <= LEASE_MS);
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null; // no lease of ours
  }
}

// The user may forbid storage, or it may be full.
function canStore() {
  try {
    localStorage.setItem("tasks_app stream", "");
    localStorage.removeItem("tasks_app stream");
    return true;
  } catch {
    return false;
  }
}

// HTTP/2 and HTTP/3 have one connection for all streams.
function isMultiplexed() {
  const [{ nextHopProtocol = "" } = {}] = performance.getEntriesByType("navigation");
  return /^h[23]/.test(nextHopProtocol);
}
