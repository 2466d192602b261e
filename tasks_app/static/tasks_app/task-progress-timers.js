// Timers: timeouts by name, waits after failures, the time for which a page is hidden, ticks of a second, and frames.

export const MAX_BACKOFF_MS = 30_000;
const MIN_BACKOFF_MS = 1000;

const ticking = new Set();
let ticker;

const UNSEEN_MS = 1000; // until an element that is out of sight is rendered: only assistive technology meets it there

const due = new Set();
let frame = null;
const unseen = new Set();
let pause = null;

/** Timeouts by name, of which each replaces the one before it. */
export class Timers {
  #timeouts = new Map();

  has(name) {
    return this.#timeouts.has(name);
  }

  /** Call a function after some milliseconds, unless this name is set again or cleared before. */
  set(name, callback, milliseconds) {
    this.clear(name);
    const run = () => {
      this.#timeouts.delete(name);
      callback();
    };
    this.#timeouts.set(name, setTimeout(run, milliseconds));
  }

  clear(...names) {
    for (const name of names) {
      clearTimeout(this.#timeouts.get(name));
      this.#timeouts.delete(name);
    }
  }

  clearAll() {
    this.clear(...this.#timeouts.keys());
  }
}

/** Draw how many milliseconds to wait after so many failures: at random, below a limit that doubles with each. */
export function drawBackoff(failures) {
  return Math.random() * Math.min(MIN_BACKOFF_MS * 2 ** failures, MAX_BACKOFF_MS);
}

/** Call `rest` once the page has been hidden for some milliseconds, and `wake` each time it becomes visible. */
export function followVisibility(milliseconds, { rest, wake }) {
  const timers = new Timers();
  const change = () => {
    timers.clear("rest");
    document.hidden ? timers.set("rest", rest, milliseconds) : wake();
  };
  change();
  document.addEventListener("visibilitychange", change);
}

/** Render an element every second, or stop that. All elements share one timer. */
export function setTicking(element, isTicking) {
  isTicking ? ticking.add(element) : ticking.delete(element);
  if (ticking.size) {
    ticker ??= setInterval(() => ticking.forEach((each) => each.render()), 1000);
  } else {
    ticker = clearInterval(ticker);
  }
}

/**
 * Render an element with the next frame, however much news comes before it; at once while nobody sees frames, and within
 * a second if it is out of sight.
 */
export function renderSoon(element, { isSeen }) {
  if (document.hidden) {
    element.render();
  } else if (isSeen) {
    due.add(element);
    frame ??= requestAnimationFrame(renderDue);
  } else {
    unseen.add(element);
    pause ??= setTimeout(renderUnseen, UNSEEN_MS);
  }
}

function renderDue() {
  cancelAnimationFrame(frame);
  frame = null;
  renderAll(due);
}

function renderUnseen() {
  clearTimeout(pause);
  pause = null;
  renderAll(unseen);
}

function renderAll(elements) {
  const connected = [...elements].filter((element) => element.isConnected);
  elements.clear();
  connected.forEach(renderSafely);
}

// One that fails must not keep the others from being drawn.
function renderSafely(element) {
  try {
    element.render();
  } catch (error) {
    reportError(error);
  }
}

// The title of the page is seen even if the page is not.
document.addEventListener("visibilitychange", () => {
  renderDue();
  renderUnseen();
});
