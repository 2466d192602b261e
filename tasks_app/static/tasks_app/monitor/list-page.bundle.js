// Built by `python -m tests.support.bundles` out of the modules beside it: change those, not this.
const modules = (globalThis[Symbol.for("tasks_app 3faa0fb962ec")] ??= {});

modules["task-progress-states.js"] ??= (() => {
// The states of a task. They are those of `State` in Python; a test compares the two.

/** The states of a task that waits or runs. */
const LIVE = new Set(["queued", "running"]);

/** The states of a task that has ended. */
const TERMINAL = new Set(["succeeded", "failed", "cancelled", "lost"]);

/** Whether the task of a snapshot has ended. */
function isTerminal(snapshot) {
  return TERMINAL.has(snapshot?.state);
}

/** Whether a task may still change: it waits or runs, and the server finds it. */
function isLive(snapshot, isMissing) {
  return LIVE.has(snapshot?.state) && !isMissing;
}

/** Return the state that a page shows: that of the snapshot, or "connecting", "stalled" or "missing". */
function findState(snapshot, isMissing) {
  if (isMissing) {
    return "missing";
  }
  return snapshot?.stalled ? "stalled" : (snapshot?.state ?? "connecting");
}

/** Whether two snapshots of a task say the same. A change of `stalled` does not change `seq`. */
function isSame(snapshot, other) {
  return ["seq", "state", "stalled"].every((name) => snapshot?.[name] === other?.[name]);
}
return { LIVE, TERMINAL, isTerminal, isLive, findState, isSame };
})();

modules["task-progress-dom.js"] ??= (() => {
// Elements, made and changed without innerHTML or inline styles: the strictest Content-Security-Policy, with
// Trusted Types, allows them, and a text from the server stays text.

const { LIVE, TERMINAL } = modules["task-progress-states.js"];

const STATES = new Set([...LIVE, ...TERMINAL]);

/** Make an HTML element. */
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** Set the text of an element, and the title that it shows under the pointer. */
function setText(element, text, title = "") {
  if (element.textContent !== text) {
    element.textContent = text;
  }
  if (element.title !== title) {
    element.title = title;
  }
}

/** Add or remove children at the end until there are as many as `count`. */
function setChildCount(parent, count, makeChild) {
  while (parent.childElementCount > count) {
    parent.lastElementChild.remove();
  }
  while (parent.childElementCount < count) {
    parent.append(makeChild());
  }
}

function fill(element, attributes, children) {
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.append(...children);
  return element;
}

/** Have the class of an element see a property that a page set before the element was defined, and that hides its own. */
function takeOverProperty(element, name) {
  if (Object.hasOwn(element, name)) {
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}

/** Return the snapshot that a page put into an element as JSON, or null without one that is whole. */
function readSnapshot(element) {
  const text = element.querySelector(":scope > script[type='application/json']")?.textContent;
  try {
    const snapshot = text ? JSON.parse(text) : null;
    return STATES.has(snapshot?.state) ? snapshot : null;
  } catch (error) {
    console.warn("<task-progress>: the snapshot in the page can't be read", error);
    return null;
  }
}
return { make, draw, setText, setChildCount, takeOverProperty, readSnapshot };
})();

modules["task-progress-texts.js"] ??= (() => {
// The texts of <task-progress>, which a page may replace, and its numbers and times in the language of the page.

/** The texts, by name. `say` fills in {…}; `position…` has one for each ordinal category of a language. */
const texts = {
  queued: "Queued",
  running: "Running",
  succeeded: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  lost: "Lost: the worker stopped responding",
  unknown: "Unknown: the cache has lost it, but it may still begin",
  missing: "Not found, or not for you to see",
  noTask: "No task",
  connecting: "Connecting…",
  reconnecting: "Reconnecting…",
  stalled: "Stalled",
  failedBecause: "Failed: {message}",
  silent: "No sign of life for {time}",
  cancelledByYou: "Cancelled by you",
  stoppedAt: "stopped at {percent}",
  positionOne: "{n}st in line",
  positionTwo: "{n}nd in line",
  positionFew: "{n}rd in line",
  positionOther: "{n}th in line",
  startsIn: "starts in about {time}",
  step: "step {n} of {total}",
  rate: "{rate}/s",
  ratePerMinute: "{rate}/min",
  ratePerHour: "{rate}/h",
  left: "{time} left",
  seconds: "{n} s",
  minutes: "{n} min",
  hours: "{hours} h {minutes} min",
  days: "{days} d {hours} h",
  moment: "< 1 s",
  cancel: "Cancel",
  cancelling: "Cancelling…",
  confirm: "Cancel it?",
  yes: "Yes",
  no: "No",
  result: "Open result",
  log: "Log",
  noLines: "No lines yet",
  unreachable: "The server can't be reached.",
  unanswered: "The server did not answer.",
  refused: "The server answered {status}.",
  loggedOut: "You are logged out. Log in again, then try once more.",
};

/** The texts as the server has them: where a status is one of these, the page shows its own text instead. */
const SERVER_TEXTS = { ...texts };

/** Take over the texts of the page's <script type="application/json" id="task-progress-texts">, if it has one. */
function readTexts() {
  const element = document.getElementById("task-progress-texts");
  if (element && !element.isTaken) {
    element.isTaken = true;
    Object.assign(texts, JSON.parse(element.textContent));
  }
}

/** Return the text of this name, with values filled in. */
function say(name, values = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (gap, key) => values[key] ?? gap);
}

/** Formats numbers, times and snapshots for one language. */
class Formatter {
  #formats = new Map();

  /** @param {string} language - a BCP 47 tag; anything else stands for the browser's language */
  constructor(language) {
    try {
      this.language = new Intl.Locale(language).toString();
    } catch {
      this.language = undefined;
    }
  }

  number(value, options = { maximumFractionDigits: 1 }) {
    return this.#get(Intl.NumberFormat, options).format(value);
  }

  percent(value) {
    return this.number(value / 100, { style: "percent" });
  }

  /** Format seconds as m:ss up to an hour, then as hours and minutes, after two days as days and hours. */
  duration(seconds) {
    const whole = Math.ceil(seconds);
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    if (hours >= 48) {
      return say("days", { days: this.number(Math.floor(hours / 24)), hours: this.number(hours % 24) });
    }
    if (hours) {
      return say("hours", { hours: this.number(hours), minutes: this.number(minutes) });
    }
    return `${this.number(minutes)}:${this.number(whole % 60, { minimumIntegerDigits: 2 })}`;
  }

  /** Format seconds as such up to a minute, then as minutes, then as hours and minutes. */
  roughly(seconds) {
    if (seconds >= 3600) {
      return this.duration(seconds);
    }
    const [name, n] = seconds < 60 ? ["seconds", Math.floor(seconds)] : ["minutes", Math.floor(seconds / 60)];
    return say(name, { n: this.number(n) });
  }

  /** Format an RFC 3339 text, or seconds since 1970, as hh:mm:ss. */
  time(time) {
    const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    return this.date(typeof time === "number" ? time * 1000 : time, options);
  }

  /** Format a time in the user's time zone; the options are those of Intl.DateTimeFormat. */
  date(time, options) {
    return this.#get(Intl.DateTimeFormat, options).format(new Date(time));
  }

  /** Format a queue position as "3rd in line", by English rules unless that text is translated. */
  position(n) {
    const isTranslated = texts.positionOther !== SERVER_TEXTS.positionOther;
    const format = isTranslated ? this : getFormatter("en");
    const category = format.#get(Intl.PluralRules, { type: "ordinal" }).select(n);
    const name = `position${category[0].toUpperCase()}${category.slice(1)}`;
    return say(name in texts ? name : "positionOther", { n: format.number(n) });
  }

  /** Format a count as "42,310 / 100,000 rows"; null unless the task has reported it. */
  count({ current, total, unit }) {
    if (current === null) {
      return null;
    }
    const counts = [current, total].filter((value) => value !== null);
    if (isBytes(unit)) {
      return counts.map((value) => this.#bytes(value)).join(" / ");
    }
    const counted = counts.map((value) => this.number(value)).join(" / ");
    return unit === null ? counted : `${counted} ${this.#unit(unit, counts.at(-1))}`;
  }

  /** Format a rate as "13,600 rows/s", a slow one by the minute or the hour; null while it is unknown. */
  rate({ rate, unit }) {
    if (rate === null || unit === null) {
      return null;
    }
    if (isBytes(unit)) {
      return say("rate", { rate: this.#bytes(rate) });
    }
    const [name, seconds] = RATES.find(([, seconds]) => rate * seconds >= 0.1) ?? RATES[0];
    const value = rate * seconds;
    const number = this.number(value, { maximumFractionDigits: value < 10 ? 1 : 0 });
    return say(name, { rate: `${number} ${this.#unit(unit, value)}` });
  }

  // Units are what the job calls them. Of plurals only plain English ones are known: "rows" and "files", not "boxes".
  #unit(unit, count) {
    const isPlain = this.language?.startsWith("en") && /([^aeiosuxz]|[^aeioshxz]e)s$/.test(unit);
    return isPlain && count === 1 ? unit.slice(0, -1) : unit;
  }

  #bytes(value) {
    const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), BYTES.length - 1);
    return `${this.number(value / 1000 ** power)} ${BYTES[power]}`;
  }

  #get(Format, options) {
    const key = Format.name + JSON.stringify(options);
    if (!this.#formats.has(key)) {
      this.#formats.set(key, new Format(this.language, options));
    }
    return this.#formats.get(key);
  }
}

const BYTES = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/** The texts of rates, and the seconds that each counts. */
const RATES = [["rate", 1], ["ratePerMinute", 60], ["ratePerHour", 3600]];

function isBytes(unit) {
  return ["bytes", "byte", "B"].includes(unit);
}

const formatters = new Map();

/** Return the formatter of a language, by default that of the page. */
function getFormatter(language) {
  language ||= document.documentElement.lang || navigator.language;
  if (!formatters.has(language)) {
    formatters.set(language, new Formatter(language));
  }
  return formatters.get(language);
}
return { texts, SERVER_TEXTS, readTexts, say, Formatter, getFormatter };
})();

modules["task-progress-cancel-button.js"] ??= (() => {
// The button that cancels a task, and the question that takes its place until the user has answered it.

const { setText } = modules["task-progress-dom.js"];
const { texts } = modules["task-progress-texts.js"];

class CancelButton {
  #parts;
  #on;

  /** Whether the question is shown. */
  isAsking = false;

  /** Whether this page has asked the server to cancel the task. */
  isSent = false;

  /** The problem of the last request, or "" without one. */
  problem = "";

  /**
   * @param {object} parts - `actions`, which holds `cancel` and `confirmation`, which holds `question`, `yes` and `no`
   * @param {object} on
   * @param {() => Promise<string>} on.send - sends the request, and returns the problem, or ""
   * @param {() => void} on.render - is called at each change, and calls `render` in turn
   * @param {() => void} on.answer - is called once the server has answered
   * @param {() => void} on.moveFocus - is called when the button is hidden while it has the focus
   */
  constructor(parts, on) {
    this.#parts = parts;
    this.#on = on;
    parts.cancel.addEventListener("click", () => this.#setAsking(true));
    parts.yes.addEventListener("click", () => this.send());
    parts.no.addEventListener("click", () => this.#setAsking(false));
    parts.confirmation.addEventListener("keydown", (event) => event.key === "Escape" && this.#answerNo(event));
  }

  /** Begin with another task. */
  reset() {
    this.isAsking = this.isSent = false;
    this.problem = "";
  }

  /** Send the request without asking the user. */
  async send() {
    this.isSent = true;
    this.#setAsking(false);
    this.problem = await this.#on.send();
    this.isSent = !this.problem;
    this.#on.render();
    this.#on.answer();
  }

  /** Show the button where a live task can be cancelled (`isOffered`), or was (`isRequested`). */
  render({ isLive, isOffered, isRequested }) {
    const { actions, cancel, confirmation } = this.#parts;
    const isOver = this.isSent || isRequested;
    const hadFocus = this.#hasFocus;
    actions.hidden = !isLive || !(isOffered || isOver);
    this.isAsking &&= !actions.hidden && !isOver;
    cancel.hidden = this.isAsking;
    confirmation.hidden = !this.isAsking;
    cancel.setAttribute("aria-disabled", isOver);
    this.#renderTexts(isOver);
    if (hadFocus && actions.hidden) {
      this.#on.moveFocus();
    }
  }

  // The key is used up: a dialog around the component stays open.
  #answerNo(event) {
    event.preventDefault();
    event.stopPropagation();
    this.#setAsking(false);
  }

  get #hasFocus() {
    return this.#parts.actions.contains(this.#parts.actions.getRootNode().activeElement);
  }

  #renderTexts(isOver) {
    const { cancel, confirmation, question, yes, no } = this.#parts;
    confirmation.setAttribute("aria-label", texts.confirm);
    setText(cancel, isOver ? texts.cancelling : texts.cancel);
    setText(question, texts.confirm);
    setText(yes, texts.yes);
    setText(no, texts.no);
  }

  // "No" gets the focus, so that a key held down confirms nothing.
  #setAsking(isAsking) {
    const { cancel, no } = this.#parts;
    const hadFocus = this.#hasFocus;
    this.isAsking = isAsking && cancel.getAttribute("aria-disabled") !== "true";
    this.problem = "";
    this.#on.render();
    if (hadFocus) {
      (this.isAsking ? no : cancel).focus();
    }
  }
}
return { CancelButton };
})();

modules["task-progress-description.js"] ??= (() => {
// The texts that <task-progress> shows of a snapshot. Pure: no element, no clock.

const { SERVER_TEXTS, say, texts } = modules["task-progress-texts.js"];

const STALLED_AFTER = 15; // seconds without a sign of life after which a server by default calls a task stalled
const GENERIC_ERROR = "The task failed."; // the message where errors are not exposed

/**
 * Return the texts of a snapshot: `percent`, the figure; `status`, the sentence; and `facts` beside it, by name.
 *
 * @param {object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {object} circumstances
 * @param {number} circumstances.now - the time in milliseconds
 * @param {number} circumstances.elapsed - seconds since the snapshot came
 * @param {boolean} circumstances.isMine - whether this page asked the server to cancel the task
 * @param {boolean} circumstances.isCutOff - whether there has been no connection for some seconds
 * @param {Formatter} format
 */
function describe(snapshot, state, circumstances, format) {
  const percent = describeFigure(snapshot, state, format);
  const said = snapshot.status === SERVER_TEXTS[snapshot.state] ? texts[snapshot.state] : snapshot.status;
  switch (state) {
    case "missing":
      return { percent, status: texts.missing, facts: {} };
    case "failed":
      return { percent, status: describeFailure(snapshot), facts: {} };
    case "lost":
      return { percent, status: texts.lost, facts: said === texts.lost ? {} : { said } };
    case "cancelled":
      return { percent, status: circumstances.isMine ? texts.cancelledByYou : texts.cancelled, facts: {} };
    case "stalled":
      return snapshot.status === SERVER_TEXTS.unknown
        ? { percent, status: texts.unknown, facts: {} }
        : { percent, status: describeSilence(snapshot, circumstances, format), facts: { said } };
    default:
      return { percent, ...describeWork(snapshot, state, said, circumstances, format) };
  }
}

/** Return the name of a task: "shop.tasks.import_rows" becomes "Import rows". */
function describeName(snapshot) {
  const name = (snapshot?.task ?? "").split(".").at(-1).replaceAll("_", " ");
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Return why a task failed: its error where that is exposed, else its last status; null without either. */
function describeReason({ status, error }) {
  if (status === SERVER_TEXTS.failed) {
    return null;
  }
  const message = error && error.message !== GENERIC_ERROR ? error.message : null;
  return message ?? status.replace(/^Failed: /, "");
}

/** Return how long a task ran, or "" if it has not started; one without an end runs until `now`, in milliseconds. */
function describeDuration({ started_at: start, finished_at: end }, now, format) {
  const seconds = ((end ? Date.parse(end) : now) - Date.parse(start)) / 1000;
  if (!start) {
    return "";
  }
  return seconds < 1 ? texts.moment : format.duration(seconds);
}

function describeFigure(snapshot, state, format) {
  const { progress, percent, queue_position: position } = snapshot;
  switch (state) {
    case "queued":
      return position === null ? "" : format.position(position);
    case "running":
    case "stalled":
      return percent === null ? "" : format.percent(progress);
    case "succeeded":
      return describeEnd(snapshot, format);
    default:
      return percent === null ? describeEnd(snapshot, format) : say("stoppedAt", { percent: format.percent(progress) });
  }
}

function describeEnd(snapshot, format) {
  return snapshot.finished_at ? describeDuration(snapshot, null, format) : "";
}

function describeWork(snapshot, state, said, { elapsed, isCutOff }, format) {
  const { stages } = snapshot;
  const step = stages.findIndex((stage) => stage.state === "running") + 1;
  const status = step && said === texts.running ? stages[step - 1].name : said;
  if (isCutOff) {
    return { status, facts: { reconnecting: texts.reconnecting } };
  }
  return {
    status,
    facts: {
      step: step && say("step", { n: format.number(step), total: format.number(stages.length) }),
      count: state === "running" && format.count(snapshot),
      rate: state === "running" && format.rate(snapshot),
      left: describeTimeLeft((snapshot.eta ?? 0) - elapsed, state, format),
    },
  };
}

function describeTimeLeft(seconds, state, format) {
  if (seconds <= 0) {
    return "";
  }
  return state === "queued"
    ? say("startsIn", { time: format.roughly(seconds) })
    : say("left", { time: format.duration(seconds) });
}

function describeFailure(snapshot) {
  const message = describeReason(snapshot);
  return message === null ? texts.failed : say("failedBecause", { message });
}

// The silence is no longer than the time since the last change, which was a sign of life.
function describeSilence(snapshot, { elapsed, now }, format) {
  const unchanged = (now - Date.parse(snapshot.updated_at)) / 1000;
  const silence = STALLED_AFTER + elapsed;
  return say("silent", { time: format.roughly(unchanged > 0 ? Math.min(unchanged, silence) : silence) });
}
return { describe, describeName, describeReason, describeDuration };
})();

modules["task-progress-style.js"] ??= (() => {
// The style of <task-progress>, which a page changes by custom properties and ::part().
//
// It is a constructed sheet, because a strict Content-Security-Policy forbids <style>. light-dark() follows the
// color-scheme of the page: one that is always light has light components, even if the system prefers dark ones.

const style = new CSSStyleSheet();

style.replaceSync(`
:host {
  display: block;
  min-inline-size: 0;
  --background: var(--task-progress-background, light-dark(#ffffff, #1b1b1f));
  --border: var(--task-progress-border, light-dark(#e6e5e1, #2d2d33));
  --text: var(--task-progress-text, light-dark(#1d1c1a, #ececf0));
  --muted: var(--task-progress-muted, light-dark(#65625c, #a0a0ab));
  --track: var(--task-progress-track, light-dark(#e9e8e4, #2c2c33));
  --accent: var(--task-progress-accent, light-dark(#2f5fe0, #7da2ff));
  --success: var(--task-progress-success, light-dark(#1a7f4b, #4cc38a));
  --warning: var(--task-progress-warning, light-dark(#9a5b00, #f0b54a));
  --warning-fill: var(--task-progress-warning-fill, light-dark(#e0a12b, #c98a1d));
  --danger: var(--task-progress-danger, light-dark(#c02b2b, #ff8a85));
  --color: var(--muted);
}
:host([hidden]), [hidden] { display: none !important; }
:host(:state(running)) { --color: var(--accent); }
:host(:state(stalled)) { --color: var(--warning-fill); }
:host(:state(succeeded)) { --color: var(--success); }
:host(:is(:state(failed), :state(lost))) { --color: var(--danger); }

* { box-sizing: border-box; }

/* Of the page, only these are inherited: a heading's capitals, spaced letters and shadows are not for the component. */
.card, .spoken {
  all: initial;
  color-scheme: inherit;
  cursor: inherit;
  font-family: var(--task-progress-font, inherit);
  pointer-events: inherit;
  visibility: inherit;
}
.card {
  display: block;
  container-type: inline-size;
  contain-intrinsic-inline-size: 320px;
  margin-block: var(--task-progress-margin, 12px);
  overflow: clip;
  border: 1px solid var(--border);
  border-radius: 10px;
  background: var(--background);
  color: var(--text);
  font-size: 15px;
  line-height: 1.4;
  font-variant-numeric: tabular-nums;
  text-align: start;
}
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.body { padding: 14px 16px; }
.head, .foot { display: flex; align-items: center; gap: 10px; }
.head { min-block-size: 26px; }
.name, .status, .meta { min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.name, .status { flex: 1 1 0; }
:host(:dir(rtl)) :is(.name, .status, .meta) { text-align: right; }
.name { font-weight: 600; }
.percent { flex: none; color: var(--muted); font-weight: 400; }
:host(:is(:state(running), :state(stalled))) .percent { color: var(--text); font-weight: 600; }
.actions { display: flex; flex: none; align-items: center; gap: 6px; font-size: 13px; }

button {
  min-block-size: 26px;
  padding: 2px 10px;
  border: 1px solid var(--border);
  border-radius: 6px;
  background: none;
  color: var(--muted);
  font: inherit;
  white-space: nowrap;
  cursor: pointer;
}
button:hover { border-color: var(--muted); color: var(--text); }
button[aria-disabled="true"] { border-color: transparent; color: var(--muted); cursor: default; }
.yes { border-color: var(--danger); color: var(--danger); }

.icon { flex: none; inline-size: 16px; block-size: 16px; overflow: visible; fill: none; stroke: var(--color); stroke-width: 2; }
.icon path { stroke-linecap: round; stroke-linejoin: round; }
:host(:state(running)) circle { stroke: var(--track); }
:host(:state(running)) .icon { animation: turn 1.6s linear infinite; }
:host(:state(queued)) circle { stroke-dasharray: 2.5 2.2; }
:host(:state(stalled)) circle { display: none; }
:host(:state(stalled)) path { fill: var(--color); stroke: none; }
:host(:is(:state(succeeded), :state(failed), :state(lost))) circle { fill: var(--color); }
:host(:is(:state(succeeded), :state(failed), :state(lost))) path { stroke: var(--background); }

.bar { display: flex; gap: min(3px, 30% / var(--count, 1)); margin-block: 8px; print-color-adjust: exact; }
.segment { position: relative; flex: 1 1 0; block-size: 8px; overflow: hidden; border-radius: 4px; background: var(--track); }
.fill { block-size: 100%; inline-size: 0; border-radius: 4px; background: var(--color); transition: inline-size 200ms ease-out; }
.bar:not([aria-valuenow]) .fill { position: absolute; inline-size: 35%; animation: sweep 1.6s ease-in-out infinite; }

.foot { min-block-size: 20px; font-size: 13px; }
.meta { color: var(--muted); }
.meta, .link { flex: none; max-inline-size: 65%; }
.link { color: var(--accent); }
:host(:state(stalled)) .status { color: var(--warning); }
:host(:is(:state(failed), :state(lost))) .status, .problem { color: var(--danger); }
.problem { margin-block-start: 2px; font-size: 13px; overflow-wrap: anywhere; }
:host(:is(:state(queued), :state(cancelled), :state(missing))) .status { color: var(--muted); }

.log {
  max-block-size: 200px;
  padding: 10px 16px;
  overflow: auto;
  border-block-start: 1px solid var(--border);
  background: color-mix(in srgb, var(--background), var(--text) 4%);
  font: 12px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere;
}
.log:empty::before { color: var(--muted); content: attr(data-empty); }
.log:focus-visible { outline-offset: -2px; }
.line { display: flex; gap: 14px; white-space: pre-wrap; }
.line time { flex: none; color: var(--muted); }
.line[data-level="warning"] span { color: var(--warning); }
.line:is([data-level="error"], [data-level="critical"]) span { color: var(--danger); }
.line[data-level="debug"] span { color: var(--muted); }

.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

:host([compact]) .body { display: flex; flex-wrap: wrap; align-items: center; gap: 0 12px; padding-block: 9px; }
:host([compact]) .problem { flex: 1 0 100%; order: 4; }
:host([compact]) .head { display: contents; }
:host([compact]) .bar { flex: 2 1 0; order: 1; margin: 0; }
:host([compact]) .percent { order: 2; min-inline-size: 2.6em; text-align: end; }
:host([compact]) .actions { order: 3; }
:host([compact]) .icon { margin-inline-end: -2px; }
:host([compact]) .foot { display: none; }

@container (inline-size < 560px) {
  .meta:has(.step):has(.count) .rate { display: none; }
}
@container (inline-size < 360px) {
  :host(:not([compact])) .body { display: flex; flex-wrap: wrap; align-items: center; gap: 0 10px; }
  :host(:not([compact])) :is(.head, .foot) { display: contents; }
  :host(:not([compact])) :is(.bar, .status, .problem) { flex: 1 0 100%; }
  .name { line-height: 26px; }
  .status, .meta, .link { font-size: 13px; }
  .meta { flex: 1 1 0; min-block-size: 20px; line-height: 20px; max-inline-size: none; }
  :host([cancel]) .meta { min-block-size: 28px; line-height: 28px; }
  .meta, .link { order: 1; }
  .head > .actions { order: 2; }
  .problem { order: 3; }
  .rate, :host([compact]) .head:has(.confirmation:not([hidden])) .percent { display: none; }
}
@keyframes turn { to { rotate: 1turn; } }
@keyframes sweep { from { inset-inline-start: -35%; } to { inset-inline-start: 100%; } }
@media (prefers-reduced-motion: reduce) {
  .icon, .fill { animation: none !important; transition: none !important; }
  .bar:not([aria-valuenow]) .fill { inline-size: 100%; opacity: 0.45; }
}
@media (forced-colors: active) {
  .segment { border: 1px solid CanvasText; }
  .fill { background: Highlight; forced-color-adjust: none; }
}
`);
return { style };
})();

modules["task-progress-parts.js"] ??= (() => {
// The elements inside <task-progress>, which a page styles by `::part()`.

const { draw, make, setChildCount } = modules["task-progress-dom.js"];
const { style } = modules["task-progress-style.js"];

/** The path of each state's icon; the others have none. */
const MARKS = {
  running: "M8 2a6 6 0 0 1 6 6",
  stalled: "M8 1.2 15.6 14.6H.4zM7.2 5.8v4.4h1.6V5.8zm0 5.6v1.6h1.6v-1.6z",
  succeeded: "M5 8.3l2.1 2.1L11 6.1",
  failed: "M5.7 5.7l4.6 4.6m0-4.6-4.6 4.6",
  lost: "M8 4.6v4M8 11.3v.1",
  cancelled: "M3.8 12.2l8.4-8.4",
  missing: "M8 4.6v4M8 11.3v.1",
};

/**
 * Fill a shadow root, and return its elements by the names of their parts.
 *
 * @param {ShadowRoot} root
 */
function makeParts(root) {
  const parts = {};
  const add = (tag, name, attributes, ...children) => (parts[name] = makePart(tag, name, attributes, ...children));
  const problem = add("div", "problem", { dir: "auto" });
  const body = add("div", "body", {}, makeHead(add, makeIcon(parts)), makeBar(add), makeFoot(add), problem);
  const log = add("div", "log", { role: "log", "aria-live": "off", tabindex: 0 });
  const card = add("div", "card", { role: "group", "aria-labelledby": "name", tabindex: -1 }, body, log);
  root.adoptedStyleSheets = [style];
  root.append(card, add("div", "spoken", { role: "status" }));
  return parts;
}

/** Give the bar a segment for each of these: as wide as its weight, and filled as far as its progress. */
function setSegments(bar, segments) {
  setChildCount(bar, segments.length, () => makePart("div", "segment", {}, makePart("div", "fill")));
  bar.style.setProperty("--count", segments.length);
  segments.forEach(({ weight, progress, name = "" }, index) => {
    const segment = bar.children[index];
    segment.style.flexGrow = weight;
    segment.firstChild.style.inlineSize = progress === null ? "" : `${progress}%`;
    segment.title = name;
  });
}

/** Show facts, by name, in one line; leave empty ones out. */
function setFacts(element, facts) {
  const shown = Object.entries(facts).filter(([, text]) => text);
  const whole = shown.map(([, text]) => text).join(" · ");
  if (element.title !== whole) {
    element.title = whole;
    element.replaceChildren(...shown.map(([name, text], index) => makeFact(name, index ? ` · ${text}` : text)));
  }
}

/** Make a line of the log. */
function makeLine({ time, level, text }) {
  const line = makePart("div", "line", {}, makePart("time", "time", {}, time), makePart("span", "text", {}, text));
  line.dataset.level = level;
  return line;
}

function makeHead(add, icon) {
  const name = add("span", "name", { id: "name", dir: "auto" });
  return add("div", "head", {}, icon, name, add("span", "percent"), makeActions(add));
}

function makeActions(add) {
  const makeButton = (name) => add("button", name, { type: "button", part: `button ${name}` });
  const answers = [add("span", "question", { dir: "auto" }), makeButton("yes"), makeButton("no")];
  const confirmation = add("span", "confirmation", { class: "actions", role: "group" }, ...answers);
  return add("span", "actions", {}, makeButton("cancel"), confirmation);
}

function makeBar(add) {
  return add("div", "bar", { role: "progressbar", "aria-labelledby": "name", "aria-valuemin": 0, "aria-valuemax": 100 });
}

function makeFoot(add) {
  const status = add("span", "status", { dir: "auto" });
  return add("div", "foot", {}, status, add("span", "meta", { dir: "auto" }), add("a", "link"));
}

function makeIcon(parts) {
  parts.mark = draw("path", { "fill-rule": "evenodd" });
  const ring = draw("circle", { cx: 8, cy: 8, r: 6 });
  parts.icon = draw("svg", { class: "icon", part: "icon", viewBox: "0 0 16 16", role: "img" }, ring, parts.mark);
  return parts.icon;
}

function makeFact(name, text) {
  return makePart("span", `fact ${name}`, {}, text);
}

function makePart(tag, name, attributes = {}, ...children) {
  return make(tag, { class: name, part: name, ...attributes }, ...children);
}
return { MARKS, makeParts, setSegments, setFacts, makeLine };
})();

modules["task-progress-requests.js"] ??= (() => {
// Requests to the server, and URLs.

const { say, texts } = modules["task-progress-texts.js"];

const ANSWER_WITHIN_MS = 10000;

/** Return the absolute URL under which the app's endpoints are, with a slash at its end. */
function findBase(path) {
  return new URL(path.replace(/\/*$/, "/"), document.baseURI).href;
}

/** Return the URL of a task below that base. */
function makeTaskUrl(base, taskId) {
  return `${base}tasks/${encodeURIComponent(taskId)}`;
}

/** Return the URL that a link may lead to, which is one of the web and never "javascript:"; "" for anything else. */
function findWebUrl(value) {
  const isUrl = typeof value === "string" && URL.canParse(value, document.baseURI);
  const { protocol, href } = isUrl ? new URL(value, document.baseURI) : { protocol: "" };
  return /^https?:$/.test(protocol) ? href : "";
}

/** Fetch JSON. With "no-cache" the browser sends the ETag that it has, and turns a 304 into the answer that it keeps. */
function fetchJson(url, options) {
  return fetch(url, { cache: "no-cache", headers: { Accept: "application/json" }, ...options });
}

/**
 * Ask the server to cancel a task. Only its own answer counts: not that of a login page, of a proxy or of a portal.
 *
 * @param {string} base - as `findBase` returns it
 * @param {string} taskId
 * @returns {Promise<string>} the problem, or "" without one
 */
async function postCancel(base, taskId) {
  try {
    return await describeAnswer(await postWithToken(`${makeTaskUrl(base, taskId)}/cancel`));
  } catch (error) {
    return error.name === "TimeoutError" ? texts.unanswered : texts.unreachable;
  }
}

async function describeAnswer(response) {
  if (response.type === "opaqueredirect" || response.status === 401) {
    return texts.loggedOut;
  }
  const isOurs = /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");
  if (isOurs && (response.status === 202 || response.status === 409)) {
    return ""; // 409: it has ended in the meantime
  }
  const { detail } = isOurs ? await response.json() : {};
  return detail ?? say("refused", { status: response.status });
}

// Only the server can tell which token is valid: the cookie may be of other settings or of another site, and the token
// in the page is out of date once the user has logged in again.
async function postWithToken(url) {
  let response;
  for (const token of readCsrfTokens()) {
    const headers = { Accept: "application/json", "X-CSRFToken": token };
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    response = await fetch(url, { method: "POST", redirect: "manual", headers, signal });
    if (response.status !== 403) {
      break;
    }
  }
  return response;
}

function readCsrfTokens() {
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  const element = document.querySelector("[name=csrfmiddlewaretoken], meta[name=csrf-token]");
  const tokens = [cookie, element?.value ?? element?.content].filter(Boolean);
  return tokens.length ? tokens : [""];
}
return { findBase, makeTaskUrl, findWebUrl, fetchJson, postCancel };
})();

modules["task-progress-timers.js"] ??= (() => {
// Timers: timeouts by name, waits after failures, the time for which a page is hidden, and ticks of a second.

const MAX_BACKOFF_MS = 30_000;
const MIN_BACKOFF_MS = 1000;

const ticking = new Set();
let ticker;

/** Timeouts by name, of which each replaces the one before it. */
class Timers {
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
function drawBackoff(failures) {
  return Math.random() * Math.min(MIN_BACKOFF_MS * 2 ** failures, MAX_BACKOFF_MS);
}

/** Call `rest` once the page has been hidden for some milliseconds, and `wake` each time it becomes visible. */
function followVisibility(milliseconds, { rest, wake }) {
  const timers = new Timers();
  const change = () => {
    timers.clear("rest");
    document.hidden ? timers.set("rest", rest, milliseconds) : wake();
  };
  change();
  document.addEventListener("visibilitychange", change);
}

/** Render an element every second, or stop that. All elements share one timer. */
function setTicking(element, isTicking) {
  isTicking ? ticking.add(element) : ticking.delete(element);
  if (ticking.size) {
    ticker ??= setInterval(() => ticking.forEach((each) => each.render()), 1000);
  } else {
    ticker = clearInterval(ticker);
  }
}
return { MAX_BACKOFF_MS, Timers, drawBackoff, followVisibility, setTicking };
})();

modules["task-progress-poller.js"] ??= (() => {
// Polling: fetches the snapshot of each task of a connection, round after round.

const { fetchJson, makeTaskUrl } = modules["task-progress-requests.js"];
const { MAX_BACKOFF_MS } = modules["task-progress-timers.js"];

const REQUESTS_AT_ONCE = 4;
const MS_PER_TASK = 100; // a page with many tasks polls each of them less often

class Poller {
  #base;
  #watches;
  #on;
  #interval = null;
  #controller = null;
  #timeout;

  /**
   * @param {string} base - as `findBase` returns it
   * @param {Watches} watches - gets the snapshots
   * @param {{goOn: () => void, finish: () => void}} on - `goOn` is called when another round is due, `finish` when no task
   *   is live any more
   */
  constructor(base, watches, on) {
    this.#base = base;
    this.#watches = watches;
    this.#on = on;
  }

  get isRunning() {
    return this.#controller !== null;
  }

  /** Poll until `stop()`, with so many milliseconds between two rounds. */
  start(interval) {
    if (this.#interval !== interval) {
      this.stop();
      this.#interval = interval;
      this.#controller = new AbortController();
      this.#run(this.#controller.signal, interval);
    }
  }

  stop() {
    this.#controller?.abort();
    clearTimeout(this.#timeout);
    this.#interval = this.#controller = null;
  }

  /** Poll each of some tasks once, by default the live ones, and return whether the server answered for all of them. */
  async poll(signal = new AbortController().signal, queue = this.#watches.live) {
    let isReached = true;
    const work = async () => {
      for (let watch = queue.shift(); watch && !signal.aborted; watch = queue.shift()) {
        isReached = (await this.#pollOne(watch, signal)) && isReached;
      }
    };
    await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, work));
    if (!this.#watches.live.length) {
      this.#on.finish();
    }
    return isReached;
  }

  async #run(signal, pause) {
    const isReached = await this.poll(signal);
    if (!signal.aborted) {
      const longer = Math.min(2 * pause, MAX_BACKOFF_MS);
      const next = isReached ? Math.max(this.#interval, MS_PER_TASK * this.#watches.live.length) : longer;
      this.#timeout = setTimeout(() => this.#run(signal, next), next * (0.75 + Math.random() / 2));
      this.#on.goOn();
    }
  }

  async #pollOne({ taskId, token }, signal) {
    const query = token ? `?token=${encodeURIComponent(token)}` : "";
    try {
      const response = await fetchJson(`${makeTaskUrl(this.#base, taskId)}${query}`, { signal });
      if (response.status === 404) {
        this.#watches.showMissing(taskId);
      } else if (response.ok) {
        this.#watches.showSnapshot(await response.json());
      }
      return response.ok || response.status === 404;
    } catch {
      return false; // aborted, or without an answer: the next round tries again
    }
  }
}
return { Poller };
})();

modules["task-progress-seeker.js"] ??= (() => {
// The search for tasks that the server has not found: it may have told their ids to a page before it sends them.

const { drawBackoff, Timers } = modules["task-progress-timers.js"];

const TASKS_AT_ONCE = 10; // a page where more are missing asks for each of them less often

class Seeker {
  #watches;
  #poller;
  #timers = new Timers();
  #controller = new AbortController();
  #failures = 0;
  #isAsking = false;
  #isHurried = false; // whether there was a reason to ask again since the round that runs has begun

  /**
   * @param {Watches} watches - knows which tasks are missing
   * @param {Poller} poller - asks for them
   */
  constructor(watches, poller) {
    this.#watches = watches;
    this.#poller = poller;
  }

  /** Ask for the missing tasks again and again, after pauses that grow. */
  start() {
    const count = this.#watches.missing.length;
    if (count && !this.#isAsking && !this.#timers.has("ask")) {
      const pause = drawBackoff(this.#failures++) * Math.ceil(count / TASKS_AT_ONCE);
      this.#timers.set("ask", () => this.#ask(), pause);
    }
  }

  /** Ask at once, or once more after the round that runs: another task has got further and may have sent them. */
  hurry() {
    this.#failures = 0;
    this.#timers.clear("ask");
    if (this.#isAsking) {
      this.#isHurried = true;
    } else if (this.#watches.missing.length) {
      this.#ask();
    }
  }

  /** Ask at once, without the answers of the round that runs: the network or the user is back. */
  renew() {
    this.stop();
    this.hurry();
  }

  stop() {
    this.#timers.clear("ask");
    this.#controller.abort();
    this.#controller = new AbortController();
    this.#isAsking = false;
  }

  // One round at a time, however many tasks get further in the meantime: each asks for all that are missing.
  async #ask() {
    const { signal } = this.#controller;
    this.#isAsking = true;
    do {
      this.#isHurried = false;
      await this.#poller.poll(signal, this.#watches.missing);
    } while (this.#isHurried && !signal.aborted);
    if (!signal.aborted) {
      this.#isAsking = false;
      this.start();
    }
  }
}
return { Seeker };
})();

modules["task-progress-watches.js"] ??= (() => {
// The tasks that a page follows on one connection, each with its followers and its last snapshot.

const { isSame, isTerminal } = modules["task-progress-states.js"];

/** Return the part of a stream's query that is about one task. */
function makeParameters(taskId, { token }) {
  const parameters = new URLSearchParams({ task: taskId });
  if (token) {
    parameters.append("token", token);
  }
  return parameters.toString();
}

class Watches {
  #watches = new Map(); // task id → {taskId, token, logs, parameters, followers, snapshot, isMissing}
  #transport = "connecting";
  #on;

  /** The number of snapshots that were newer than the one before. */
  newCount = 0;

  /**
   * @param {object} on
   * @param {() => void} on.missing - is called when the server has not found a task
   * @param {() => void} on.found - is called when it has found one that was missing
   * @param {() => void} on.news - is called when a task has got to another state
   */
  constructor(on) {
    this.#on = on;
  }

  get isEmpty() {
    return this.#watches.size === 0;
  }

  /** The watches of tasks that are neither terminal nor missing. */
  get live() {
    return [...this.#watches.values()].filter((watch) => !watch.isMissing && !isTerminal(watch.snapshot));
  }

  /** The watches of tasks that the server has not found. */
  get missing() {
    return [...this.#watches.values()].filter((watch) => watch.isMissing);
  }

  has(taskId) {
    return this.#watches.has(taskId);
  }

  /** Add a follower, and show it the last snapshot. A missing task becomes live: there may be a new token. */
  add(taskId, { token, logs }, follower) {
    const watch = this.#watches.get(taskId) ?? { taskId, followers: new Set(), snapshot: null };
    this.#watches.set(taskId, watch);
    watch.followers.add(follower);
    watch.token = token ?? watch.token;
    watch.logs ||= logs;
    watch.parameters = makeParameters(taskId, watch);
    watch.isMissing = false;
    follower.showTransport(this.#transport);
    if (watch.snapshot) {
      follower.showSnapshot(watch.snapshot);
    }
  }

  /** Remove a follower; its task stays until the next `prune()`. */
  remove(taskId, follower) {
    this.#watches.get(taskId)?.followers.delete(follower);
  }

  /** Remove the tasks without followers. */
  prune() {
    this.#watches.forEach(({ followers }, taskId) => followers.size || this.#watches.delete(taskId));
  }

  showSnapshot(snapshot) {
    const watch = this.#watches.get(snapshot.task_id);
    if (!watch || !(watch.isMissing || isNewer(snapshot, watch.snapshot))) {
      return;
    }
    const { isMissing: wasMissing, snapshot: before } = watch;
    this.newCount++;
    watch.snapshot = snapshot;
    watch.isMissing = false;
    watch.followers.forEach((follower) => follower.showSnapshot(snapshot));
    if (wasMissing) {
      this.#on.found();
    } else if (before && before.state !== snapshot.state) {
      this.#on.news();
    }
  }

  showMissing(taskId) {
    const watch = this.#watches.get(taskId);
    if (watch && !watch.isMissing && !isTerminal(watch.snapshot)) {
      watch.isMissing = true;
      watch.followers.forEach((follower) => follower.showMissing());
      this.#on.missing();
    }
  }

  showLines(taskId, offset, lines) {
    this.#watches.get(taskId)?.followers.forEach((follower) => follower.showLines(offset, lines));
  }

  showTransport(transport) {
    if (transport !== this.#transport) {
      this.#transport = transport;
      this.#watches.forEach(({ followers }) => followers.forEach((follower) => follower.showTransport(transport)));
    }
  }
}

// Nothing is newer than the end.
function isNewer(snapshot, known) {
  return !known || (!isTerminal(known) && snapshot.seq >= known.seq && !isSame(snapshot, known));
}
return { makeParameters, Watches };
})();

modules["task-progress-connection.js"] ??= (() => {
// One connection of a page: a stream for its tasks, or polling where no stream gets through.
//
// The server sends whole snapshots, so a new stream needs no history: it is opened beside the old one, which stays until
// the new one has brought its first event.

const { Poller } = modules["task-progress-poller.js"];
const { Seeker } = modules["task-progress-seeker.js"];
const { drawBackoff, Timers } = modules["task-progress-timers.js"];
const { makeParameters, Watches } = modules["task-progress-watches.js"];

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

class Connection {
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
return { Connection };
})();

modules["task-progress-stream.js"] ??= (() => {
// The connections of a page. All components share one stream, or a few where one can't name all their tasks.

const { Connection } = modules["task-progress-connection.js"];
const { followVisibility } = modules["task-progress-timers.js"];

const MAX_STREAMS = 3; // browsers allow six connections to a host, and cancelling needs one; further tasks are polled
const HIDDEN_MS = 15_000; // until a hidden tab gives up its stream: all tabs share the six connections

const connections = new Set();
let isHidden = false;

const page = {
  get isHidden() {
    return isHidden;
  },
  /** Whether this connection is one of those that may have a stream. */
  allowsStream: (connection) => [...connections].filter(({ isLive }) => isLive).indexOf(connection) < MAX_STREAMS,
  remove: (connection) => connections.delete(connection),
};

/**
 * Follow a task, on a connection that is shared by all followers of a base URL.
 *
 * @param {string} base - absolute URL under which the app's endpoints are, with a slash at its end
 * @param {string} taskId
 * @param {{token?: string, logs?: boolean}} options - a signed token, and whether to fetch log lines
 * @param {object} follower
 * @param {(snapshot: object) => void} follower.showSnapshot - is called with each newer snapshot
 * @param {() => void} follower.showMissing - is called if the server does not find the task
 * @param {(offset: number, lines: object[]) => void} follower.showLines - is called with log lines, of which some may have
 *   come before
 * @param {(transport: string) => void} follower.showTransport - is called with "connecting", "stream" or "polling"
 * @returns {() => void} stops following
 */
function follow(base, taskId, options, follower) {
  const connection = findConnection(base, taskId, options) ?? new Connection(base, page);
  connections.add(connection);
  connection.add(taskId, options, follower);
  return () => connection.remove(taskId, follower);
}

function findConnection(base, taskId, options) {
  const candidates = [...connections].filter((connection) => connection.base === base);
  return (
    candidates.find((connection) => connection.has(taskId)) ??
    candidates.find((connection) => connection.hasRoom(taskId, options))
  );
}

function rest() {
  isHidden = true;
  connections.forEach((connection) => connection.rest());
}

function wake() {
  isHidden = false;
  connections.forEach((connection) => connection.wake());
}

followVisibility(HIDDEN_MS, { rest, wake });
addEventListener("online", () => isHidden || connections.forEach((connection) => connection.renew()));
addEventListener("pageshow", () => connections.forEach((connection) => connection.wake()));
addEventListener("pagehide", () => connections.forEach((connection) => connection.freeze()));
return { follow };
})();

modules["task-progress-element.js"] ??= (() => {
// <task-progress task-id="…">: shows how far a task is, and whether it is alive.
//
// Attributes: task-id, src (the path under which the app's URLs are included, "/"), token, label, cancel, logs, compact.
// Events: task-progress:change, :end and :error; they bubble, and their detail is the snapshot.

const { CancelButton } = modules["task-progress-cancel-button.js"];
const { describe, describeName } = modules["task-progress-description.js"];
const { readSnapshot, setText, takeOverProperty } = modules["task-progress-dom.js"];
const { makeLine, makeParts, MARKS, setFacts, setSegments } = modules["task-progress-parts.js"];
const { findBase, findWebUrl, postCancel } = modules["task-progress-requests.js"];
const { findState, isLive, isSame, isTerminal } = modules["task-progress-states.js"];
const { follow } = modules["task-progress-stream.js"];
const { getFormatter, readTexts, texts } = modules["task-progress-texts.js"];
const { setTicking } = modules["task-progress-timers.js"];

const MAX_LINES = 200;
const CUT_OFF_MS = 3000; // without a connection, until the component says so

class TaskProgressElement extends HTMLElement {
  /** The texts of all components; a page may assign to its members. */
  static texts = texts;
  static observedAttributes = ["task-id", "src", "token", "label", "cancel", "logs", "lang", "data-state"];

  #internals = this.attachInternals();
  #snapshot = null;
  #receivedAt = 0;
  #isMissing = false;
  #announced = "";
  #lineCount = 0;
  #isCutOff = false;
  #cutOffTimer;
  #unfollow = null;
  #parts = null;
  #button = null;

  /** The last snapshot, or null. */
  get snapshot() {
    return this.#snapshot;
  }

  /** The state of the task, or "connecting", "stalled" or "missing". */
  get state() {
    return findState(this.#snapshot, this.#isMissing || !this.getAttribute("task-id"));
  }

  /** Whether a button to cancel the task is shown; frameworks set the attribute by this property. */
  get cancel() {
    return this.hasAttribute("cancel");
  }

  set cancel(value) {
    this.toggleAttribute("cancel", value === "" || Boolean(value));
  }

  /** Ask the server to cancel the task, without asking the user. */
  requestCancel() {
    return this.#button.send();
  }

  /** Show the last snapshot as of now. */
  render() {
    const { state } = this;
    const { percent, status, facts } = this.#describe();
    this.#setState(state);
    this.#renderTexts(percent, status, facts);
    this.#renderIcon(state);
    this.#renderBar([percent, status].filter(Boolean).join(", "));
    this.#renderButton();
    this.#renderLink();
    this.#renderLog();
    this.#announce(status);
    setTicking(this, this.#isLive && this.isConnected && (this.#snapshot.eta !== null || state === "stalled"));
  }

  connectedCallback() {
    takeOverProperty(this, "cancel");
    this.#parts ??= makeParts(this.attachShadow({ mode: "open" }));
    this.#button ??= new CancelButton(this.#parts, {
      send: () => postCancel(this.#base, this.getAttribute("task-id")),
      render: () => this.render(),
      answer: () => this.#problem && this.#dispatch("error", this.#problem),
      moveFocus: () => this.#parts.card.focus(),
    });
    readTexts();
    this.#follow();
  }

  disconnectedCallback() {
    this.#unfollow?.();
    this.#unfollow = null;
    clearTimeout(this.#cutOffTimer);
    setTicking(this, false);
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#unfollow || before === after || (name === "data-state" && after === this.state)) {
      return;
    }
    if (name === "task-id") {
      this.#reset();
    }
    if (["task-id", "src", "token", "logs"].includes(name)) {
      this.#follow();
    } else {
      this.render();
    }
  }

  get #isLive() {
    return isLive(this.#snapshot, this.#isMissing);
  }

  get #problem() {
    return this.#isLive ? this.#button.problem : "";
  }

  get #base() {
    return findBase(this.getAttribute("src") ?? "/");
  }

  get #format() {
    return getFormatter(this.closest("[lang]")?.lang);
  }

  #reset() {
    this.#snapshot = null;
    this.#isMissing = false;
    this.#announced = "";
    this.#button.reset();
    this.#lineCount = 0;
    this.#parts.log.replaceChildren();
  }

  #follow() {
    this.#unfollow?.();
    this.#unfollow = () => {};
    const taskId = this.getAttribute("task-id");
    this.#takeFromPage(taskId);
    const options = { token: this.getAttribute("token"), logs: this.hasAttribute("logs") };
    if (taskId && (options.logs || !isTerminal(this.#snapshot))) {
      this.#unfollow = follow(this.#base, taskId, options, {
        showSnapshot: (snapshot) => this.#showSnapshot(snapshot),
        showMissing: () => this.#showMissing(),
        showLines: (offset, lines) => this.#showLines(offset, lines),
        showTransport: (transport) => this.#showTransport(transport),
      });
    }
    this.render();
  }

  // A snapshot that came with the page fires no event: a page that reloads itself at the end of its task would not stop.
  #takeFromPage(taskId) {
    const snapshot = this.#snapshot ? null : readSnapshot(this);
    if (snapshot?.task_id === taskId) {
      this.#take(snapshot);
    }
  }

  #take(snapshot) {
    this.#snapshot = snapshot;
    this.#receivedAt = Date.now();
    this.#isMissing = false;
  }

  #showSnapshot(snapshot) {
    if (isSame(snapshot, this.#snapshot) && !this.#isMissing) {
      return;
    }
    this.#take(snapshot);
    this.render();
    this.#dispatch("change");
    if (isTerminal(snapshot)) {
      this.#dispatch("end");
    }
  }

  #showMissing() {
    this.#isMissing = true;
    this.render();
    this.#dispatch("error", texts.missing);
  }

  // The lines of a new stream begin with some that an older stream has brought.
  #showLines(offset, lines) {
    const { log } = this.#parts;
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    const added = lines.slice(Math.max(this.#lineCount - offset, 0)).slice(-MAX_LINES);
    this.#lineCount = Math.max(this.#lineCount, offset + lines.length);
    log.append(...added.map((line) => makeLine({ ...line, time: this.#format.time(line.t) })));
    while (log.childElementCount > MAX_LINES) {
      log.firstChild.remove();
    }
    if (isAtEnd) {
      log.scrollTop = log.scrollHeight;
    }
  }

  #showTransport(transport) {
    this.setAttribute("data-transport", transport);
    clearTimeout(this.#cutOffTimer);
    if (transport === "connecting") {
      this.#cutOffTimer = setTimeout(() => this.#setCutOff(true), CUT_OFF_MS);
    } else if (this.#isCutOff) {
      this.#setCutOff(false);
    }
  }

  #setCutOff(isCutOff) {
    this.#isCutOff = isCutOff;
    this.render();
  }

  #dispatch(name, message) {
    const event = new CustomEvent(`task-progress:${name}`, { bubbles: true, composed: true, detail: this.#snapshot });
    this.dispatchEvent(Object.assign(event, { message }));
  }

  #describe() {
    if (!this.#snapshot) {
      return { percent: "", status: this.getAttribute("task-id") ? texts[this.state] : texts.noTask, facts: {} };
    }
    const now = Date.now();
    const elapsed = (now - this.#receivedAt) / 1000;
    const circumstances = { now, elapsed, isMine: this.#button.isSent, isCutOff: this.#isCutOff };
    return describe(this.#snapshot, this.state, circumstances, this.#format);
  }

  // Styles go by the state alone: who morphs the page takes away the attribute, which is a mirror for the page.
  #setState(state) {
    const { states } = this.#internals;
    if (!states.has(state)) {
      states.clear();
      states.add(state);
    }
    this.setAttribute("data-state", state);
  }

  #renderTexts(percent, status, facts) {
    const { name, percent: figure, status: sentence, meta, problem } = this.#parts;
    const label = this.getAttribute("label") || describeName(this.#snapshot);
    setText(name, label, label);
    setText(figure, percent);
    setText(sentence, status, status);
    setText(problem, this.#problem);
    problem.hidden = !this.#problem;
    setFacts(meta, facts);
  }

  #renderIcon(state) {
    const { icon, mark } = this.#parts;
    icon.setAttribute("aria-label", texts[state]);
    mark.setAttribute("d", MARKS[state] ?? "");
  }

  #renderBar(text) {
    const { progress = 0, percent = 0, stages = [] } = this.#snapshot ?? {};
    const { bar } = this.#parts;
    const whole = this.#isLive ? percent : progress;
    setSegments(bar, stages.length ? stages : [{ weight: 1, progress: whole }]);
    if (this.state === "running" && percent === null) {
      bar.removeAttribute("aria-valuenow"); // the total is unknown
    } else {
      bar.setAttribute("aria-valuenow", progress);
    }
    bar.setAttribute("aria-valuetext", text);
  }

  #renderButton() {
    const isRequested = Boolean(this.#snapshot?.cancel_requested);
    this.#button.render({ isLive: this.#isLive, isOffered: this.hasAttribute("cancel"), isRequested });
  }

  #renderLink() {
    const { link } = this.#parts;
    link.href = findWebUrl(this.state === "succeeded" && this.#snapshot.result?.url);
    link.hidden = !link.getAttribute("href");
    setText(link, texts.result);
  }

  #renderLog() {
    const { log } = this.#parts;
    log.hidden = !this.hasAttribute("logs");
    log.setAttribute("aria-label", texts.log);
    log.dataset.empty = texts.noLines;
  }

  // Each state, and each ten percent, is announced once.
  #announce(status) {
    const { progress = 0, percent = null } = this.#snapshot ?? {};
    const tens = this.state === "running" && percent !== null ? Math.floor(progress / 10) * 10 : 0;
    const key = `${this.state} ${tens} ${this.#problem}`;
    if (this.#snapshot && key !== this.#announced) {
      this.#announced = key;
      const news = this.#problem || (tens ? this.#format.percent(tens) : status);
      setText(this.#parts.spoken, `${this.#parts.name.textContent}: ${news}`);
    }
  }
}
return { TaskProgressElement };
})();

modules["task-progress-definition.js"] ??= (() => {
// Defines <task-progress> in a page: <script type="module" src="…/task-progress-define.js"></script>
const { TaskProgressElement } = modules["task-progress-element.js"];

// A page may hold the scripts of two releases, where one of them comes out of a cache.
if (!customElements.get("task-progress")) {
  customElements.define("task-progress", TaskProgressElement);
}
return {};
})();

modules["monitor/chart.js"] ??= (() => {
// The chart of the monitor: for each minute a bar of the tasks that ran in it, divided by how they ended.

const { draw, make } = modules["task-progress-dom.js"];
const { say } = modules["task-progress-texts.js"];

const ENDS = ["succeeded", "cancelled", "failed"]; // the server counts lost tasks among the failed ones
const SERIES = ["running", ...ENDS]; // from the bottom
const MIN_PEAK = 4; // tasks; a single one does not fill the chart
const MIN_SHARE = 0.07; // of the height: failed tasks stay visible beside hundreds of others

class Chart {
  #format;
  #svg = draw("svg", { width: "100%", height: "100%" });
  #bars = [];
  #axis = [make("time"), make("time")];
  #drawn = "";

  /** @param {HTMLElement} container */
  constructor(container, format) {
    this.#format = format;
    container.append(this.#svg, make("div", { class: "axis", "aria-hidden": "true" }, ...this.#axis));
  }

  /** Show the server's counts of the last minutes. */
  update(chart) {
    const data = JSON.stringify(chart);
    if (data !== this.#drawn) {
      this.#drawn = data;
      this.#render(chart);
    }
  }

  #render(chart) {
    const minutes = split(chart);
    const peak = Math.max(MIN_PEAK, ...minutes.map(({ total }) => total));
    while (this.#bars.length < minutes.length) {
      this.#bars.push(this.#addBar(this.#bars.length, minutes.length));
    }
    minutes.forEach((minute, index) => this.#renderBar(this.#bars[index], minute, peak));
    this.#svg.setAttribute("role", "img");
    this.#svg.setAttribute("aria-label", say("chart", this.#formatCounts(summarize(chart))));
    this.#renderAxis(minutes[0].start, minutes.at(-1).start);
  }

  #addBar(index, count) {
    const [x, width] = [`${(100 * index) / count}%`, `${100 / count}%`];
    const title = draw("title");
    const whole = draw("rect", { class: "minute", x, y: 0, width, height: "100%" });
    const parts = SERIES.map((name) => draw("rect", { class: `part ${name}`, x, width, rx: 1.5 }));
    this.#svg.append(draw("g", {}, title, whole, ...parts));
    return { title, parts };
  }

  #renderBar({ title, parts }, { start, counts, values }, peak) {
    let top = 1;
    SERIES.forEach((name, index) => {
      const share = counts[name] && Math.max(counts[name] / peak, name === "failed" ? MIN_SHARE : 0);
      top = Math.max(top - share, 0);
      parts[index].setAttribute("y", `${100 * top}%`);
      parts[index].setAttribute("height", `${100 * share}%`);
    });
    title.textContent = say("minute", { time: this.#formatTime(start), ...this.#formatCounts(values) });
  }

  #renderAxis(...times) {
    times.forEach((time, index) => {
      this.#axis[index].dateTime = time.toISOString();
      this.#axis[index].textContent = this.#formatTime(time);
    });
  }

  #formatCounts(counts) {
    return Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, this.#format.number(n)]));
  }

  #formatTime(time) {
    return this.#format.date(time, { timeStyle: "short" });
  }
}

// A task that ended in a minute also ran in it, unless it was cancelled before it began.
function split(chart) {
  const end = Date.parse(chart.until);
  return chart.running.map((running, index) => {
    const values = Object.fromEntries(SERIES.map((name) => [name, chart[name][index]]));
    const ended = ENDS.reduce((sum, name) => sum + values[name], 0);
    const counts = { ...values, running: Math.max(running - ended, 0) };
    const start = new Date(end - (chart.running.length - index) * chart.step * 1000);
    return { start, values, counts, total: Math.max(running, ended) };
  });
}

function summarize(chart) {
  const sums = SERIES.map((name) => [name, chart[name].reduce((sum, n) => sum + n, 0)]);
  return { ...Object.fromEntries(sums), peak: Math.max(0, ...chart.running) };
}
return { Chart };
})();

modules["monitor/dom.js"] ??= (() => {
// Elements of the monitor's pages: markup that stands in the page as a <template>, and the texts of those pages.

const { setText } = modules["task-progress-dom.js"];
const { readTexts, texts } = modules["task-progress-texts.js"];

/** Take over the texts of the page, those of the component and those of the monitor. */
function readPageTexts() {
  readTexts();
  for (const { value, textContent } of document.getElementById("monitor-texts").content.querySelectorAll("data")) {
    texts[value] = textContent;
  }
}

/** Return the name of a state, as it stands in a list. */
function nameState(state) {
  return texts[`state-${state}`] ?? texts[state];
}

/** Return a copy of the markup in a <template>. */
function stamp(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Return the elements inside another one that have a `data-part`, by its value. */
function findParts(element) {
  return Object.fromEntries([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

/** Show a time in a <time> element: the whole of it, or a short form that has the whole as its title. */
function setTime(element, time, format, { isShort = false, now = 0 } = {}) {
  const whole = time ? format.date(time, { dateStyle: "medium", timeStyle: "medium" }) : "";
  element.dateTime = time ?? "";
  setText(element, isShort && time ? shorten(time, format, now) : whole, isShort ? whole : "");
}

/** Whether a click means this page, and not a new tab or window. */
function isPlainClick(event) {
  return event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
}

// Times of today need no date.
function shorten(time, format, now) {
  const isToday = new Date(time).toDateString() === new Date(now).toDateString();
  return format.date(time, isToday ? { timeStyle: "short" } : { month: "short", day: "numeric" });
}
return { readPageTexts, nameState, stamp, findParts, setTime, isPlainClick };
})();

modules["monitor/feed.js"] ??= (() => {
// The data of the monitor's list: polled while its page is visible.

const { fetchJson } = modules["task-progress-requests.js"];
const { drawBackoff } = modules["task-progress-timers.js"];

const POLL_MS = 2000;
const TIMEOUT_MS = 15_000;
const MIN_SKEW_MS = 5000; // the Date header counts whole seconds, and an answer takes its time
const REFUSALS = [400, 401, 403, 404];
const NETWORK_ERRORS = ["AbortError", "SyntaxError", "TimeoutError", "TypeError"]; // no answer, or one that is not JSON

class Feed {
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
return { Feed };
})();

modules["monitor/filters.js"] ??= (() => {
// The filters of the monitor's list. They stand in the page's address, so that users can keep it, send it and go back.

const { make, setText } = modules["task-progress-dom.js"];
const { describeName } = modules["task-progress-description.js"];
const { isPlainClick } = modules["monitor/dom.js"];

const TYPING_MS = 250;

/** Return the query of the address, without empty values. */
function readQuery() {
  return new URLSearchParams([...new URLSearchParams(location.search)].filter(([, value]) => value));
}

/** Return the address of a query. */
function makeAddress(query) {
  return query.size ? `?${query}` : location.pathname;
}

/** Return a query with other values, of which empty ones are left out; it begins on the first page. */
function changeQuery(query, values) {
  const changed = new URLSearchParams(query);
  changed.delete("page");
  for (const [name, value] of Object.entries(values)) {
    value ? changed.set(name, value) : changed.delete(name);
  }
  return changed;
}

class Filters {
  #select;
  #format;
  #chips;
  #name = document.getElementById("name");
  #search = document.getElementById("search");
  #query = new URLSearchParams();
  #names = [];
  #timer;

  /**
   * @param {HTMLFormElement} form
   * @param {(query: URLSearchParams, isTyped: boolean) => void} select - is called when the user selects other tasks
   * @param {Formatter} format
   */
  constructor(form, select, format) {
    this.#select = select;
    this.#format = format;
    this.#chips = [...form.querySelectorAll(".chip")];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#applySearch();
    });
    form.addEventListener("click", (event) => this.#applyChip(event));
    this.#name.addEventListener("change", () => this.#apply({ task: this.#name.value }));
    this.#name.addEventListener("blur", () => this.#renderNames());
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#applySearch(), TYPING_MS);
    });
  }

  /** Show the filters of a query. */
  show(query) {
    clearTimeout(this.#timer);
    this.#query = query;
    this.#renderChips();
    this.#renderSearch();
    this.#renderNames();
  }

  /** Show how many tasks are in each state, and which names there are. */
  update(counts, names) {
    for (const chip of this.#chips) {
      const count = counts[chip.dataset.state || "all"];
      setText(chip.querySelector(".count"), this.#format.number(count));
      chip.classList.toggle("none", !count);
    }
    this.#names = names;
    this.#renderNames();
  }

  #applyChip(event) {
    const chip = event.target.closest(".chip");
    if (chip && isPlainClick(event)) {
      event.preventDefault();
      this.#apply({ state: chip.dataset.state });
    }
  }

  #applySearch() {
    clearTimeout(this.#timer);
    this.#apply({}, true);
  }

  // The search is applied along with any other filter, even before the user pauses to type.
  #apply(values, isTyped = false) {
    const query = changeQuery(this.#query, { q: this.#search.value.trim(), ...values });
    if (String(query) !== String(this.#query)) {
      this.#select(query, isTyped);
    }
  }

  #renderChips() {
    const states = this.#query.getAll("state");
    for (const chip of this.#chips) {
      const { state } = chip.dataset;
      chip.href = makeAddress(changeQuery(this.#query, { state }));
      const isCurrent = state ? states.includes(state) : !states.length;
      isCurrent ? chip.setAttribute("aria-current", "true") : chip.removeAttribute("aria-current");
    }
  }

  #renderSearch() {
    const text = this.#query.get("q") ?? "";
    if (this.#search.value.trim() !== text) {
      this.#search.value = text;
    }
  }

  // The options stay as they are while the list has the focus: it would close if it is open.
  #renderNames() {
    const selected = this.#query.get("task") ?? "";
    const names = [...new Set([...this.#names, ...(selected ? [selected] : [])])];
    const known = [...this.#name.options].slice(1).map((option) => option.value);
    if (document.activeElement !== this.#name && names.join("\n") !== known.join("\n")) {
      this.#name.replaceChildren(this.#name.options[0], ...makeOptions(names));
    }
    this.#name.value = selected;
  }
}

// Tasks that share a label are told apart by their full names.
function makeOptions(names) {
  const labels = names.map((task) => describeName({ task }));
  const isShared = (label) => labels.indexOf(label) !== labels.lastIndexOf(label);
  return names.map((task, index) => make("option", { value: task }, isShared(labels[index]) ? task : labels[index]));
}
return { readQuery, makeAddress, changeQuery, Filters };
})();

modules["monitor/description.js"] ??= (() => {
// The texts that a row of the monitor shows of a snapshot. Pure: no element, no clock.

const { describe, describeDuration, describeReason } = modules["task-progress-description.js"];
const { SERVER_TEXTS, texts } = modules["task-progress-texts.js"];

/**
 * Return the texts of a row: `percent`, `status`, `whole` (everything that is known) and `took`.
 *
 * @param {object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {object} circumstances - as `describe` takes them
 * @param {number} serverNow - the server's time in milliseconds
 * @param {Formatter} format
 */
function describeRow(snapshot, state, circumstances, serverNow, format) {
  const described = describe(snapshot, state, circumstances, format);
  const status = describeStatus(snapshot, state, described, circumstances);
  return {
    percent: isIndeterminate(snapshot, state) ? "" : format.percent(snapshot.progress),
    status: join([status, described.facts.step, described.facts.left]),
    whole: join([status, ...Object.values(described.facts)]),
    took: describeDuration(snapshot, serverNow, format),
  };
}

/** Whether a task runs without a known total. */
function isIndeterminate({ percent }, state) {
  return state === "running" && percent === null;
}

// The state has a column of its own, so the status does not repeat it.
function describeStatus(snapshot, state, { percent, status }, { isMine }) {
  switch (state) {
    case "queued":
      return percent || status;
    case "failed":
      return describeReason(snapshot) ?? texts.failed;
    case "cancelled":
      return isMine || snapshot.status === SERVER_TEXTS.cancelled ? status : snapshot.status;
    default:
      return status;
  }
}

function join(texts) {
  return texts.filter(Boolean).join(" · ");
}
return { describeRow, isIndeterminate };
})();

modules["monitor/row.js"] ??= (() => {
// One row of the monitor's list. It is changed in place, so that nothing flickers and the focus stays.

const { CancelButton } = modules["task-progress-cancel-button.js"];
const { describeName } = modules["task-progress-description.js"];
const { setText } = modules["task-progress-dom.js"];
const { makeTaskUrl, postCancel } = modules["task-progress-requests.js"];
const { findState, isLive, isTerminal } = modules["task-progress-states.js"];
const { follow } = modules["task-progress-stream.js"];
const { say, texts } = modules["task-progress-texts.js"];
const { describeRow, isIndeterminate } = modules["monitor/description.js"];
const { findParts, nameState, setTime, stamp } = modules["monitor/dom.js"];

class Row {
  #page;
  #parts;
  #snapshot = null;
  #receivedAt = 0;
  #isStreamed = false; // whether the stream has brought a snapshot
  #isMissing = false;
  #mayCancel = false;
  #button;
  #unfollow = null;

  /**
   * @param {object} page
   * @param {string} page.base - absolute URL under which the app's endpoints are, with a slash at its end
   * @param {Formatter} page.format
   * @param {() => number} page.getServerNow - returns the server's time in milliseconds
   * @param {(text: string) => void} page.speak - announces a text
   * @param {() => void} page.settle - is called when the question has been asked or answered
   */
  constructor(page) {
    this.#page = page;
    this.element = stamp("row");
    this.#parts = findParts(this.element);
    this.#button = new CancelButton(this.#parts, {
      send: () => postCancel(page.base, this.#snapshot.task_id),
      render: () => {
        this.render();
        page.settle();
      },
      answer: () => this.#speak(this.#problem || texts.cancelling),
      moveFocus: () => this.#parts.name.focus(),
    });
  }

  /** Whether the user is asked about cancelling the task. */
  get isAsking() {
    return this.#button.isAsking;
  }

  get isLive() {
    return isLive(this.#snapshot, this.#isMissing);
  }

  get state() {
    return findState(this.#snapshot, this.#isMissing);
  }

  /** Take over a record of the list, unless the stream has brought the same snapshot or a newer one. */
  take({ owner, may_cancel: mayCancel, ...snapshot }) {
    this.#mayCancel = mayCancel;
    const known = this.#snapshot;
    if (!known || snapshot.seq > known.seq || (snapshot.seq === known.seq && !this.#isStreamed)) {
      this.#accept(snapshot);
    }
    setText(this.#parts.name, this.#name, snapshot.task);
    this.#parts.name.href = `${makeTaskUrl(this.#page.base, snapshot.task_id)}/monitor`;
    setText(this.#parts.owner, owner?.name ?? "", owner?.name ?? "");
    this.render();
    this.follow();
  }

  remove() {
    this.unfollow();
    this.element.remove();
  }

  /** Follow the task. It stays on the stream after its end: a stream with fewer tasks would be another one. */
  follow() {
    if (!this.#unfollow && this.isLive) {
      this.#unfollow = follow(this.#page.base, this.#snapshot.task_id, {}, {
        showSnapshot: (snapshot) => this.#showSnapshot(snapshot),
        showMissing: () => this.#showMissing(),
        showLines: () => {},
        showTransport: () => {},
      });
    }
  }

  unfollow() {
    this.#unfollow?.();
    this.#unfollow = null;
    this.#isStreamed = false;
  }

  /** Show the last snapshot as of now. */
  render() {
    this.element.dataset.state = this.state;
    this.#renderTexts();
    this.#renderBar();
    this.#renderButton();
  }

  #accept(snapshot) {
    this.#snapshot = snapshot;
    this.#receivedAt = Date.now();
    this.#isMissing = false;
  }

  #showSnapshot(snapshot) {
    this.#isStreamed = true;
    if (snapshot.seq >= this.#snapshot.seq) {
      this.#accept(snapshot);
      this.render();
      if (this.#button.isSent && isTerminal(snapshot)) {
        this.#speak(nameState(this.state));
      }
    }
  }

  #showMissing() {
    this.#isMissing = true;
    this.render();
  }

  #speak(text) {
    this.#page.speak(`${this.#name}: ${text}`);
  }

  get #name() {
    return describeName(this.#snapshot);
  }

  get #problem() {
    return this.isLive ? this.#button.problem : "";
  }

  #renderTexts() {
    const { format, getServerNow } = this.#page;
    const parts = this.#parts;
    const now = Date.now();
    const elapsed = (now - this.#receivedAt) / 1000;
    const circumstances = { now, elapsed, isMine: this.#button.isSent, isCutOff: false };
    const { percent, status, whole, took } = describeRow(this.#snapshot, this.state, circumstances, getServerNow(), format);
    setText(parts.state, nameState(this.state));
    setText(parts.percent, percent);
    setText(parts.status, this.#problem || status, this.#problem || whole);
    parts.status.classList.toggle("problem", Boolean(this.#problem));
    setText(parts.took, took);
    setTime(parts.started, this.#snapshot.started_at, format, { isShort: true, now });
  }

  #renderBar() {
    const { fill } = this.#parts;
    const isUnknown = isIndeterminate(this.#snapshot, this.state);
    fill.classList.toggle("sweeping", isUnknown);
    fill.style.inlineSize = isUnknown ? "" : `${this.#snapshot.progress}%`;
  }

  #renderButton() {
    const { cancel } = this.#parts;
    const isRequested = this.#snapshot.cancel_requested;
    this.#button.render({ isLive: this.isLive, isOffered: this.#mayCancel, isRequested });
    const isOver = cancel.getAttribute("aria-disabled") === "true";
    cancel.setAttribute("aria-label", isOver ? texts.cancelling : say("cancelNamed", { name: this.#name }));
  }
}
return { Row };
})();

modules["monitor/table.js"] ??= (() => {
// The table of the monitor's list: a row for each task, by its id.

const { isPlainClick } = modules["monitor/dom.js"];
const { Row } = modules["monitor/row.js"];

class Table {
  #list;
  #body;
  #page;
  #rows = new Map();
  #held = null; // records that came while a question was open

  /**
   * @param {HTMLElement} list - gets the focus of a row that is removed
   * @param {HTMLElement} body - holds the rows
   * @param {{base: string, format: Formatter, getServerNow: () => number, speak: (text: string) => void}} page
   */
  constructor(list, body, page) {
    this.#list = list;
    this.#body = body;
    this.#page = { ...page, settle: () => this.#settle() };
    body.addEventListener("click", openRow);
  }

  /** Show these tasks, the first on top. While a question is open no row moves, unless the user has selected others. */
  update(records, isSelected) {
    if (this.#isAsking && !isSelected) {
      this.#held = records;
      records.forEach((record) => this.#rows.get(record.task_id)?.take(record));
    } else {
      this.#arrange(records);
    }
  }

  clear() {
    this.#arrange([]);
  }

  /** Follow no task until `wake()`. */
  rest() {
    this.#rows.forEach((row) => row.unfollow());
  }

  wake() {
    this.#rows.forEach((row) => row.follow());
  }

  /** Update texts that change with time alone. */
  tick() {
    this.#rows.forEach((row) => row.isLive && row.render());
  }

  get #isAsking() {
    return [...this.#rows.values()].some((row) => row.isAsking);
  }

  #settle() {
    if (this.#held && !this.#isAsking) {
      this.#arrange(this.#held);
    }
  }

  #arrange(records) {
    this.#held = null;
    this.#removeOthers(new Set(records.map((record) => record.task_id)));
    let place = this.#body.firstElementChild;
    for (const record of records) {
      const row = this.#rows.get(record.task_id) ?? new Row(this.#page);
      this.#rows.set(record.task_id, row);
      row.take(record);
      if (row.element === place) {
        place = place.nextElementSibling;
      } else {
        this.#body.insertBefore(row.element, place);
      }
    }
  }

  #removeOthers(taskIds) {
    for (const [taskId, row] of this.#rows) {
      if (!taskIds.has(taskId)) {
        if (row.element.contains(document.activeElement)) {
          this.#list.focus({ preventScroll: true }); // the focus would be lost
        }
        row.remove();
        this.#rows.delete(taskId);
      }
    }
  }
}

// A click on a row opens its task, unless it was for a button or link in it, or ends a selection of text.
function openRow(event) {
  const isForRow = isPlainClick(event) && !event.target.closest("a, button, .confirmation") && !String(getSelection());
  if (isForRow) {
    event.target.closest("tr").querySelector("a").click();
  }
}
return { Table };
})();

modules["monitor/list-page.js"] ??= (() => {
// The monitor's list: its data is polled, and the tasks in it are followed on one stream.

const { setText } = modules["task-progress-dom.js"];
const { getFormatter, say, texts } = modules["task-progress-texts.js"];
const { followVisibility } = modules["task-progress-timers.js"];
const { Chart } = modules["monitor/chart.js"];
const { isPlainClick, readPageTexts } = modules["monitor/dom.js"];
const { Feed } = modules["monitor/feed.js"];
const { changeQuery, Filters, makeAddress, readQuery } = modules["monitor/filters.js"];
const { Table } = modules["monitor/table.js"];

const STALE_AFTER = 2; // failures in a row
const HIDDEN_MS = 10_000; // until a hidden page stops following its tasks
const VIEWS_WITHOUT_DATA = ["loading", "unreachable", "expired", "invalid"];

const find = (id) => document.getElementById(id);
const main = find("monitor");
const notices = [...main.querySelectorAll("[data-notice]")];

readPageTexts();
const format = getFormatter();
const base = new URL(".", new URL(main.dataset.stream, document.baseURI)).href;
const on = { data: showData, answer: showAnswer, failure: showFailure, refusal: showRefusal };
const feed = new Feed(`${base}tasks/monitor/data`, on);
const table = new Table(find("list"), find("rows"), { base, format, speak, getServerNow: () => feed.getServerNow() });
const chart = new Chart(find("chart"), format);
const filters = new Filters(find("filters"), select, format);

let query = readQuery();
let isSelected = false; // whether the next data answers a selection of the user
let alarms = {}; // the counts that are announced when they grow

main.addEventListener("click", (event) => {
  const link = event.target.closest("[data-action], #previous, #next");
  if (link?.dataset.action === "retry") {
    feed.retry();
  } else if (link && isPlainClick(event)) {
    event.preventDefault();
    openLink(link);
  }
});
addEventListener("popstate", () => {
  query = readQuery();
  isSelected = true;
  load();
});
followVisibility(HIDDEN_MS, { rest: () => table.rest(), wake: () => table.wake() });
setInterval(() => document.hidden || table.tick(), 1000);
load();

function load() {
  filters.show(query);
  find("list").setAttribute("aria-busy", "true");
  feed.select(query);
}

// The user can go back to each selection, but not to each letter of a search.
function select(selected, isTyped = false) {
  query = selected;
  isSelected = true;
  history[isTyped ? "replaceState" : "pushState"](null, "", makeAddress(query));
  load();
}

function openLink(link) {
  if (link.hasAttribute("href")) {
    select(new URLSearchParams(new URL(link.href).search));
    find("list").scrollIntoView({ block: "nearest" });
  }
}

function showData(data) {
  correctPage(data.page);
  showFigures(data);
  chart.update(data.chart);
  filters.update(data.counts, data.names);
  table.update(data.rows, isSelected);
  showPager(data);
  showView(data.total ? "list" : data.counts.all ? "unmatched" : "empty");
  announce(data);
  isSelected = false;
}

function showAnswer() {
  find("list").removeAttribute("aria-busy");
  find("stale").hidden = true;
  showSignal("live");
}

function showFailure(failures) {
  showSignal("reconnecting");
  if (VIEWS_WITHOUT_DATA.includes(main.dataset.view)) {
    showView("unreachable");
  } else {
    find("stale").hidden = failures < STALE_AFTER;
  }
}

function showRefusal(status, detail) {
  find("list").removeAttribute("aria-busy");
  find("stale").hidden = true;
  find("pager").hidden = true;
  table.clear();
  if (status === 400) {
    showSignal("live");
    setText(find("problem"), detail);
    showView("invalid");
  } else {
    showSignal("expired");
    find("login").href = location.href; // the server leads from there to the login
    showView("expired");
  }
}

// The server shows the last page where the one in the address is beyond it.
function correctPage(page) {
  if (query.has("page") && query.get("page") !== String(page)) {
    query.set("page", page);
    history.replaceState(null, "", makeAddress(query));
  }
}

function showFigures(data) {
  for (const card of main.querySelectorAll("[data-figure]")) {
    const { figure } = card.dataset;
    const value = figure in data ? data[figure] : data.counts[figure];
    setText(card.querySelector("dd"), format.number(value));
    card.classList.toggle("none", !value);
  }
}

function showView(view) {
  main.dataset.view = view;
  find("table").hidden = view !== "list";
  notices.forEach((notice) => (notice.hidden = notice.dataset.notice !== view));
}

function showSignal(signal) {
  const { dataset } = main.querySelector("[data-signal]");
  const before = dataset.signal;
  if (signal !== before) {
    dataset.signal = signal;
    setText(find("signal"), texts[signal]);
    if (before !== "connecting") {
      speak(texts[signal]);
    }
  }
}

function showPager({ page, pages, page_size: size, total, rows }) {
  const first = (page - 1) * size + 1;
  const values = { first, last: first + rows.length - 1, total };
  const shown = Object.entries(values).map(([name, value]) => [name, format.number(value)]);
  setText(find("range"), rows.length ? say("range", Object.fromEntries(shown)) : "");
  find("pager").hidden = total === 0;
  setPage(find("previous"), page - 1, pages);
  setPage(find("next"), page + 1, pages);
}

// A link to no page keeps its place and the focus.
function setPage(link, page, pages) {
  link.parentElement.hidden = pages <= 1;
  if (page < 1 || page > pages) {
    link.removeAttribute("href");
    link.setAttribute("role", "link");
    link.setAttribute("aria-disabled", "true");
    link.tabIndex = 0;
  } else {
    link.href = makeAddress(changeQuery(query, { page: page > 1 ? String(page) : "" }));
    ["role", "aria-disabled", "tabindex"].forEach((name) => link.removeAttribute(name));
  }
}

// Announces the result of a selection, and counts that call for attention; not each change.
function announce({ total, counts, failed_last_hour: failures }) {
  const now = { failures, stalls: counts.stalled };
  const grown = Object.keys(now).filter((name) => now[name] > (alarms[name] ?? Infinity));
  alarms = now;
  const news = grown.map((name) => say(name, { n: format.number(now[name]) }));
  if (isSelected) {
    news.unshift(say("found", { total: format.number(total) }));
  }
  if (news.length) {
    speak(news.join(". "));
  }
}

function speak(text) {
  find("spoken").textContent = text;
}
return {};
})();
