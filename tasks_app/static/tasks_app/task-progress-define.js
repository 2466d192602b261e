// Built by `python -m tests.support.bundles` out of the modules beside it: change those, not this.
const modules = (globalThis[Symbol.for("tasks_app 347d620ecd4c")] ??= {});

modules["task-progress-states.js"] ??= (() => {
// The states of a task. They are those of `State` in Python; a test compares the two.

/** The states of a task that waits or runs. */
const LIVE = new Set(["queued", "running"]);

/** The states of a task that has ended. */
const TERMINAL = new Set(["succeeded", "failed", "cancelled", "lost"]);

/** Whether a value is a snapshot, as far as a page must rely on it. */
function isSnapshot(value) {
  return (LIVE.has(value?.state) || TERMINAL.has(value?.state)) && Array.isArray(value.stages);
}

/** Whether the task of a snapshot has ended. */
function isTerminal(snapshot) {
  return TERMINAL.has(snapshot?.state);
}

/** Whether a task may still change: it waits or runs, and the server finds it. */
function isLive(snapshot, isMissing) {
  return LIVE.has(snapshot?.state) && !isMissing;
}

/** Return the state that a page shows: that of the snapshot, or "connecting", "reconnecting", "stalled" or "missing". */
function findState(snapshot, isMissing, isCutOff = false) {
  if (isMissing) {
    return "missing";
  }
  if (isCutOff && !isTerminal(snapshot)) {
    return "reconnecting";
  }
  return snapshot?.stalled ? "stalled" : (snapshot?.state ?? "connecting");
}

/** Whether two snapshots of a task say the same. A change of `stalled` does not change `seq`. */
function isSame(snapshot, other) {
  return ["seq", "state", "stalled"].every((name) => snapshot?.[name] === other?.[name]);
}
return { LIVE, TERMINAL, isSnapshot, isTerminal, isLive, findState, isSame };
})();

modules["task-progress-dom.js"] ??= (() => {
// Elements, made and changed without innerHTML or inline styles: the strictest Content-Security-Policy, with
// Trusted Types, allows them, and a text from the server stays text.

const { isSnapshot } = modules["task-progress-states.js"];

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

/** Set an attribute of an element; without a value, remove it. What is so already costs no layout. */
function setAttribute(element, name, value) {
  if (value === null) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

/** Set attributes, of which null takes one away. */
function setAttributes(element, attributes) {
  Object.entries(attributes).forEach(([name, value]) => setAttribute(element, name, value));
}

/** Show or hide an element. */
function setHidden(element, isHidden) {
  if (element.hidden !== isHidden) {
    element.hidden = isHidden;
  }
}

/** Set a property of an element's style. */
function setStyle(element, name, value) {
  if (element.style.getPropertyValue(name) !== String(value)) {
    element.style.setProperty(name, value);
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

/** Whether an attribute is there and is not "false", as some frameworks write it. */
function isSet(element, name) {
  return (element.getAttribute(name) ?? "false") !== "false";
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
    return isSnapshot(snapshot) ? snapshot : null;
  } catch (error) {
    console.warn("<task-progress>: the snapshot in the page can't be read", error);
    return null;
  }
}
return { make, draw, setText, setAttribute, setAttributes, setHidden, setStyle, setChildCount, isSet, takeOverProperty, readSnapshot };
})();

modules["task-progress-texts.js"] ??= (() => {
// The texts of <task-progress>, which a page may replace, and its numbers and times in the language of the page.

/** The texts as the server has them: where a status is one of these, the page shows its own text instead. */
const SERVER_TEXTS = {
  queued: "Queued",
  running: "Running",
  succeeded: "Completed",
  done: "Done",
  countIn: "{count} in {time}",
  failed: "Failed",
  cancelled: "Cancelled",
  lost: "Lost: the worker stopped responding",
  unknown: "Unknown: the cache has lost it, but it may still begin",
  missing: "Not found, or not for you to see",
  noTask: "No task",
  connecting: "Connecting…",
  reconnecting: "Reconnecting…",
  lastNews: "last news {time} ago",
  logIn: "Log in again",
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
  leftAbout: "about {time} left",
  usually: "usually {time}",
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
  logSearch: "Search the log",
  logFound: "{n} of {total}",
  logNotFound: "No match",
  logPrevious: "Previous match",
  logNext: "Next match",
  logLevels: "Levels",
  levelAll: "All levels",
  levelInfo: "Info and above",
  levelWarning: "Warnings and errors",
  levelError: "Errors",
  logExpand: "Expand",
  logCollapse: "Collapse",
  logCopy: "Copy the lines shown",
  logCopied: "Copied",
  logNotCopied: "Not copied",
  logDownload: "Download all lines",
  newLine: "1 new line below",
  newLines: "{n} new lines below",
  noLinesAtEnd: "No lines",
  noSuchLines: "No lines of these levels",
  tasks: "{n} tasks",
  childrenDone: "{n} of {total}",
  childrenFailed: "{n} failed",
  childrenLost: "{n} lost",
  childrenCancelled: "{n} cancelled",
  childList: "Running and failed tasks",
  noChildren: "None runs, and none has failed",
  moreChildren: "{n} more",
};

/**
 * The texts of the page, by name, shared by all copies of the script: a cache may bring two of them. `say` fills in {…};
 * `position…` has one for each ordinal category of a language, and "childrenFailed" may have one more for each category of
 * its plurals: "childrenFailedFew".
 */
const texts = (globalThis[Symbol.for("tasks_app texts")] ??= {});
Object.entries(SERVER_TEXTS).forEach(([name, text]) => (texts[name] ??= text));

/** Take over the texts of the page's <script type="application/json" id="task-progress-texts">, if it has one. */
function readTexts() {
  const element = document.getElementById("task-progress-texts");
  if (element && !element.isTaken) {
    element.isTaken = true;
    Object.assign(texts, JSON.parse(element.textContent));
  }
}

/** Return the text of this name, with values filled in: isolated in a text that is read from right to left. */
function say(name, values = {}) {
  const [start, end] = /[\u0590-\u08ff]/.test(texts[name]) ? ["\u2068", "\u2069"] : ["", ""];
  return texts[name].replace(/\{(\w+)\}/g, (gap, key) => start + (values[key] ?? gap) + end);
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

  /** Say how many there are by the text of this name, or by the one for this plural: "childrenFailedOne". */
  counted(name, n) {
    const category = this.#get(Intl.PluralRules, {}).select(n);
    const plural = `${name}${category[0].toUpperCase()}${category.slice(1)}`;
    return say(plural in texts ? plural : name, { n: this.number(n) });
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
return { SERVER_TEXTS, texts, readTexts, say, Formatter, getFormatter };
})();

modules["task-progress-cancel-button.js"] ??= (() => {
// The button that cancels a task, and the question that takes its place until the user has answered it.

const { setAttribute, setHidden, setText } = modules["task-progress-dom.js"];
const { texts } = modules["task-progress-texts.js"];

/** Return the token by which an element may cancel its task, or null. One with an age only shows it. */
function findCancelToken(element) {
  return element.getAttribute("cancel-token") ?? (element.hasAttribute("token-age") ? null : element.getAttribute("token"));
}

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
    setHidden(actions, !isLive || !(isOffered || isOver));
    this.isAsking &&= !actions.hidden && !isOver;
    setHidden(cancel, this.isAsking);
    setHidden(confirmation, !this.isAsking);
    setAttribute(cancel, "aria-disabled", isOver);
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
    setAttribute(confirmation, "aria-label", texts.confirm);
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
return { findCancelToken, CancelButton };
})();

modules["task-progress-counts.js"] ??= (() => {
// What the counts of a parent's children say: in words, and as segments of its bar. Pure: no element, no clock.

const { SERVER_TEXTS, say } = modules["task-progress-texts.js"];

const MAX_SEGMENTS = 12; // more of them would be too narrow to be counted

/** The states of children in the order of the bar. */
const ORDER = ["succeeded", "failed", "lost", "cancelled", "running", "queued"];

/** The texts of children that have not succeeded, by their state. */
const PROBLEMS = { failed: "childrenFailed", lost: "childrenLost", cancelled: "childrenCancelled" };

/** Return a snapshot without the status that a server made of the counts, which are shown in the words of the page. */
function withoutCounts(snapshot) {
  const isMade = snapshot.children && snapshot.status === tellCounts(snapshot.children);
  return isMade ? { ...snapshot, status: SERVER_TEXTS[snapshot.state] } : snapshot;
}

/** Return how many of a parent's children have succeeded as "26 of 40"; "" for a task without children. */
function describeDone({ children }, format) {
  return children ? say("childrenDone", { n: format.number(children.succeeded), total: format.number(children.total) }) : "";
}

/** Return how many of a parent's children have not succeeded as "1 failed · 2 cancelled"; "" without any. */
function describeProblems({ children }, format) {
  const counted = Object.entries(PROBLEMS).filter(([state]) => children?.[state]);
  return counted.map(([state, name]) => format.counted(name, children[state])).join(" · ");
}

/**
 * Return a segment of the bar for each child of a task, null unless there are 2 to 12. The counts do not tell how far
 * those are that run, so their segments do not either.
 */
function makeChildSegments(snapshot) {
  const children = snapshot?.children;
  if (!children || children.total < 2 || children.total > MAX_SEGMENTS) {
    return null;
  }
  const states = ORDER.flatMap((state) => Array.from({ length: children[state] }, () => state));
  return states.map((state) => ({ weight: 1, progress: state === "queued" ? 0 : 100, child: state }));
}

// As the server says it.
function tellCounts(children) {
  const others = ["failed", "cancelled", "lost"].filter((state) => children[state]);
  return [`${children.succeeded} of ${children.total} done`, ...others.map((state) => `${children[state]} ${state}`)].join(", ");
}
return { withoutCounts, describeDone, describeProblems, makeChildSegments };
})();

modules["task-progress-estimate.js"] ??= (() => {
// How far a task without a total is, as far as its usual duration tells. Pure: no element, no clock.

const STEADY = 0.7; // the part of the usual duration in which the bar grows evenly; then it slows, and never fills

/** Return whether a task runs without a total, while it is known how long its runs usually take. */
function isEstimated(snapshot, state) {
  return state === "running" && snapshot?.percent === null && snapshot.expected > 0;
}

/**
 * Return the percentage to draw of a task; null if nothing tells it.
 *
 * @param {?object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {number} age - seconds since the task was as the snapshot says
 */
function estimate(snapshot, state, age) {
  if (!isEstimated(snapshot, state)) {
    return null;
  }
  const share = countRun(snapshot, age) / snapshot.expected;
  const slowed = share < STEADY ? share : 1 - (1 - STEADY) * Math.exp((STEADY - share) / (1 - STEADY));
  return Math.min(slowed * 100, 99);
}

/** Return the seconds that are left of the usual duration of a task that runs; negative if it takes longer. */
function countLeft(snapshot, age) {
  return snapshot.expected - countRun(snapshot, age);
}

function countRun({ started_at: start, updated_at: updated }, age) {
  return Math.max((Date.parse(updated) - Date.parse(start)) / 1000, 0) + age;
}
return { isEstimated, estimate, countLeft };
})();

modules["task-progress-description.js"] ??= (() => {
// The texts that <task-progress> shows of a snapshot. Pure: no element, no clock.

const { describeDone, describeProblems, withoutCounts } = modules["task-progress-counts.js"];
const { countLeft, isEstimated } = modules["task-progress-estimate.js"];
const { TERMINAL } = modules["task-progress-states.js"];
const { SERVER_TEXTS, say, texts } = modules["task-progress-texts.js"];

const STALLED_AFTER = 15; // seconds without a sign of life after which a server by default calls a task stalled
const NEXT_AFTER = 1; // seconds until a task is called the next one in line

const MODULE = /(?:[^\s.,]+\.)+/g; // of the name of a task

/** The states beside which the counts of a parent's children are shown. */
const HAS_COUNTS = new Set(["queued", "running", "stalled", ...TERMINAL]);

/** The message of an error where errors are not exposed. */
const GENERIC_ERROR = "The task failed.";

/**
 * Return the texts of a snapshot: `percent`, the figure; `status`, the sentence; and `facts` beside it, by name.
 *
 * @param {object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {object} circumstances
 * @param {number} circumstances.now - the server's time in milliseconds
 * @param {number} circumstances.elapsed - seconds since the snapshot came
 * @param {number} circumstances.age - seconds since the task was as the snapshot says
 * @param {boolean} circumstances.isMine - whether this page asked the server to cancel the task
 * @param {boolean} [circumstances.isCompact] - whether the figure is all that is shown
 * @param {Formatter} format
 */
function describe(snapshot, state, circumstances, format) {
  const said = describeState(withoutCounts(snapshot), state, circumstances, format);
  if (!snapshot.children || !HAS_COUNTS.has(state)) {
    return said;
  }
  const counts = { children: describeDone(snapshot, format), problems: describeProblems(snapshot, format) };
  return { ...said, facts: { ...counts, ...said.facts } };
}

function describeState(snapshot, state, circumstances, format) {
  const percent = describeFigure(snapshot, state, circumstances, format);
  const said = snapshot.status === SERVER_TEXTS[snapshot.state] ? texts[snapshot.state] : snapshot.status;
  switch (state) {
    case "missing":
      return { percent, status: texts.missing, facts: {} };
    case "reconnecting":
      return { percent, status: texts.reconnecting, facts: {} };
    case "succeeded":
      return describeSuccess(snapshot, circumstances, format);
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

/** Return how long ago, by `performance.now()`, the server was heard last; "" if it never was. */
function describeNews({ heardAt }, now, format) {
  return heardAt === null ? "" : say("lastNews", { time: format.duration((now - heardAt) / 1000) });
}

/**
 * Return the label of a task, else a name for it: "shop.tasks.import_rows" becomes "Import rows".
 *
 * In the name of a parent, such as "chain of shop.tasks.read, shop.tasks.save", each name loses its module.
 */
function describeName(snapshot) {
  if (snapshot?.label) {
    return snapshot.label;
  }
  const name = (snapshot?.task ?? "").replaceAll(MODULE, "").replaceAll("_", " ");
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Return why a task failed: its error where that is exposed, else its last status; null without either. */
function describeReason(snapshot) {
  const { status, error } = withoutCounts(snapshot);
  if (status === SERVER_TEXTS.failed) {
    return null;
  }
  const message = error && error.message !== GENERIC_ERROR ? error.message : null;
  return message ?? status.replace(/^Failed: /, "");
}

/** Return what a task that has succeeded has counted: "1,284 files", or "99 / 120 files"; null without a count. */
function describeWhole({ current, total, unit }, format) {
  return format.count({ current, total: current === total ? null : total, unit });
}

/** Return how long a task ran, or "" if it has not started; one without an end runs until `now`, in milliseconds. */
function describeDuration({ started_at: start, finished_at: end }, now, format) {
  const seconds = ((end ? Date.parse(end) : now) - Date.parse(start)) / 1000;
  if (!start) {
    return "";
  }
  return seconds < 1 ? texts.moment : format.duration(seconds);
}

function describeFigure(snapshot, state, { elapsed, isCompact }, format) {
  const { progress, percent, queue_position: position } = snapshot;
  switch (state) {
    case "queued":
      // Most tasks begin as soon as they are next, and that would only flash.
      return position === null || (position === 1 && elapsed < NEXT_AFTER) ? "" : format.position(position);
    case "running":
    case "stalled":
    case "reconnecting":
    case "missing": // of what it has come to, nothing is known
      return percent === null ? "" : format.percent(progress);
    default:
      return percent === null ? describeEnd(snapshot, format) : describeStop(progress, isCompact, format);
  }
}

function describeStop(progress, isCompact, format) {
  const percent = format.percent(progress);
  return isCompact ? percent : say("stoppedAt", { percent });
}

function describeEnd(snapshot, format) {
  return snapshot.finished_at ? describeDuration(snapshot, null, format) : "";
}

function describeWork(snapshot, state, said, circumstances, format) {
  const { stages } = snapshot;
  const step = stages.findIndex((stage) => stage.state === "running") + 1;
  const status = step && said === texts.running ? stages[step - 1].name : said;
  return {
    status,
    facts: {
      step: step && say("step", { n: format.number(step), total: format.number(stages.length) }),
      count: state === "running" && format.count(snapshot),
      rate: state === "running" && format.rate(snapshot),
      left: describeTimeLeft(snapshot, state, circumstances, format),
      usual: describeUsual(snapshot, state, format),
    },
  };
}

// What the job said while it worked is no longer so; its last words say it all.
function describeSuccess(snapshot, { isCompact }, format) {
  const { conclusion } = snapshot;
  const [time, count] = [describeEnd(snapshot, format), describeWhole(snapshot, format)];
  if (conclusion || !count || isCompact) {
    return { percent: time, status: conclusion ?? texts.done, facts: {} };
  }
  return { percent: "", status: `${texts.done} · ${time ? say("countIn", { count, time }) : count}`, facts: {} };
}

function describeTimeLeft(snapshot, state, { elapsed, age }, format) {
  if (isEstimated(snapshot, state)) {
    const left = countLeft(snapshot, age);
    return left >= 1 ? say("leftAbout", { time: format.roughly(left) }) : "";
  }
  const seconds = (snapshot.eta ?? 0) - elapsed;
  if (seconds <= 0) {
    return "";
  }
  return state === "queued"
    ? say("startsIn", { time: format.roughly(seconds) })
    : say("left", { time: format.duration(seconds) });
}

// A task that counts towards a total shows by that how long it takes.
function describeUsual(snapshot, state, format) {
  const { expected } = snapshot;
  if (!(expected >= 1) || !(state === "queued" || isEstimated(snapshot, state))) {
    return "";
  }
  return say("usually", { time: format.roughly(expected < 60 ? expected : Math.round(expected / 60) * 60) });
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
return { GENERIC_ERROR, describe, describeNews, describeName, describeReason, describeWhole, describeDuration };
})();

modules["task-progress-children-style.js"] ??= (() => {
// The style of a parent's bar and of the list of its children in <task-progress>.

const childrenStyle = new CSSStyleSheet();

childrenStyle.replaceSync(`
:host { --done: var(--color); }
:host(:is(:state(failed), :state(lost), :state(cancelled))) { --done: var(--success); }
.segment[data-child="succeeded"] .fill { background: var(--done); }
.segment:is([data-child="failed"], [data-child="lost"]) .fill { background: var(--danger); }
.segment[data-child="cancelled"] .fill { background: var(--muted); }
/* How far it is, is not known. */
.bar .segment[data-child="running"] .fill { opacity: 0.45; }
.bar:not([aria-valuenow]) .segment[data-child] .fill { inline-size: auto; translate: calc((100 - var(--filled, 0)) * var(--to-start)); animation: none; }

.family { padding: 4px 16px 8px; border-block-start: 1px solid var(--border); font-size: calc(13em / 15); }
.unfold { display: inline-flex; align-items: center; gap: 6px; max-inline-size: 100%; margin-inline-start: -6px; padding-inline: 6px; border-color: transparent; text-align: start; white-space: normal; }
.unfold::before { flex: none; inline-size: 6px; block-size: 6px; margin-inline: 1px 3px; border: solid currentColor; border-width: 0 1.5px 1.5px 0; rotate: -45deg; content: ""; }
.unfold:dir(rtl)::before { rotate: 135deg; }
.unfold[aria-expanded="true"]::before { rotate: 45deg; translate: 0 -2px; }
.child-list { --row: calc(26em / 13); min-block-size: calc(var(--rows, 0) * var(--row)); margin: 0; padding: 0; list-style: none; }
.child-list:empty { min-block-size: calc(max(1, var(--rows, 0)) * var(--row)); color: var(--muted); }
.child-list:empty::before { line-height: var(--row); content: attr(data-empty); }
.child { --color: var(--muted); display: flex; align-items: center; gap: 8px; block-size: var(--row); }
.child[data-state="running"] { --color: var(--accent); }
.child[data-state="stalled"] { --color: var(--warning-fill); }
.child[data-state="succeeded"] { --color: var(--success); }
.child:is([data-state="failed"], [data-state="lost"]) { --color: var(--danger); }
li.child[data-state] .icon { animation: none; inline-size: calc(14em / 13); block-size: calc(14em / 13); }
li.child[data-state="running"] .icon { animation: turn 1.6s linear infinite; }
.child .icon circle { display: inline; fill: none; stroke: var(--color); stroke-dasharray: none; }
.child .icon path { fill: none; stroke: var(--color); }
.child[data-state="running"] .icon circle { stroke: var(--track); }
.child[data-state="stalled"] .icon circle { display: none; }
.child[data-state="stalled"] .icon path { fill: var(--color); stroke: none; }
.child:is([data-state="succeeded"], [data-state="failed"], [data-state="lost"]) .icon circle { fill: var(--color); }
.child:is([data-state="succeeded"], [data-state="failed"], [data-state="lost"]) .icon path { stroke: var(--background); }
.child-name, .child-status { flex: 0 1 auto; min-inline-size: 0; overflow-x: clip; text-overflow: ellipsis; white-space: nowrap; }
.child-status { flex: 1 1 0; color: var(--muted); }
.child:is([data-state="failed"], [data-state="lost"]) .child-status { color: var(--danger); }
.child[data-state="stalled"] .child-status { color: var(--warning); }
.child-track { flex: 0 0 64px; block-size: 4px; overflow: hidden; border-radius: 2px; background: var(--track); }
.child-track .fill { display: block; }
.child-percent { flex: none; min-inline-size: 2.8em; text-align: end; }
.more { margin: 0; color: var(--muted); line-height: calc(26 / 13); }

@container (inline-size < 24em) {
  .child-track { flex-basis: 32px; }
  .child-name { flex: 1 1 40%; }
  .child-status { flex: 1 1 30%; }
}
@media (prefers-reduced-motion: reduce) {
  li.child[data-state="running"] .icon { animation: none; }
}
@media (forced-colors: active) {
  .child-track { border: 1px solid CanvasText; }
  .segment:is([data-child="failed"], [data-child="lost"]) .fill { background: repeating-linear-gradient(135deg, CanvasText 0 2px, Canvas 2px 5px); }
  .segment[data-child="cancelled"] .fill { background: GrayText; }
  .bar .segment[data-child="running"] .fill { opacity: 1; background: repeating-linear-gradient(90deg, Highlight 0 3px, Canvas 3px 6px); }
}
@media print {
  .child-track, .segment .fill { print-color-adjust: exact; }
}
`);
return { childrenStyle };
})();

modules["task-progress-log-style.js"] ??= (() => {
// The style of the log of <task-progress>.

const logStyle = new CSSStyleSheet();

logStyle.replaceSync(`
.pane { position: relative; border-block-start: 1px solid var(--border); }
.log {
  position: relative;
  max-block-size: 200px;
  padding: 10px 16px;
  overflow: auto;
  background: color-mix(in srgb, var(--background), var(--text) 4%);
  font: calc(12em / 15)/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere;
}
.expanded .log { max-block-size: max(200px, 100vh - 96px); max-block-size: max(200px, 100dvh - 96px); }
.log:empty::before { color: var(--muted); content: attr(data-empty); }
.log:focus-visible, .tools :focus-visible { outline-offset: -2px; }
.line { display: flex; gap: 14px; white-space: pre-wrap; }
.line time { flex: none; color: var(--muted); }
.line .text { min-inline-size: 0; }
.line[data-level="warning"] .text { color: var(--warning); }
.line:is([data-level="error"], [data-level="critical"]) .text { color: var(--danger); }
.line[data-level="debug"] .text { color: var(--muted); }

.tools {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0 4px;
  padding: 4px 10px 4px 16px;
  border-block-end: 1px solid var(--border);
  color: var(--muted);
  font-size: calc(13em / 15);
}
.searching { display: flex; flex: 1 1 170px; align-items: center; gap: 4px; min-inline-size: 0; }
.search {
  flex: 1 1 0;
  min-inline-size: 56px;
  min-block-size: 28px;
  margin-inline-start: -6px;
  padding: 0 6px;
  border: 0;
  border-radius: 6px;
  background: none;
  color: var(--text);
  font: inherit;
}
.search::placeholder { color: var(--muted); opacity: 1; }
.told { flex: none; }
.levels {
  min-block-size: 28px;
  max-inline-size: 100%;
  margin-inline-end: auto;
  border: 0;
  border-radius: 6px;
  background: var(--background);
  color: var(--muted);
  font: inherit;
  cursor: pointer;
}
.tool { display: grid; place-items: center; inline-size: 28px; min-block-size: 28px; padding: 0; border-color: transparent; }
.tool svg {
  inline-size: 16px;
  block-size: 16px;
  fill: none;
  stroke: currentColor;
  stroke-width: 1.4;
  stroke-linecap: round;
  stroke-linejoin: round;
}
mark { border-radius: 2px; background: color-mix(in srgb, var(--warning-fill), transparent 60%); color: inherit; }
mark[aria-current] { background: var(--warning-fill); color: #1d1c1a; }
.newer {
  position: absolute;
  inset-inline: 0;
  inset-block-end: 8px;
  inline-size: fit-content;
  margin-inline: auto;
  border-color: var(--accent);
  background: var(--background);
  color: var(--accent);
  font-size: calc(13em / 15);
}
.only-spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
`);
return { logStyle };
})();

modules["task-progress-style.js"] ??= (() => {
// The style of <task-progress>, which a page changes by custom properties and ::part().
//
// It is a constructed sheet, because a strict Content-Security-Policy forbids <style>. light-dark() follows the
// color-scheme of the page: one that is always light has light components, even if the system prefers dark ones.

const ENDED = ":is(:state(succeeded), :state(failed), :state(cancelled), :state(lost), :state(missing))";

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
  color-scheme: var(--task-progress-color-scheme, inherit);
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
  font-size: var(--task-progress-font-size, 15px);
  line-height: 1.4;
  font-variant-numeric: tabular-nums;
  text-align: start;
}
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.body { padding: 14px 16px; }
.head, .foot { display: flex; align-items: center; gap: 10px; }
.head { min-block-size: calc(26em / 15); }
.name, .status, .meta { min-inline-size: 0; overflow-x: clip; text-overflow: ellipsis; white-space: nowrap; }
.name, .status { flex: 1 1 0; margin-inline: -2px; padding-inline: 2px; } /* room for a letter that leans out */
:host(:dir(rtl)) :is(.name, .status) { text-align: right; }
:is(.name, .status)[role="button"] { border-radius: 2px; cursor: pointer; }
.open { overflow-wrap: anywhere; white-space: normal; }
.name { font-weight: 600; }
.percent { flex: none; color: var(--muted); font-weight: 400; }
:host(:is(:state(running), :state(stalled))) .percent { color: var(--text); font-weight: 600; }
.actions { display: flex; flex: none; align-items: center; gap: 6px; font-size: calc(13em / 15); }
.actions .actions { font-size: inherit; }

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

.icon { flex: none; inline-size: calc(16em / 15); block-size: calc(16em / 15); overflow: visible; fill: none; stroke: var(--color); stroke-width: 2; }
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
.fill {
  --to-start: -1%;
  block-size: 100%;
  translate: calc((100 - var(--filled, 0)) * var(--to-start));
  border-radius: 4px;
  background: var(--color);
  transition: translate 200ms ease-out;
}
:host(:dir(rtl)) .fill { --to-start: 1%; }
.bar:not([aria-valuenow], [data-estimated]) .fill { inline-size: 35%; translate: none; animation: sweep 1.6s ease-in-out infinite; }
.bar[data-estimated] .fill {
  background: repeating-linear-gradient(-45deg, var(--color) 0 5px, color-mix(in srgb, var(--color) 55%, var(--track)) 5px 10px);
  transition: translate 1s linear;
}

.foot { min-block-size: calc(20em / 13); font-size: calc(13em / 15); }
.foot:has(.open) { flex-wrap: wrap; }
.foot .open { flex-basis: 100%; }
.meta { color: var(--muted); }
.meta:empty { display: none; }
.separator { display: none; }
.fact:not([hidden]) ~ .fact .separator { display: inline; }
.fact { white-space: pre; }
.meta, .link { flex: none; max-inline-size: 65%; }
.link { color: var(--accent); }
:host(:state(stalled)) .status { color: var(--warning); }
:host(:is(:state(failed), :state(lost))) .status, .problem { color: var(--danger); }
.problem { margin-block-start: 2px; font-size: calc(13em / 15); overflow-wrap: anywhere; }
:host(:is(:state(queued), :state(cancelled), :state(missing), :state(reconnecting))) .status { color: var(--muted); }

.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

:host([compact]) .body { display: flex; flex-wrap: wrap; align-items: center; gap: 0 12px; padding-block: 9px; }
:host([compact]) .problem { flex: 1 0 100%; order: 4; }
:host([compact]) .head { display: contents; }
:host([compact]) .bar { flex: 1 1 0; order: 1; margin: 0; }
:host([compact]) .percent { order: 2; min-inline-size: 2.6em; text-align: end; }
:host([compact]) .actions { order: 3; }
:host([compact]) .icon { margin-block: calc(5em / 15); margin-inline-end: -2px; } /* as high as the button */
:host([compact]:not(:state(failed), :state(lost), :state(missing))) .foot { display: none; }
:host([compact]:is(:state(failed), :state(lost), :state(missing))) .foot { flex: 1 0 100%; order: 4; min-inline-size: 0; }
:host([compact]:state(reconnecting)) .foot:has(.link:not([hidden])) { display: flex; flex: 1 0 100%; order: 4; min-inline-size: 0; }
:host([compact]) .meta { display: none; }

@container (inline-size < 36em) {
  :host([compact]) .bar { flex: 0 1 6em; }
}
@container (inline-size < 24em) {
  :host(:not([compact])) .body { display: flex; flex-wrap: wrap; align-items: center; gap: 0 10px; }
  :host(:not([compact])) :is(.head, .foot) { display: contents; }
  :host(:not([compact])) :is(.bar, .status, .problem) { flex: 1 0 100%; }
  :host(:not([compact])) .name { min-inline-size: min(6em, 100% - 2em); line-height: calc(26em / 15); }
  :host(:not([compact])) .name.open { line-height: inherit; }
  .meta, .link { --row: calc(20em / 13); min-block-size: var(--row); line-height: var(--row); }
  :host([cancel]) :is(.meta, .link) { --row: calc(28em / 13); }
  .meta { flex: 1 1 0; max-inline-size: none; }
  .meta:has(.left) { min-inline-size: min(6em, 100%); }
  .meta, .link { order: 1; }
  :host(:not([compact])) .head > .actions { order: 2; margin-inline-start: auto; }
  :host(:is(:state(running), :state(queued), :state(stalled), :state(cancelled)):not([compact])) .foot:has(.meta:empty) .status:not(.open) { flex: 1 1 5em; }
  /* The name is worth more than a place in the line, and than where an ended task has stopped. */
  :host(:is(:state(queued), :state(failed), :state(cancelled), :state(lost)):not([compact])) .percent { order: 1; flex: none; font-size: calc(13em / 15); line-height: calc(20em / 13); }
  :host(:state(queued):not([compact])) .percent:not(:empty) { flex-basis: 100%; }
  :host(:state(queued):not([compact])) .body:has(.percent:not(:empty)) .status { display: none; }
  .problem { order: 3; }
  :host([compact]) .bar { flex: 1 0 100%; order: 4; margin-block: 4px; }
  :host([compact]) .head:has(.confirmation:not([hidden])) .percent { display: none; }
}
@container (inline-size < 24em) {
  :host(${ENDED}) .status:has(~ .link[hidden]):not(.open) {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
    overflow: hidden;
    overflow-wrap: anywhere;
    white-space: normal;
  }
}
/* Large text on a phone. */
@container (inline-size < 16em) {
  .name:not(.open) {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
    min-inline-size: min(6em, 100% - 2em);
    overflow: hidden;
    overflow-wrap: anywhere;
    white-space: normal;
  }
  :host(:not([compact])) .name { line-height: inherit; }
  .percent { flex: 0 1 auto; }
}
@keyframes turn { to { transform: rotate(1turn); } }
@keyframes sweep { from { transform: translateX(calc(100 * var(--to-start))); } to { transform: translateX(calc(-286 * var(--to-start))); } }
.unseen :is(.icon, .fill) { animation: none !important; transition: none !important; }
@media (prefers-reduced-motion: reduce) {
  .icon, .fill { animation: none !important; transition: none !important; }
  .bar:not([aria-valuenow], [data-estimated]) .fill { inline-size: 100%; opacity: 0.45; }
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

const { childrenStyle } = modules["task-progress-children-style.js"];
const { draw, make, setAttribute, setChildCount, setStyle, setText } = modules["task-progress-dom.js"];
const { logStyle } = modules["task-progress-log-style.js"];
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
  const pane = add("div", "pane", {}, log);
  const card = add("div", "card", { role: "group", "aria-labelledby": "name", tabindex: -1 }, body, pane);
  root.adoptedStyleSheets = [style, childrenStyle, logStyle];
  root.append(card, add("div", "spoken", { role: "status" }));
  return parts;
}

/** Give the bar a segment for each of these: as wide as its weight, filled as far as its progress, for a `child` or not. */
function setSegments(bar, segments) {
  setChildCount(bar, segments.length, () => makePart("div", "segment", {}, makePart("div", "fill")));
  setStyle(bar, "--count", segments.length);
  segments.forEach(({ weight, progress, name = "", child = null }, index) => {
    const segment = bar.children[index];
    setStyle(segment, "flex-grow", weight);
    setStyle(segment.firstChild, "--filled", progress ?? 0);
    setAttribute(segment, "title", name);
    setAttribute(segment, "data-child", child);
  });
}

/** Show facts, by name, in one line; leave empty ones out. */
function setFacts(element, facts) {
  const shown = Object.entries(facts).filter(([, text]) => text);
  const parts = shown.map(([name]) => `fact ${name}`);
  if (parts.join() !== [...element.children].map((fact) => fact.className).join()) {
    element.replaceChildren(...parts.map(makeFact));
  }
  shown.forEach(([, text], index) => setText(element.children[index].lastChild, text));
  setText(element, element.textContent, shown.map(([, text]) => text).join(" · "));
}

/** Make a line of the log. */
function makeLine({ time, level, text }) {
  const weight = level === "info" ? [] : [make("span", { class: "only-spoken" }, `${level}: `)];
  const words = [makePart("time", "time", {}, time), ...weight, makePart("span", "text", { dir: "auto" }, text)];
  return makePart("div", "line", { "data-level": level }, ...words);
}

function makeHead(add, icon) {
  const name = add("span", "name", { id: "name", dir: "auto" });
  return add("div", "head", {}, icon, name, add("span", "percent", { dir: "auto" }), makeActions(add));
}

function makeActions(add) {
  const makeButton = (name) => add("button", name, { type: "button", part: `button ${name}`, dir: "auto" });
  const answers = [add("span", "question", { dir: "auto" }), makeButton("yes"), makeButton("no")];
  const confirmation = add("span", "confirmation", { class: "actions", role: "group" }, ...answers);
  return add("span", "actions", {}, makeButton("cancel"), confirmation);
}

function makeBar(add) {
  return add("div", "bar", { role: "progressbar", "aria-labelledby": "name", "aria-valuemin": 0, "aria-valuemax": 100 });
}

function makeFoot(add) {
  const status = add("span", "status", { dir: "auto" });
  return add("div", "foot", {}, status, add("span", "meta"), add("a", "link", { dir: "auto" }));
}

function makeIcon(parts) {
  parts.mark = draw("path", { "fill-rule": "evenodd" });
  const ring = draw("circle", { cx: 8, cy: 8, r: 6 });
  parts.icon = draw("svg", { class: "icon", part: "icon", viewBox: "0 0 16 16", role: "img" }, ring, parts.mark);
  return parts.icon;
}

// Facts are isolated, so that an Arabic unit turns no other fact around.
function makeFact(part, index) {
  const separator = index ? [make("span", { class: "separator" }, " · ")] : [];
  return makePart("span", part, {}, ...separator, make("bdi"));
}

function makePart(tag, name, attributes = {}, ...children) {
  return make(tag, { class: name, part: name, ...attributes }, ...children);
}
return { MARKS, makeParts, setSegments, setFacts, makeLine };
})();

modules["task-progress-server-time.js"] ??= (() => {
// The time by the server's clock, since the clock of a browser may be hours off.

let offset = null; // milliseconds from the browser's steady clock to the server's

/** Take over the server's time out of its answer: an RFC 3339 text; anything else is left alone. */
function hearServerTime(text) {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) {
    // What came late, or out of a cache, tells a time that has passed.
    offset = Math.max(offset ?? -Infinity, time - performance.now());
  }
}

/**
 * Return the seconds since a task was as its snapshot says, which may have come late; while the server's time is unknown,
 * those since it came.
 */
function findAge(snapshot, elapsed) {
  const age = offset === null || !snapshot ? elapsed : (serverNow() - Date.parse(snapshot.updated_at)) / 1000;
  return Math.max(age, elapsed);
}

/** Return the server's time in milliseconds; until the server has told it, the browser's. */
function serverNow() {
  return offset === null ? Date.now() : performance.now() + offset;
}
return { hearServerTime, findAge, serverNow };
})();

modules["task-progress-timers.js"] ??= (() => {
// Timers: timeouts by name, waits after failures, the time for which a page is hidden, ticks of a second, and frames.

const MAX_BACKOFF_MS = 30_000;
const MIN_BACKOFF_MS = 1000;

const ticking = new Set();
let ticker;

const UNSEEN_MS = 1000; // until an element that is out of sight is rendered: only assistive technology meets it there

const due = new Set();
let frame = null;
const unseen = new Set();
let pause = null;

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

/**
 * Render an element with the next frame, however much news comes before it; at once while nobody sees frames, and within
 * a second if it is out of sight.
 */
function renderSoon(element, { isSeen }) {
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
return { MAX_BACKOFF_MS, Timers, drawBackoff, followVisibility, setTicking, renderSoon };
})();

modules["task-progress-child-row.js"] ??= (() => {
// One child in the list of a parent's children: its icon, its name, what it says, its bar and its percentage.

const { describe, describeName } = modules["task-progress-description.js"];
const { draw, make, setAttribute, setStyle, setText } = modules["task-progress-dom.js"];
const { MARKS } = modules["task-progress-parts.js"];
const { findAge, serverNow } = modules["task-progress-server-time.js"];
const { findState } = modules["task-progress-states.js"];
const { texts } = modules["task-progress-texts.js"];
const { renderSoon } = modules["task-progress-timers.js"];

class ChildRow {
  #mark = draw("path", { "fill-rule": "evenodd" });
  #icon = draw("svg", { class: "icon", viewBox: "0 0 16 16", role: "img" }, draw("circle", { cx: 8, cy: 8, r: 6 }), this.#mark);
  #name = make("span", { class: "child-name", part: "child-name", dir: "auto" });
  #said = make("span", { class: "child-status", part: "child-status", dir: "auto" });
  #fill = make("span", { class: "fill" });
  #percent = make("span", { class: "child-percent", part: "child-percent", dir: "auto" });
  #snapshot = null;
  #isMissing = false;
  #receivedAt = 0;
  #unfollow = null;
  #format = null;

  constructor() {
    const track = make("span", { class: "child-track", "aria-hidden": "true" }, this.#fill);
    this.element = make("li", { class: "child", part: "child" }, this.#icon, this.#name, this.#said, track, this.#percent);
  }

  get isConnected() {
    return this.element.isConnected;
  }

  /** Take over a snapshot, unless a newer one is known. */
  take(snapshot) {
    this.#isMissing = false;
    if (!this.#snapshot || snapshot.seq >= this.#snapshot.seq) {
      this.#snapshot = snapshot;
      this.#receivedAt = performance.now();
    }
  }

  /**
   * Follow the child unless it is followed; return whether it is now.
   *
   * @param {(follower: object) => ?(() => void)} start - as `followBeside`, which has no room at times
   */
  follow(start) {
    this.#unfollow ??= start({
      showSnapshot: (snapshot) => {
        this.take(snapshot);
        renderSoon(this, { isSeen: true });
      },
      showMissing: () => {
        this.#isMissing = true;
        renderSoon(this, { isSeen: true });
      },
      showLines: () => {},
    });
    return this.#unfollow !== null;
  }

  unfollow() {
    this.#unfollow?.();
    this.#unfollow = null;
  }

  /** Show the last snapshot as of now. */
  render(format = this.#format) {
    this.#format = format;
    const state = findState(this.#snapshot, this.#isMissing);
    const elapsed = (performance.now() - this.#receivedAt) / 1000;
    const age = findAge(this.#snapshot, elapsed);
    const circumstances = { now: serverNow(), elapsed, age, isMine: false, isCompact: true };
    const { percent, status, facts } = describe(this.#snapshot, state, circumstances, format);
    const name = describeName(this.#snapshot);
    const said = [status, facts.children, facts.problems].filter(Boolean).join(" · ");
    setAttribute(this.element, "data-state", state);
    setAttribute(this.#icon, "aria-label", texts[state]);
    setAttribute(this.#mark, "d", MARKS[state] ?? "");
    setText(this.#name, name, name);
    setText(this.#said, said, said);
    setText(this.#percent, percent);
    setStyle(this.#fill, "--filled", this.#snapshot.percent === null ? 0 : this.#snapshot.progress);
  }
}
return { ChildRow };
})();

modules["task-progress-requests.js"] ??= (() => {
// Requests to the server, and URLs.

const { hearServerTime } = modules["task-progress-server-time.js"];
const { isSnapshot } = modules["task-progress-states.js"];
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

/** Return the host of a web URL that leads to another site than the page's, which a link must say; "" for its own. */
function findForeignHost(href) {
  const { origin, host } = href ? new URL(href) : location;
  return origin === location.origin ? "" : host;
}

/**
 * Ask for the snapshot of a task. Only the app's own answer counts: not that of a login page, of a proxy or of a portal.
 *
 * @param {string} base - as `findBase` returns it
 * @param {{taskId: string, token: ?string, tokenAge: number}} task - a token with an age is not needed: the session serves
 * @param {AbortSignal} signal
 * @returns {Promise<{snapshot?: object, isMissing?: boolean, problem: string}>} the problem is one of `Contact`, or ""
 */
async function fetchSnapshot(base, { taskId, token, tokenAge }, signal) {
  try {
    return await readAnswer(await fetchWithToken(makeTaskUrl(base, taskId), tokenAge ? null : token, signal), taskId);
  } catch {
    return { problem: "unreachable" }; // no answer, or one that is cut off
  }
}

/**
 * Ask for some children of a task, in the order of starting.
 *
 * @param {string} base - as `findBase` returns it
 * @param {string} taskId
 * @param {{token: ?string, states: string[], limit: number}} options - a token of the parent
 * @param {AbortSignal} signal
 * @returns {Promise<?object[]>} their snapshots; null if there is no answer of the app
 */
async function fetchChildren(base, taskId, { token, states, limit }, signal) {
  try {
    const query = new URLSearchParams({ state: states.join(), limit });
    const response = await fetchWithToken(`${makeTaskUrl(base, taskId)}/children?${query}`, token, signal);
    const answer = response.ok && isJson(response) ? await response.json() : null;
    return answer?.children?.every?.(isSnapshot) ? answer.children : null;
  } catch {
    return null; // no answer, or one that is cut off
  }
}

// A header is in no log and no history. Where it is not taken, the token goes into the query: a proxy that asks for a
// password answers 401, as the app never does here, and another site is not asked whether it allows the header.
async function fetchWithToken(url, token, signal) {
  const options = { redirect: "manual", signal: withLimit(signal) };
  if (!token) {
    return fetchJson(url, options);
  }
  if (!findForeignHost(url) && /^[!-~]+$/.test(token)) {
    const headers = { Accept: "application/json", Authorization: `Bearer ${token}` };
    const response = await fetchJson(url, { ...options, headers });
    if (response.status !== 401) {
      return response;
    }
  }
  return fetchJson(`${url}${url.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`, options);
}

/** Fetch JSON. With "no-cache" the browser sends the ETag that it has, and turns a 304 into the answer that it keeps. */
async function fetchJson(url, options) {
  const response = await fetch(url, { cache: "no-cache", headers: { Accept: "application/json" }, ...options });
  hearServerTime(response.headers.get("Server-Time"));
  return response;
}

/**
 * Ask the server to cancel a task. Only its own answer counts: not that of a login page, of a proxy or of a portal.
 *
 * @param {string} base - as `findBase` returns it
 * @param {string} taskId
 * @param {?string} token - one that its reader was given, who may have no other right
 * @returns {Promise<string>} the problem, or "" without one
 */
async function postCancel(base, taskId, token) {
  try {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    return await describeAnswer(await postWithToken(`${makeTaskUrl(base, taskId)}/cancel`, { headers }));
  } catch (error) {
    return error.name === "TimeoutError" ? texts.unanswered : texts.unreachable;
  }
}

/**
 * Ask for a new token of some tasks, which the server gives to those who may see them by their session.
 *
 * @param {string} base - as `findBase` returns it
 * @param {string[]} taskIds
 * @returns {Promise<?{token: ?string, tasks: string[], max_age?: number}>} the tasks are those that the token opens, none
 *   if it is refused; null if there is no answer of the app
 */
async function postTokens(base, taskIds) {
  try {
    const response = await postWithToken(`${base}tasks/tokens`, { body: JSON.stringify({ tasks: taskIds }) });
    if (asksForLogin(response) || (response.status >= 400 && response.status < 500 && response.status !== 429)) {
      return { token: null, tasks: [] };
    }
    const answer = response.ok && isJson(response) ? await response.json() : null;
    return Array.isArray(answer?.tasks) ? answer : null;
  } catch {
    return null;
  }
}

async function readAnswer(response, taskId) {
  if (asksForLogin(response)) {
    return { problem: "loggedOut" };
  }
  if (!isJson(response) || !(response.ok || response.status === 404)) {
    return { problem: "unreachable" };
  }
  if (response.status === 404) {
    return { isMissing: true, problem: "" };
  }
  const snapshot = await response.json();
  const isOurs = isSnapshot(snapshot) && snapshot.task_id === taskId;
  return isOurs ? { snapshot, problem: "" } : { problem: "unreachable" };
}

async function describeAnswer(response) {
  if (asksForLogin(response)) {
    return texts.loggedOut;
  }
  const isOurs = isJson(response);
  if (isOurs && (response.status === 202 || response.status === 409)) {
    return ""; // 409: it has ended in the meantime
  }
  const { detail } = isOurs ? await response.json() : {};
  return detail ?? say("refused", { status: response.status });
}

function asksForLogin(response) {
  return response.type === "opaqueredirect" || response.status === 401;
}

function isJson(response) {
  return /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");
}

function withLimit(signal) {
  return AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
}

// Only the server can tell which token is valid: the cookie may be of other settings or of another site, and the token
// in the page is out of date once the user has logged in again.
async function postWithToken(url, { headers: others, body }) {
  let response;
  for (const token of readCsrfTokens()) {
    const headers = { ...others, Accept: "application/json", "X-CSRFToken": token, ...(body && { "Content-Type": "application/json" }) };
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    response = await fetch(url, { method: "POST", redirect: "manual", headers, body, signal });
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
return { findBase, makeTaskUrl, findWebUrl, findForeignHost, fetchSnapshot, fetchChildren, fetchJson, postCancel, postTokens };
})();

modules["task-progress-contact.js"] ??= (() => {
// Whether a connection hears the server, and since when it has not.

const { Timers } = modules["task-progress-timers.js"];

const HEARTBEAT_MS = 15_000;
const PATIENCE_MS = 3000; // without a stream, until the reader is told; a server that restarts is back by then
const MAX_SILENCE_MS = 6 * 60_000;

class Contact {
  #timers = new Timers();
  #maxSilence = 3 * HEARTBEAT_MS;
  #on;

  /** Why nothing is heard: "unreachable", or "loggedOut"; "" while the server is heard. */
  problem = "";

  /** When the server was heard last, by `performance.now()`; null if it never was. */
  heardAt = null;

  /**
   * @param {object} on
   * @param {(contact: Contact) => void} on.change - is called when the problem changes
   * @param {() => void} on.silence - is called when a stream has been silent for three heartbeats
   */
  constructor(on) {
    this.#on = on;
  }

  /** The server was heard. */
  hear() {
    this.heardAt = performance.now();
    this.#timers.clear("patience");
    this.#set("");
  }

  /** The server was heard on a stream, and will be again. */
  hearStream() {
    this.hear();
    this.#timers.set("silence", () => this.#endSilence(), this.#maxSilence);
  }

  /** A heartbeat came so many milliseconds after the event before: the server may send them less often than by default. */
  hearHeartbeat(gap) {
    this.#maxSilence = 3 * Math.max(gap, HEARTBEAT_MS);
  }

  /** The stream is closed, so its silence tells nothing. */
  leaveStream() {
    this.#timers.clear("silence");
  }

  /** The connection has broken: tell so unless the server is heard soon. */
  wait() {
    if (!this.problem && !this.#timers.has("patience")) {
      this.#timers.set("patience", () => this.lose("unreachable"), PATIENCE_MS);
    }
  }

  /** Nothing is heard, for this reason. */
  lose(problem) {
    this.#timers.clear("patience");
    this.#set(problem);
  }

  /** Neither listen nor wait. */
  rest() {
    this.#timers.clearAll();
  }

  // A half-open connection fires no error.
  #endSilence() {
    this.#maxSilence = Math.min(2 * this.#maxSilence, MAX_SILENCE_MS);
    this.lose("unreachable");
    this.#on.silence();
  }

  #set(problem) {
    if (problem !== this.problem) {
      this.problem = problem;
      this.#on.change(this);
    }
  }
}
return { HEARTBEAT_MS, Contact };
})();

modules["task-progress-permit.js"] ??= (() => {
// The permit of a connection to have a stream. Over HTTP/1.1 a browser opens six connections to a host, for all its tabs:
// were they all streams, the next tab would wait for ever. So four are, and further tabs poll until one ends.
//
// Permits are leases in the storage that the tabs share. Web Locks would keep pages that were left from being kept by the
// browser, and need HTTPS.

const PERMITS = 4;
const LEASE_MS = 15_000; // until a permit is free whose tab has crashed
const RENEW_MS = 5000;

let count = 0;

class Permit {
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
return { Permit };
})();

modules["task-progress-poller.js"] ??= (() => {
// Polling: fetches the snapshot of each task of a connection, round after round.

const { fetchSnapshot } = modules["task-progress-requests.js"];
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
   * @param {object} on
   * @param {(problem: string) => void} on.answer - is called after each round, with the problem if nothing was heard
   * @param {() => void} on.goOn - is called when another round is due
   * @param {() => void} on.finish - is called when no task is live any more
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

  /** Poll each of some tasks once, by default the live ones, and return the problems of those without an answer. */
  async poll(signal = new AbortController().signal, queue = this.#watches.live) {
    const problems = [];
    const work = async () => {
      for (let watch = queue.shift(); watch && !signal.aborted; watch = queue.shift()) {
        problems.push(await this.#pollOne(watch, signal));
      }
    };
    await Promise.all(Array.from({ length: REQUESTS_AT_ONCE }, work));
    if (!this.#watches.live.length) {
      this.#on.finish();
    }
    return problems;
  }

  async #run(signal, pause) {
    const problems = await this.poll(signal);
    if (!signal.aborted) {
      const problem = problems.every(Boolean) ? problems[0] : ""; // one task that is refused slows no other
      this.#on.answer(problem);
      const longer = Math.min(2 * pause, MAX_BACKOFF_MS);
      const next = problem ? longer : Math.max(this.#interval, MS_PER_TASK * this.#watches.live.length);
      this.#timeout = setTimeout(() => this.#run(signal, next), next * (0.75 + Math.random() / 2));
      this.#on.goOn();
    }
  }

  async #pollOne(watch, signal) {
    const { snapshot, isMissing, problem } = await fetchSnapshot(this.#base, watch, signal);
    if (signal.aborted) {
      return problem;
    }
    if (isMissing) {
      this.#watches.showMissing(watch.taskId);
    } else if (snapshot) {
      this.#watches.showSnapshot(snapshot);
    }
    return problem;
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

modules["task-progress-tokens.js"] ??= (() => {
// The tokens that came with a page: they open its streams without a look at the session, which renews them in time.

const { postTokens } = modules["task-progress-requests.js"];
const { drawBackoff, Timers } = modules["task-progress-timers.js"];

const MAX_WAIT_MS = 2 ** 31 - 1; // browsers take no longer timeouts
const BUNDLE_MS = 1000; // within which the tokens of a page are put together that are too many for one address

class Tokens {
  #base;
  #watches;
  #timers = new Timers();
  #failures = 0;
  #isAsking = false; // until there is an answer
  #share = drawShare();

  /**
   * @param {string} base - as `findBase` returns it
   * @param {Watches} watches - has the tokens
   */
  constructor(base, watches) {
    this.#base = base;
    this.#watches = watches;
  }

  /** Have all tokens renewed at once, in the last third of the life of the one that expires first. */
  plan() {
    const { renewable, hasTooManyTokens } = this.#watches;
    if (renewable.length && !this.#isAsking) {
      const dueAt = Math.min(...renewable.map(({ tokenAt, tokenAge }) => tokenAt + tokenAge * 1000 * this.#share));
      this.#wait(hasTooManyTokens ? Math.random() * BUNDLE_MS : dueAt - performance.now());
    }
  }

  #wait(milliseconds) {
    this.#timers.set("renew", () => this.#renew(), Math.min(milliseconds, MAX_WAIT_MS));
  }

  // Where nobody answers, it goes on asking: the server is away, and will have many streams to open when it is back.
  async #renew() {
    const taskIds = this.#watches.renewable.map(({ taskId }) => taskId);
    this.#isAsking = taskIds.length > 0;
    const answer = this.#isAsking ? await postTokens(this.#base, taskIds) : { tasks: [] };
    if (answer) {
      this.#isAsking = false;
      this.#failures = 0;
      this.#share = drawShare();
      this.#watches.takeTokens(taskIds, answer);
      this.plan();
    } else {
      this.#wait(drawBackoff(this.#failures++));
    }
  }
}

// At random, so that pages that were opened together do not ask together.
function drawShare() {
  return (2 + 0.9 * Math.random()) / 3;
}
return { Tokens };
})();

modules["task-progress-watches.js"] ??= (() => {
// The tasks that a page follows on one connection, each with its followers and its last snapshot.

const { isSame, isTerminal } = modules["task-progress-states.js"];

const MAX_TASKS = 100; // on one stream, by the server's default
const MAX_BESIDE = 50; // up to which there is room for tasks that no component of the page needs
const MAX_QUERY = 6000; // characters; proxies refuse long addresses

// A token without an age is all that its reader has. One with an age came with the page: the session does as well.
// The token of a parent, which is on the stream, covers its children.
function makeParameters(taskId, { token, tokenAge, isCovered }) {
  const parameters = new URLSearchParams({ task: taskId });
  if (token && !tokenAge && !isCovered) {
    parameters.append("token", token);
  }
  return parameters.toString();
}

class Watches {
  #watches = new Map(); // task id → {taskId, token, tokenAge, tokenAt, given, logs, parameters, followers, …}
  #transport = "connecting";
  #contact = null;
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

  /** The live watches whose tokens the session renews. */
  get renewable() {
    return this.live.filter((watch) => watch.token && watch.tokenAge);
  }

  /** Whether their tokens must be put together into one to fit into an address. */
  get hasTooManyTokens() {
    const tokens = this.#renewableTokens;
    return tokens.length > 1 && !this.#fit(tokens);
  }

  /** Return the URL of a stream of the live ones. Tokens that the session renews are left out if they do not fit. */
  makeUrl(base) {
    const tokens = this.#renewableTokens;
    return `${base}task-progress?${[this.query, ...(this.#fit(tokens) ? tokens : [])].join("&")}`;
  }

  get #renewableTokens() {
    return [...new Set(this.renewable.map(({ token }) => `token=${encodeURIComponent(token)}`))];
  }

  #fit(tokens) {
    return [this.query, ...tokens].join("&").length < MAX_QUERY;
  }

  /** What a stream of the live ones is asked for, but for tokens that the session renews. */
  get query() {
    const logs = this.live.some((watch) => watch.logs) ? ["logs=1"] : [];
    return ["heartbeat=event", ...this.live.map((watch) => watch.parameters), ...logs].join("&");
  }

  /** Whether a stream can show one more task. */
  hasRoom(taskId, options) {
    const isFull = this.live.length + this.missing.length >= MAX_TASKS;
    return !isFull && this.query.length + makeParameters(taskId, options).length < MAX_QUERY;
  }

  /** Whether a stream can show one more task that no component of the page needs, and then still has room for those. */
  hasRoomBeside(taskId, options) {
    return this.live.length + this.missing.length < MAX_BESIDE && this.hasRoom(taskId, options);
  }

  has(taskId) {
    return this.#watches.has(taskId);
  }

  /** Add a follower, and show it the last snapshot. A missing task becomes live: there may be a new token. */
  add(taskId, { token, tokenAge, logs, isCovered }, follower) {
    const watch = this.#watches.get(taskId) ?? { taskId, followers: new Set(), snapshot: null };
    this.#watches.set(taskId, watch);
    watch.followers.add(follower);
    const given = `${token} ${tokenAge}`;
    if (token && given !== watch.given && !(isCovered && watch.token)) {
      this.#setToken(watch, token, tokenAge);
      watch.given = given; // an element that is moved brings it again
    }
    watch.logs ||= logs;
    watch.isCovered = Boolean(isCovered) && watch.isCovered !== false;
    watch.parameters = makeParameters(taskId, watch);
    watch.isMissing = false;
    follower.showTransport?.(this.#transport);
    follower.showContact?.(this.#contact);
    if (watch.snapshot) {
      follower.showSnapshot(watch.snapshot);
    }
  }

  /** Take over the answer to the request for new tokens of some tasks; the session alone serves those that got none. */
  takeTokens(taskIds, { token, tasks, max_age: age }) {
    const watches = taskIds.map((taskId) => this.#watches.get(taskId)).filter(Boolean);
    watches.forEach((watch) => (tasks.includes(watch.taskId) ? this.#setToken(watch, token, age) : this.#setToken(watch)));
  }

  #setToken(watch, token = null, tokenAge = 0) {
    Object.assign(watch, { token, tokenAge, tokenAt: performance.now() });
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
      this.#followers.forEach((follower) => follower.showTransport?.(transport));
    }
  }

  showContact(contact) {
    this.#contact = contact;
    this.#followers.forEach((follower) => follower.showContact?.(contact));
  }

  get #followers() {
    return [...this.#watches.values()].flatMap(({ followers }) => [...followers]);
  }
}

// Nothing is newer than the end.
function isNewer(snapshot, known) {
  return !known || (!isTerminal(known) && snapshot.seq >= known.seq && !isSame(snapshot, known));
}
return { Watches };
})();

modules["task-progress-connection.js"] ??= (() => {
// One connection of a page: a stream for its tasks, or polling where no stream gets through.
//
// Snapshots are whole, so a new stream needs no history: the old one stays until the new one has brought its first event.

const { Contact, HEARTBEAT_MS } = modules["task-progress-contact.js"];
const { Permit } = modules["task-progress-permit.js"];
const { Poller } = modules["task-progress-poller.js"];
const { Seeker } = modules["task-progress-seeker.js"];
const { hearServerTime } = modules["task-progress-server-time.js"];
const { drawBackoff, Timers } = modules["task-progress-timers.js"];
const { Tokens } = modules["task-progress-tokens.js"];
const { Watches } = modules["task-progress-watches.js"];

const FIRST_EVENT_MS = 10_000; // the server sends the current state at once, unless a proxy holds it back
const BURST_MS = 1000; // an event later than this after the first one shows that nothing is held back
const CHECK_MS = 20_000; // a first heartbeat has come by then
const GRACE_MS = 2000; // by which a stream may lag behind a poll
const STEADY_MS = 5000; // a stream that lasted longer has not failed
const HELD_BACK_MS = 60_000; // until a stream is tried again where a proxy holds it back
const POLL_MS = 2000;
const POLL_HIDDEN_MS = 15_000;

class Connection {
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
 * @param {{token?: string, tokenAge?: number, logs?: boolean}} options - a signed token, for how many seconds it lasts if
 *   the session may renew it, and whether to fetch log lines
 * @param {object} follower
 * @param {(snapshot: object) => void} follower.showSnapshot - is called with each newer snapshot
 * @param {() => void} follower.showMissing - is called if the server does not find the task
 * @param {(offset: number, lines: object[]) => void} follower.showLines - is called with log lines, of which some may have
 *   come before
 * @param {(transport: string) => void} [follower.showTransport] - is called with "connecting", "stream" or "polling"
 * @param {(contact: Contact) => void} [follower.showContact] - is called when the server is heard no longer, or again
 * @returns {() => void} stops following
 */
function follow(base, taskId, options, follower) {
  const connection = findConnection(base, taskId, options) ?? new Connection(base, page);
  connections.add(connection);
  connection.add(taskId, options, follower);
  return () => connection.remove(taskId, follower);
}

/**
 * Follow a task on the connection of another one, as `follow` does, where that has room: nothing is opened for it.
 *
 * @returns {?() => void} stops following; null if it is not followed
 */
function followBeside(base, companionId, taskId, options, follower) {
  const candidates = [...connections].filter((connection) => connection.base === base);
  const connection =
    candidates.find(({ watches }) => watches.has(taskId)) ??
    candidates.find(({ watches }) => watches.has(companionId) && watches.hasRoomBeside(taskId, options));
  connection?.add(taskId, options, follower);
  return connection ? () => connection.remove(taskId, follower) : null;
}

function findConnection(base, taskId, options) {
  const candidates = [...connections].filter((connection) => connection.base === base);
  return (
    candidates.find((connection) => connection.watches.has(taskId)) ??
    candidates.find((connection) => connection.watches.hasRoom(taskId, options))
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
return { follow, followBeside };
})();

modules["task-progress-children.js"] ??= (() => {
// The list of a parent's children that run or have failed, which the attribute `children` opens.
//
// It is fetched again when the parent's counts have changed, every two seconds at most. Those that run are followed on the
// connection of the parent once they have been in two lists: short ones would have it opened again and again.

const { ChildRow } = modules["task-progress-child-row.js"];
const { make, setAttribute, setHidden, setStyle, setText } = modules["task-progress-dom.js"];
const { fetchChildren } = modules["task-progress-requests.js"];
const { LIVE } = modules["task-progress-states.js"];
const { followBeside } = modules["task-progress-stream.js"];
const { say, texts } = modules["task-progress-texts.js"];
const { drawBackoff, Timers } = modules["task-progress-timers.js"];

const MAX_ROWS = 10; // of those that run, and of those that have failed
const PAUSE_MS = 2000;

class ChildList {
  #body;
  #pane = null;
  #toggle = make("button", { type: "button", class: "unfold", part: "button unfold", dir: "auto", "aria-controls": "child-list" });
  #list = make("ul", { class: "child-list", part: "child-list", id: "child-list", role: "list" });
  #more = make("p", { class: "more", part: "more", dir: "auto" });
  #timers = new Timers();
  #rows = new Map();
  #parent = null; // {base, taskId, token, tokenAge, counts, format}
  #isOpen = true;
  #asked = ""; // the counts for which it was fetched last
  #controller = null; // of the request that is under way
  #failures = 0;
  #height = 0; // in rows, which it keeps while the parent lives

  /** @param {object} parts - `body`, after which the list stands */
  constructor({ body }) {
    this.#body = body;
    this.#toggle.addEventListener("click", () => this.#setOpen(!this.#isOpen));
  }

  /** Begin with another task. */
  reset() {
    this.stop();
    this.#height = 0;
    this.#showRows([]);
  }

  /** Follow nothing until the next `render()`. */
  stop() {
    this.#controller?.abort();
    this.#controller = null;
    this.#asked = "";
    this.#timers.clearAll();
    this.#rows.forEach((row) => row.unfollow());
  }

  /**
   * Show the list where it is wanted.
   *
   * @param {TaskProgressElement} element - with `children` if it is; "closed" has its reader open it
   * @param {object} options
   * @param {string} options.base - as `findBase` returns it
   * @param {boolean} options.isLive - whether the parent may still change
   * @param {Formatter} options.format
   */
  render(element, { base, isLive, format }) {
    const counts = element.snapshot?.children;
    const isWanted = Boolean(counts) && element.hasAttribute("children");
    if (!isWanted && !this.#pane) {
      return;
    }
    if (!this.#pane) {
      this.#isOpen = element.getAttribute("children") !== "closed";
      this.#pane = make("div", { class: "family", part: "family" }, this.#toggle, this.#list, this.#more);
      this.#body.after(this.#pane);
    }
    setHidden(this.#pane, !isWanted);
    const [token, tokenAge] = [element.getAttribute("token"), Number(element.getAttribute("token-age"))];
    this.#parent = { base, taskId: element.getAttribute("task-id"), token, tokenAge, counts, isLive, format };
    isWanted && element.isConnected ? this.#update() : this.stop();
  }

  #setOpen(isOpen) {
    this.#isOpen = isOpen;
    this.#height = 0;
    this.#update();
  }

  #update() {
    setText(this.#toggle, texts.childList);
    setAttribute(this.#toggle, "aria-expanded", this.#isOpen);
    setAttribute(this.#list, "aria-label", texts.childList);
    setHidden(this.#list, !this.#isOpen);
    this.#renderRows();
    if (!this.#isOpen) {
      this.stop();
    } else if (JSON.stringify(this.#parent.counts) !== this.#asked) {
      this.#fetchSoon();
    }
  }

  #renderRows() {
    const { isLive, format, counts } = this.#parent;
    const rows = [...this.#rows.values()];
    rows.forEach((row) => row.render(format));
    this.#height = isLive ? Math.max(this.#height, rows.length) : rows.length;
    setStyle(this.#list, "--rows", this.#height);
    setAttribute(this.#list, "data-empty", texts.noChildren);
    const missing = counts.running + counts.failed + counts.lost - rows.length;
    setHidden(this.#more, !this.#isOpen || !rows.length || missing <= 0);
    setText(this.#more, say("moreChildren", { n: format.number(missing) }));
  }

  // The first time at once, then after a pause; what is asked meanwhile is answered by the same request.
  #fetchSoon() {
    if (!this.#controller && !this.#timers.has("fetch")) {
      this.#fetch();
    }
  }

  async #fetch() {
    const { base, taskId, token, tokenAge, counts } = this.#parent;
    const { signal } = (this.#controller = new AbortController());
    this.#asked = JSON.stringify(counts);
    const ask = (states) => fetchChildren(base, taskId, { token: tokenAge ? null : token, states, limit: MAX_ROWS }, signal);
    const answers = await Promise.all([ask(["running"]), ask(["failed", "lost"])]);
    if (signal.aborted) {
      return;
    }
    this.#controller = null;
    const isAnswered = answers.every(Boolean);
    this.#failures = isAnswered ? 0 : this.#failures + 1;
    this.#asked = isAnswered ? this.#asked : "";
    const isSettled = !isAnswered || this.#showRows(answers.flat());
    this.#timers.set("fetch", () => this.#goOn(isSettled), isAnswered ? PAUSE_MS : PAUSE_MS + drawBackoff(this.#failures));
  }

  #goOn(isSettled) {
    if (!isSettled || JSON.stringify(this.#parent.counts) !== this.#asked) {
      this.#fetch();
    }
  }

  // Returns whether each of those that run is followed, so that nothing of them is left to be fetched.
  #showRows(snapshots) {
    const known = this.#rows;
    this.#rows = new Map(snapshots.map((snapshot) => [snapshot.task_id, known.get(snapshot.task_id) ?? new ChildRow()]));
    known.forEach((row, taskId) => this.#rows.has(taskId) || row.unfollow());
    snapshots.forEach((snapshot) => this.#rows.get(snapshot.task_id).take(snapshot));
    this.#arrange([...this.#rows.values()].map((row) => row.element));
    const running = snapshots.filter(({ state }) => LIVE.has(state));
    const followed = running.map(({ task_id: taskId }) => known.has(taskId) && this.#follow(taskId));
    if (this.#parent?.counts) {
      this.#renderRows();
    }
    return followed.every(Boolean);
  }

  // A row that stays where it is goes on moving.
  #arrange(elements) {
    [...this.#list.children].forEach((element) => elements.includes(element) || element.remove());
    elements.forEach((element, index) => {
      if (this.#list.children[index] !== element) {
        this.#list.insertBefore(element, this.#list.children[index] ?? null);
      }
    });
  }

  #follow(taskId) {
    const { base, taskId: parentId, token, tokenAge } = this.#parent;
    const options = { token: tokenAge ? null : token, tokenAge: 0, isCovered: true };
    return this.#rows.get(taskId).follow((follower) => followBeside(base, parentId, taskId, options, follower));
  }
}
return { ChildList };
})();

modules["task-progress-bar.js"] ??= (() => {
// The bar of a task: one segment, or one for each stage or child.

const { makeChildSegments } = modules["task-progress-counts.js"];
const { setAttribute } = modules["task-progress-dom.js"];
const { estimate } = modules["task-progress-estimate.js"];
const { setSegments } = modules["task-progress-parts.js"];

/**
 * Show how far a task is. Where nobody knows that, the bar may show an estimate, but has no value.
 *
 * @param {HTMLElement} bar
 * @param {?object} snapshot
 * @param {string} state - as `findState` returns it
 * @param {object} circumstances
 * @param {boolean} circumstances.isLive
 * @param {number} circumstances.age - seconds since the task was as the snapshot says
 * @param {string} circumstances.text - what is read out of it
 */
function renderBar(bar, snapshot, state, { isLive, age, text }) {
  const { progress = 0, percent = 0, stages = [] } = snapshot ?? {};
  const estimated = estimate(snapshot, state, age);
  const whole = estimated ?? (isLive ? percent : progress);
  setSegments(bar, makeChildSegments(snapshot) ?? (stages.length ? stages : [{ weight: 1, progress: whole }]));
  setAttribute(bar, "aria-valuenow", state === "running" && percent === null ? null : progress);
  setAttribute(bar, "aria-valuetext", text);
  setAttribute(bar, "data-estimated", estimated === null ? null : "");
}
return { renderBar };
})();

modules["task-progress-sight.js"] ??= (() => {
// Which components are near the part of the page that is seen: the others need neither move nor be measured.
//
// content-visibility would also spare their layout, but with it Chromium sometimes leaves an old text on the screen.

const MARGIN = "200px"; // around what is seen, so that nothing begins to move under the eyes of the reader

const changes = new WeakMap();
const observer = new IntersectionObserver((entries) => entries.forEach(note), { rootMargin: MARGIN });

/** Give an element the class "unseen" while it is far from what is seen, and call a function each time it comes near. */
function watchSight(element, comeNear) {
  changes.set(element, comeNear);
  observer.observe(element);
}

/** Whether an element is near the part of the page that is seen. */
function isNear(element) {
  return !element.classList.contains("unseen");
}

function note({ target, isIntersecting }) {
  target.classList.toggle("unseen", !isIntersecting);
  if (isIntersecting) {
    changes.get(target)();
  }
}
return { watchSight, isNear };
})();

modules["task-progress-fit.js"] ??= (() => {
// How the texts of a component fit into its width: facts of less weight go where not all find room, and a text that is
// cut opens on a click, a tap or Enter.
//
// All components of a page are measured together, once per frame, and only those whose texts or width have changed.

const { setAttributes } = modules["task-progress-dom.js"];
const { isNear, watchSight } = modules["task-progress-sight.js"];

/** The facts that may go, the first of them first. The time left stays. */
const YIELDING = ["rate", "usual", "count", "step", "children"];

const due = new Set();
const fits = new WeakMap(); // by the element whose width counts
const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => request(fits.get(target))));

class Fit {
  #card;
  #meta;
  #texts;
  #measured = "";

  /**
   * @param {object} parts - `card`; `body`, as wide as it; `name` and `status`, which may be cut; `meta` with facts
   * @param {() => void} render - is called when the component comes near the part of the page that is seen
   */
  constructor({ card, body, name, status, meta }, render) {
    this.#meta = meta;
    this.#card = card;
    watchSight(card, () => {
      render();
      request(this);
    });
    this.#texts = [name, status].map((element) => new CutText(element, () => request(this)));
    fits.set(body, this);
    observer.observe(body);
  }

  /** Whether the component is near what is seen, so that it matters how its texts fit. */
  get isSeen() {
    return isNear(this.#card);
  }

  /** Close what the reader has opened: it is about another task. */
  reset() {
    this.#texts.forEach((text) => text.close());
  }

  /** See to it that texts that have changed fit. Figures are equally wide: only lengths count. */
  update() {
    const facts = this.#facts.map(({ className, textContent }) => className + textContent.length);
    const texts = [this.#texts.map((text) => text.content).join("\n"), ...facts].join();
    if (texts !== this.#measured) {
      this.#measured = texts;
      request(this);
    }
  }

  prepare() {
    this.#facts.forEach((fact) => (fact.hidden = false));
  }

  /** Return what is to be changed, as a function, so that all are measured before any is changed. */
  measure() {
    const hidden = this.#findHidden();
    const cuts = this.#texts.map((text) => text.isCut);
    return () => {
      hidden.forEach((fact) => (fact.hidden = true));
      this.#texts.forEach((text, index) => text.render(cuts[index]));
    };
  }

  get #facts() {
    return [...this.#meta.children];
  }

  #findHidden() {
    const yielding = YIELDING.map((name) => this.#facts.find((fact) => fact.classList.contains(name)));
    let excess = this.#meta.scrollWidth - this.#meta.clientWidth;
    return yielding.filter((fact) => {
      const yields = fact && excess > 0;
      excess -= yields ? fact.offsetWidth : 0;
      return yields;
    });
  }
}

/** A text that is cut to its line until the reader opens it. */
class CutText {
  #element;
  #pressedAt = 0;
  #change;

  constructor(element, change) {
    this.#element = element;
    this.#change = change;
    element.addEventListener("pointerdown", (event) => (this.#pressedAt = event.clientX));
    element.addEventListener("click", (event) => this.#isPress(event) && this.#toggle());
    element.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && this.#press(event));
  }

  get content() {
    return this.#element.textContent;
  }

  get isCut() {
    const { scrollWidth, clientWidth, scrollHeight, clientHeight } = this.#element;
    return scrollWidth > clientWidth || scrollHeight > clientHeight + 2;
  }

  get #isOpen() {
    return this.#element.classList.contains("open");
  }

  close() {
    this.#element.classList.remove("open");
  }

  // What has the focus keeps it, and stays a button for as long.
  render(isCut) {
    const isButton = isCut || this.#isOpen || this.#element.matches(":focus");
    setAttributes(this.#element, {
      role: isButton ? "button" : null,
      tabindex: isButton ? 0 : null,
      "aria-expanded": isButton ? this.#isOpen : null,
    });
  }

  // Who drags over the text selects it.
  #isPress(event) {
    return this.#element.hasAttribute("role") && Math.abs(event.clientX - this.#pressedAt) < 4;
  }

  #press(event) {
    event.preventDefault();
    this.#toggle();
  }

  #toggle() {
    this.#element.classList.toggle("open");
    this.#change();
  }
}

function request(fit) {
  if (!due.size) {
    requestAnimationFrame(fitAll);
  }
  due.add(fit);
}

function fitAll() {
  const all = [...due].filter((fit) => fit.isSeen);
  due.clear();
  all.forEach((fit) => fit.prepare());
  all.map((fit) => fit.measure()).forEach((change) => change());
}
return { Fit };
})();

modules["task-progress-link.js"] ??= (() => {
// The link of a component: to the result of its task, or to where its reader logs in again.

const { setAttribute, setHidden, setText } = modules["task-progress-dom.js"];
const { findForeignHost, findWebUrl } = modules["task-progress-requests.js"];
const { texts } = modules["task-progress-texts.js"];

/**
 * Show the link where it leads somewhere.
 *
 * @param {HTMLAnchorElement} link
 * @param {object} options
 * @param {boolean} options.isLoggedOut - whether the server asks for a login, and leads back from it
 * @param {*} options.url - what the result of the task names as such
 */
function renderLink(link, { isLoggedOut, url }) {
  // The page is asked for as a whole.
  const href = findWebUrl(isLoggedOut ? location.href.replace(/#.*/, "") : url);
  const host = findForeignHost(href);
  setAttribute(link, "href", href);
  setAttribute(link, "rel", host ? "noopener noreferrer" : null);
  setHidden(link, !href);
  setText(link, isLoggedOut ? texts.logIn : `${texts.result}${host && ` (${host})`}`);
}
return { renderLink };
})();

modules["task-progress-files.js"] ??= (() => {
// Texts that leave the page: to the clipboard, or as a file.

const { make } = modules["task-progress-dom.js"];

const KEPT_MS = 10_000; // for which a browser may fetch a file that it was told to download

/**
 * Copy a text, also in pages without TLS, where browsers have no clipboard for scripts; return whether it was copied.
 *
 * @param {string} text
 * @param {HTMLElement} place - where a field may stand for a moment
 */
async function copyText(text, place) {
  if (!navigator.clipboard) {
    return copyFromField(text, place);
  }
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    console.warn("<task-progress>: the browser does not let this page use the clipboard", error);
    return copyFromField(text, place);
  }
}

/** Have the browser download a text as a file of this name. */
function downloadText(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

function copyFromField(text, place) {
  const field = make("textarea", { class: "only-spoken", readonly: "" });
  const focused = place.getRootNode().activeElement;
  field.value = text;
  place.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return isCopied;
}
return { copyText, downloadText };
})();

modules["task-progress-log-search.js"] ??= (() => {
// The search in the lines of a log: it marks what it finds and goes from one to the next, so that each match keeps the
// lines around it.

const { make } = modules["task-progress-dom.js"];

class LogSearch {
  #log;
  #pattern = null;
  #current = null;

  /** @param {HTMLElement} log - holds the lines, and scrolls */
  constructor(log) {
    this.#log = log;
  }

  /** Mark what contains this text, in capitals or not, and go to the first match; "" takes the marks away. */
  set(query) {
    this.#pattern = query ? new RegExp(`(${query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")})`, "giu") : null;
    this.update(this.#log.children);
    this.#goTo(this.#matches[0]);
  }

  /** Mark the matches in lines that have come. */
  update(lines) {
    for (const line of lines) {
      markMatches(line.querySelector(".text"), this.#pattern);
    }
  }

  /** Go to the next match (1), or the one before (-1); after the last comes the first. */
  step(way) {
    const matches = this.#matches;
    const at = matches.indexOf(this.#current);
    this.#goTo(matches.at((at < 0 && way < 0 ? way : at + way) % matches.length));
  }

  /** The place of the current match, 0 if it has gone, and the number of all. */
  get place() {
    const matches = this.#matches;
    return { n: matches.indexOf(this.#current) + 1, total: matches.length };
  }

  get #matches() {
    return [...this.#log.querySelectorAll("mark")];
  }

  // Only the log scrolls, not the page.
  #goTo(match) {
    this.#current?.removeAttribute("aria-current");
    this.#current = match;
    if (match) {
      match.setAttribute("aria-current", "true");
      this.#log.scrollTop = match.offsetTop - this.#log.clientHeight / 2;
    }
  }
}

function markMatches(element, pattern) {
  const parts = pattern ? element.textContent.split(pattern) : [element.textContent];
  if (parts.length > 1 || element.childElementCount) {
    element.replaceChildren(...parts.map((part, index) => (index % 2 ? make("mark", { part: "match" }, part) : part)));
  }
}
return { LogSearch };
})();

modules["task-progress-log-tools.js"] ??= (() => {
// The row of tools above the lines of a log: search, levels, expand, copy, download.

const { draw, make, setAttributes, setText } = modules["task-progress-dom.js"];
const { texts } = modules["task-progress-texts.js"];

const ANSWER_MS = 2000; // for which the answer to a click stays

const ICONS = {
  previous: "M4 10l4-4 4 4",
  next: "M4 6l4 4 4-4",
  expand: "M5 6l3-3 3 3M5 10l3 3 3-3",
  collapse: "M5 3l3 3 3-3M5 13l3-3 3 3",
  copy: "M6 6h7v7.5H6zM3 10V2.5h7",
  download: "M8 2.5V10M5 7.2l3 3 3-3M3 13.5h10",
};

/** The choices of levels: the least one shown, and the name of its text. */
const LEVELS = { "": "levelAll", info: "levelInfo", warning: "levelWarning", error: "levelError" };

class LogTools {
  /** The row. */
  element;

  #on;
  #parts = {};
  #message = "";
  #answer = "";
  #answered;

  /**
   * @param {object} on
   * @param {() => void} on.search - is called when the reader has typed
   * @param {(way: number) => void} on.step - is called to go to the next match (1), or the one before (-1)
   * @param {() => void} on.filter - is called when other levels are chosen
   * @param {() => void} on.expand - is called when the log is to be as high as the window, or no longer
   * @param {() => Promise<string>} on.copy - copies the lines, and returns what to tell the reader
   * @param {() => void} on.download - downloads the lines
   */
  constructor(on) {
    this.#on = on;
    this.element = this.#makeRow();
    this.#follow();
  }

  /** What the reader searches for; "" for nothing. */
  get query() {
    return this.#parts.search.value;
  }

  /** The least level that is shown; "" for all. */
  get level() {
    return this.#parts.levels.value;
  }

  /** Whether the log is to be as high as the window. */
  get isExpanded() {
    return this.#parts.expand.getAttribute("aria-expanded") === "true";
  }

  /** Forget what the reader searched for and chose. */
  reset() {
    this.#parts.search.value = this.#parts.levels.value = "";
    this.tell("");
  }

  /** Show the row where it is of use, in the words of the page. */
  render({ isShown }) {
    const { search, levels, previous, next, expand, copy, download } = this.#parts;
    this.element.hidden = !isShown;
    setAttributes(search, { placeholder: texts.logSearch, "aria-label": texts.logSearch });
    setAttributes(levels, { "aria-label": texts.logLevels });
    [...levels.options].forEach((option) => setText(option, texts[LEVELS[option.value]]));
    [previous, next].forEach((button) => setAttributes(button, { hidden: this.query ? null : "" }));
    setName(previous, texts.logPrevious);
    setName(next, texts.logNext);
    setName(expand, this.isExpanded ? texts.logCollapse : texts.logExpand);
    setAttributes(expand.querySelector("path"), { d: this.isExpanded ? ICONS.collapse : ICONS.expand });
    setName(copy, texts.logCopy);
    setName(download, texts.logDownload);
  }

  /** Say something beside the search, such as the number of matches. */
  tell(message) {
    this.#message = message;
    setText(this.#parts.told, this.#answer || message);
  }

  #answerClick(answer) {
    this.#answer = answer;
    this.tell(this.#message);
    clearTimeout(this.#answered);
    this.#answered = answer && setTimeout(() => this.#answerClick(""), ANSWER_MS);
  }

  #makeRow() {
    const add = (name, element) => (this.#parts[name] = element);
    const search = add("search", make("input", { type: "search", class: "search", part: "search", spellcheck: "false" }));
    const told = add("told", make("span", { class: "told", "aria-live": "polite", dir: "auto" }));
    const options = Object.keys(LEVELS).map((level) => make("option", { value: level }));
    const levels = add("levels", make("select", { class: "levels", part: "levels" }, ...options));
    const [previous, next, expand, copy, download] = ["previous", "next", "expand", "copy", "download"].map((name) =>
      add(name, makeIconButton(name)),
    );
    expand.setAttribute("aria-expanded", "false");
    const found = make("span", { class: "searching" }, search, told, previous, next);
    return make("div", { class: "tools", part: "tools" }, found, levels, expand, copy, download);
  }

  #follow() {
    const { search, levels, previous, next, expand, copy, download } = this.#parts;
    search.addEventListener("input", () => this.#on.search());
    search.addEventListener("keydown", (event) => this.#press(event));
    previous.addEventListener("click", () => this.#on.step(-1));
    next.addEventListener("click", () => this.#on.step(1));
    levels.addEventListener("change", () => this.#on.filter());
    expand.addEventListener("click", () => this.#toggle());
    copy.addEventListener("click", async () => this.#answerClick(await this.#on.copy()));
    download.addEventListener("click", () => this.#on.download());
  }

  // A key that is used here is used up: no form is sent, and a dialog around the component stays open.
  #press(event) {
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this.#on.step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" && this.query) {
      event.preventDefault();
      event.stopPropagation();
      this.#parts.search.value = "";
      this.#on.search();
    }
  }

  #toggle() {
    this.#parts.expand.setAttribute("aria-expanded", !this.isExpanded);
    this.#on.expand();
  }
}

function makeIconButton(name) {
  const icon = draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, draw("path", { d: ICONS[name] }));
  return make("button", { type: "button", class: `tool ${name}`, part: `tool ${name}` }, icon);
}

function setName(button, name) {
  setAttributes(button, { "aria-label": name, title: name });
}
return { LogTools };
})();

modules["task-progress-log.js"] ??= (() => {
// The pane with the log of a task: its lines, each once, the newest at the bottom, and the tools above them.
//
// It keeps the last 5,000 lines, which a download contains. Of these it shows the newest 200, or all once its reader
// searches, chooses levels or expands it; a copy contains what is shown.

const { make, setAttributes, setHidden, setText } = modules["task-progress-dom.js"];
const { copyText, downloadText } = modules["task-progress-files.js"];
const { LogSearch } = modules["task-progress-log-search.js"];
const { LogTools } = modules["task-progress-log-tools.js"];
const { makeLine } = modules["task-progress-parts.js"];
const { say, texts } = modules["task-progress-texts.js"];

const KEPT_LINES = 5000;
const PLAIN_LINES = 200;

/** How much each level weighs; one that is not listed is as heavy as "info". */
const WEIGHTS = { debug: 0, info: 1, warning: 2, error: 3, critical: 4 };

class LogPane {
  #pane;
  #log;
  #newer = make("button", { type: "button", class: "newer", part: "button newer", dir: "auto", hidden: "" });
  #tools;
  #search;
  #count = 0; // of lines that have come, kept or not
  #kept = [];
  #shown = []; // in the order of the children of the log
  #newerCount = 0;
  #isWaiting = true;
  #wasPlain = true; // when all lines were made
  #format;
  #taskId = "";

  /** @param {object} parts - `pane`, which holds `log`, which holds the lines */
  constructor({ pane, log }) {
    this.#pane = pane;
    this.#log = log;
    this.#search = new LogSearch(log);
    this.#tools = new LogTools({
      search: () => this.#find(),
      step: (way) => this.#step(way),
      filter: () => this.#filter(),
      expand: () => this.#expand(),
      copy: () => this.#copy(),
      download: () => downloadText(writeLines(this.#kept), nameFile(this.#taskId)),
    });
    pane.prepend(this.#tools.element);
    pane.append(this.#newer);
    log.addEventListener("scroll", () => this.#isAtEnd && this.#setNewer(0));
    this.#newer.addEventListener("click", () => this.#goToEnd());
  }

  /** Begin with another task. */
  reset() {
    this.#count = 0;
    this.#kept = [];
    this.#tools.reset();
    this.#search.set("");
    this.#draw();
    this.#renderTools();
  }

  /**
   * Add lines, and follow them unless the reader has scrolled up. A new stream begins with some that an older one brought.
   *
   * @param {number} offset - how many lines the task has logged before these
   * @param {object[]} lines
   */
  add(offset, lines) {
    const added = lines.slice(Math.max(this.#count - offset, 0)).slice(-KEPT_LINES);
    this.#count = Math.max(this.#count, offset + lines.length);
    this.#kept = [...this.#kept, ...added].slice(-KEPT_LINES);
    this.#show(added.filter((line) => this.#isChosen(line)));
    this.#renderTools();
  }

  /**
   * Show the pane where it is wanted.
   *
   * @param {TaskProgressElement} element - with `logs`, if it is; its task names the file of a download
   * @param {object} options
   * @param {boolean} options.isWaiting - whether lines may still come
   * @param {Formatter} options.format
   */
  render(element, { isWaiting, format }) {
    this.#isWaiting = isWaiting;
    this.#format = format;
    this.#taskId = element.getAttribute("task-id");
    setHidden(this.#pane, !element.hasAttribute("logs"));
    if (!this.#pane.hidden) {
      this.#renderTools();
    }
  }

  get #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    return scrollHeight - scrollTop - clientHeight < 8;
  }

  get #isPlain() {
    return !this.#tools.query && !this.#tools.level && !this.#tools.isExpanded;
  }

  #isChosen({ level }) {
    return !this.#tools.level || weigh(level) >= weigh(this.#tools.level);
  }

  // Shows the lines that the tools choose, as far above the end as before.
  #draw() {
    const fromEnd = this.#log.scrollHeight - this.#log.scrollTop;
    this.#log.replaceChildren();
    this.#shown = [];
    this.#wasPlain = this.#isPlain;
    this.#setNewer(0);
    this.#show(this.#kept.filter((line) => this.#isChosen(line)));
    this.#log.scrollTop = this.#log.scrollHeight - fromEnd;
    this.#tellMatches();
  }

  #drawIfOthers() {
    if (this.#isPlain !== this.#wasPlain) {
      this.#draw();
    }
  }

  #show(lines) {
    const isAtEnd = this.#isAtEnd;
    const limit = this.#isPlain ? PLAIN_LINES : KEPT_LINES;
    const made = lines.slice(-limit).map((line) => makeLine({ ...line, time: this.#format.time(line.t) }));
    this.#search.update(made);
    this.#log.append(...made);
    this.#shown = [...this.#shown, ...lines].slice(-limit);
    while (this.#log.childElementCount > limit) {
      this.#log.firstChild.remove();
    }
    if (isAtEnd) {
      this.#log.scrollTop = this.#log.scrollHeight;
    } else {
      this.#setNewer(this.#newerCount + lines.length);
    }
    this.#tellMatches();
  }

  #setNewer(count) {
    const hadFocus = this.#newer.matches(":focus");
    this.#newerCount = count;
    this.#newer.hidden = !count;
    setText(this.#newer, count === 1 ? texts.newLine : say("newLines", { n: this.#format?.number(count) }));
    if (hadFocus && !count) {
      this.#log.focus();
    }
  }

  #goToEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#setNewer(0);
  }

  #find() {
    this.#drawIfOthers();
    this.#search.set(this.#tools.query);
    this.#tellMatches();
    this.#renderTools();
  }

  #filter() {
    this.#draw();
    this.#find();
  }

  #step(way) {
    this.#search.step(way);
    this.#tellMatches();
  }

  #tellMatches() {
    const { n, total } = this.#search.place;
    const found = total ? say("logFound", { n: this.#format.number(n), total: this.#format.number(total) }) : texts.logNotFound;
    this.#tools.tell(this.#tools.query ? found : "");
  }

  #expand() {
    this.#pane.classList.toggle("expanded", this.#tools.isExpanded);
    this.#drawIfOthers();
    this.#renderTools();
    this.#pane.scrollIntoView({ block: "nearest" });
  }

  async #copy() {
    return (await copyText(writeLines(this.#shown), this.#pane)) ? texts.logCopied : texts.logNotCopied;
  }

  #renderTools() {
    this.#tools.render({ isShown: this.#kept.length > 0 });
    const empty = this.#isWaiting ? texts.noLines : texts.noLinesAtEnd;
    setAttributes(this.#log, { "aria-label": texts.log, "data-empty": this.#kept.length ? texts.noSuchLines : empty });
  }
}

function weigh(level) {
  return WEIGHTS[level] ?? WEIGHTS.info;
}

function writeLines(lines) {
  return lines.map(({ t, level, text }) => `${t} ${level.toUpperCase()} ${text}\n`).join("");
}

function nameFile(taskId) {
  return `${taskId.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-log.txt`;
}
return { LogPane };
})();

modules["task-progress-page.js"] ??= (() => {
// The title and the icon of the page, taken for a while and given back. What another script sets meanwhile stays.

const { make } = modules["task-progress-dom.js"];

const STEPS = 20; // in which the ring grows: browsers draw each icon of a tab afresh
const UNKNOWN = 0.25; // the share that the ring shows while there is none
const RADIUS = 12;

class PageTitle {
  #before = null;
  #own = null;

  /** Show a text in place of the title, unless another script has changed it since. */
  show(text) {
    this.#before ??= document.title;
    if (text !== this.#own && [this.#own, this.#before].includes(document.title)) {
      document.title = text;
      this.#own = document.title; // without spaces at its ends
    }
  }

  /** Give the page its title back, unless another script has changed it. */
  giveBack() {
    if (this.#own !== null && document.title === this.#own) {
      document.title = this.#before;
    }
    this.#before = this.#own = null;
  }
}

class PageIcon {
  #link = null;
  #parked = new Map(); // links to the page's own icons, with their `rel`
  #isWanted = false;
  #isAllowed = null;

  /** Show a ring in place of the icon, if the policy of the page allows it: filled to a share of 0 to 1, or null. */
  async show(share) {
    this.#isWanted = true;
    const url = drawRing(share === null ? UNKNOWN : Math.round(share * STEPS) / STEPS);
    this.#isAllowed ??= canShow(url);
    if ((await this.#isAllowed) && this.#isWanted) {
      this.#set(url);
    }
  }

  /** Give the page its icon back. */
  giveBack() {
    this.#isWanted = false;
    this.#link?.remove();
    this.#link = null;
    this.#parked.forEach((rel, link) => (link.rel = rel));
    this.#parked.clear();
  }

  #set(url) {
    if (!this.#link) {
      document.querySelectorAll("link[rel~=icon]").forEach((link) => this.#park(link));
      this.#link = make("link", { rel: "icon", type: "image/svg+xml", sizes: "any" });
      document.head.append(this.#link);
    }
    if (this.#link.href !== url) {
      this.#link.href = url;
    }
  }

  // Browsers choose among all icons of a page by rules of their own.
  #park(link) {
    this.#parked.set(link, link.rel);
    link.rel = "parked-icon";
  }
}

function drawRing(share) {
  const length = 2 * Math.PI * RADIUS;
  const draw = (attributes) => `<circle cx="16" cy="16" r="${RADIUS}" fill="none" stroke-width="6" ${attributes}/>`;
  const filled = `stroke="#4c7bf3" stroke-dasharray="${length * share} ${length}" transform="rotate(-90 16 16)"`;
  const rings = draw('stroke="#8a8a94" stroke-opacity=".4"') + draw(filled);
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${rings}</svg>`)}`;
}

// Asked once: the policy of a page does not change, and each icon that it forbids would be reported.
function canShow(url) {
  return new Promise((resolve) => {
    const image = make("img");
    image.addEventListener("load", () => resolve(true));
    image.addEventListener("error", () => resolve(false));
    image.src = url;
  });
}
return { PageTitle, PageIcon };
})();

modules["task-progress-tab.js"] ??= (() => {
// What the tab of a page shows of its tasks: its title, such as "42% · Import orders", and a ring as its icon.
//
// All components of a page share the one title and the one icon. A task that succeeds counts until the last one has
// ended, so that the share of several does not go back; then the page has its own title and icon again.

const { isSet } = modules["task-progress-dom.js"];
const { PageIcon, PageTitle } = modules["task-progress-page.js"];
const { say } = modules["task-progress-texts.js"];

const title = new PageTitle();
const icon = new PageIcon();
const tasks = new Map(); // by the element that shows it

/**
 * Show a task in the tab where the attributes of its element say so, and no longer than it lives.
 *
 * @param {TaskProgressElement} element - with `page-title` or `page-icon`
 * @param {object} parts - `name`, `percent` and `status`, which say how far the task is
 * @param {object} options
 * @param {boolean} options.isLive
 * @param {Formatter} options.format
 */
function showInTab(element, { name, percent, status }, { isLive, format }) {
  const [inTitle, inIcon] = ["page-title", "page-icon"].map((attribute) => isSet(element, attribute));
  const counts = element.isConnected && (isLive || (element.state === "succeeded" && tasks.has(element)));
  if (counts && (inTitle || inIcon)) {
    const share = element.snapshot.percent === null ? null : element.snapshot.progress / 100;
    const figure = percent.textContent || status.textContent;
    tasks.set(element, { inTitle, inIcon, isLive, share, figure, name: name.textContent, format });
    update();
  } else {
    leaveTab(element);
  }
}

/** Show the task of an element no longer. */
function leaveTab(element) {
  if (tasks.delete(element)) {
    update();
  }
}

function update() {
  if (![...tasks.values()].some((task) => task.isLive)) {
    tasks.clear();
  }
  const shown = [...tasks.values()];
  show(title, shown.filter((task) => task.inTitle), describeAll);
  show(icon, shown.filter((task) => task.inIcon), findShare);
}

function show(place, shown, describe) {
  shown.length ? place.show(describe(shown)) : place.giveBack();
}

function describeAll(shown) {
  const [{ figure, name, format }] = shown;
  if (shown.length === 1) {
    return [figure, name].filter(Boolean).join(" · ");
  }
  const share = findShare(shown);
  const count = say("tasks", { n: format.number(shown.length) });
  return share === null ? count : `${format.percent(Math.floor(share * 100))} · ${count}`;
}

// Of several tasks, the mean of those whose share is known.
function findShare(shown) {
  const known = shown.filter((task) => task.share !== null);
  return known.length ? known.reduce((sum, task) => sum + task.share, 0) / known.length : null;
}
return { showInTab, leaveTab };
})();

modules["task-progress-element.js"] ??= (() => {
// <task-progress task-id="…">: shows how far a task is, and whether it is alive.
//
// Attributes: task-id, src (the path under which the app's URLs are included, "/"), token, token-age, label, cancel, logs,
// children, compact, page-title and page-icon.
// Events: task-progress:change, :end and :error; they bubble, and their detail is the snapshot.

const { CancelButton, findCancelToken } = modules["task-progress-cancel-button.js"];
const { ChildList } = modules["task-progress-children.js"];
const { renderBar } = modules["task-progress-bar.js"];
const { describeProblems } = modules["task-progress-counts.js"];
const { describe, describeName, describeNews } = modules["task-progress-description.js"];
const { readSnapshot, setAttribute, setHidden, setText, takeOverProperty } = modules["task-progress-dom.js"];
const { isEstimated } = modules["task-progress-estimate.js"];
const { Fit } = modules["task-progress-fit.js"];
const { renderLink } = modules["task-progress-link.js"];
const { LogPane } = modules["task-progress-log.js"];
const { makeParts, MARKS, setFacts } = modules["task-progress-parts.js"];
const { findBase, postCancel } = modules["task-progress-requests.js"];
const { findAge, serverNow } = modules["task-progress-server-time.js"];
const { findState, isLive, isSame, isTerminal } = modules["task-progress-states.js"];
const { follow } = modules["task-progress-stream.js"];
const { getFormatter, readTexts, texts } = modules["task-progress-texts.js"];
const { leaveTab, showInTab } = modules["task-progress-tab.js"];
const { renderSoon, setTicking } = modules["task-progress-timers.js"];

class TaskProgressElement extends HTMLElement {
  /** The texts of all components; a page may assign to its members. */
  static texts = texts;
  static observedAttributes = ["task-id", "src", "token", "token-age", "label", "cancel", "logs", "children", "compact",
    "lang", "page-title", "page-icon", "data-state"];

  #internals = this.attachInternals();
  #snapshot = null;
  #receivedAt = 0;
  #isMissing = false;
  #announced = "";
  #contact = null;
  #isHeard = false;
  #unfollow = null;
  #parts = null;
  #button = null;
  #log = null;
  #family = null;
  #fit = null;

  /** The last snapshot, or null. */
  get snapshot() {
    return this.#snapshot;
  }

  /** The state of the task, or "connecting", "reconnecting", "stalled" or "missing". */
  get state() {
    return findState(this.#snapshot, this.#isMissing || !this.getAttribute("task-id"), Boolean(this.#contact?.problem));
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
    const text = [percent, status, facts.children, facts.problems, facts.usual].filter(Boolean).join(", ");
    renderBar(this.#parts.bar, this.#snapshot, state, { isLive: this.#isLive, age: this.#age, text });
    this.#renderButton();
    this.#renderLink();
    this.#renderLog();
    this.#family.render(this, { base: this.#base, isLive: this.#isLive, format: this.#format });
    this.#announce(status);
    showInTab(this, this.#parts, { isLive: this.#isLive && state !== "reconnecting", format: this.#format });
    this.#fit.update();
    setTicking(this, this.isConnected && this.#isTicking);
  }

  connectedCallback() {
    takeOverProperty(this, "cancel");
    this.#parts ??= makeParts(this.attachShadow({ mode: "open" }));
    this.#button ??= new CancelButton(this.#parts, {
      send: () => postCancel(this.#base, this.getAttribute("task-id"), findCancelToken(this)),
      render: () => this.render(),
      answer: () => this.#problem && this.#dispatch("error", this.#problem),
      moveFocus: () => this.#parts.card.focus(),
    });
    this.#log ??= new LogPane(this.#parts);
    this.#family ??= new ChildList(this.#parts);
    this.#fit ??= new Fit(this.#parts, () => this.render());
    readTexts();
    this.#follow();
  }

  disconnectedCallback() {
    this.#unfollow?.();
    this.#unfollow = null;
    this.#family.stop();
    setTicking(this, false);
    leaveTab(this);
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#unfollow || before === after || (name === "data-state" && after === this.state)) {
      return;
    }
    if (name === "task-id") {
      this.#reset();
    }
    if (["task-id", "src", "token", "token-age", "logs"].includes(name)) {
      this.#follow();
    } else {
      this.render();
    }
  }

  get #isLive() {
    return isLive(this.#snapshot, this.#isMissing);
  }

  // Whether what is shown changes with time alone.
  get #isTicking() {
    const { eta, queue_position: position } = this.#snapshot ?? {};
    const isCounted = typeof eta === "number" || position === 1 || this.state === "stalled";
    return this.state === "reconnecting" || (this.#isLive && (isCounted || isEstimated(this.#snapshot, this.state)));
  }

  get #elapsed() {
    return (performance.now() - this.#receivedAt) / 1000;
  }

  get #age() {
    return findAge(this.#snapshot, this.#elapsed);
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
    this.#isMissing = this.#isHeard = false;
    this.#announced = "";
    this.#button.reset();
    this.#log.reset();
    this.#family.reset();
    this.#fit.reset();
  }

  #follow() {
    this.#unfollow?.();
    this.#unfollow = () => {};
    const taskId = this.getAttribute("task-id");
    this.#takeFromPage(taskId);
    const [token, tokenAge] = [this.getAttribute("token"), Number(this.getAttribute("token-age"))];
    const options = { token, tokenAge, logs: this.hasAttribute("logs") };
    if (taskId && (options.logs || !isTerminal(this.#snapshot))) {
      this.#unfollow = follow(this.#base, taskId, options, {
        showSnapshot: (snapshot) => this.#showSnapshot(snapshot),
        showMissing: () => this.#showMissing(),
        showLines: (offset, lines) => this.#log.add(offset, lines),
        showTransport: (transport) => this.setAttribute("data-transport", transport),
        showContact: (contact) => this.#showContact(contact),
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
    this.#receivedAt = performance.now();
    this.#isMissing = false;
  }

  #showSnapshot(snapshot) {
    this.#isHeard = true;
    if (isSame(snapshot, this.#snapshot) && !this.#isMissing) {
      this.#renderLog();
      return;
    }
    const { state } = this;
    this.#take(snapshot);
    this.state === state ? renderSoon(this, { isSeen: this.#fit.isSeen }) : this.render();
    this.#dispatch("change");
    if (isTerminal(snapshot)) {
      this.#dispatch("end", `${this.#parts.name.textContent}: ${this.#parts.status.textContent}`);
    }
  }

  #showMissing() {
    this.#isMissing = true;
    this.render();
    this.#dispatch("error", texts.missing);
  }

  #showContact(contact) {
    const wasCutOff = this.state === "reconnecting";
    this.#contact = contact;
    this.render();
    if (this.state === "reconnecting" && !wasCutOff) {
      this.#dispatch("error", texts.reconnecting);
    }
  }

  #dispatch(name, message) {
    const event = new CustomEvent(`task-progress:${name}`, { bubbles: true, composed: true, detail: this.#snapshot });
    this.dispatchEvent(Object.assign(event, { message }));
  }

  #describe() {
    const isCompact = this.hasAttribute("compact");
    const circumstances = { now: serverNow(), elapsed: this.#elapsed, age: this.#age, isMine: this.#button.isSent, isCompact };
    const said = this.#snapshot
      ? describe(this.#snapshot, this.state, circumstances, this.#format)
      : { percent: "", status: this.getAttribute("task-id") ? texts[this.state] : texts.noTask, facts: {} };
    const news = this.state === "reconnecting" && describeNews(this.#contact, performance.now(), this.#format);
    return news === false ? said : { ...said, facts: { news } };
  }

  // Styles go by the state alone: who morphs the page takes away the attribute, which is a mirror for the page.
  #setState(state) {
    const { states } = this.#internals;
    if (!states.has(state)) {
      states.clear();
      states.add(state);
    }
    setAttribute(this, "data-state", state);
  }

  #renderTexts(percent, status, facts) {
    const { name, percent: figure, status: sentence, meta, problem } = this.#parts;
    const label = this.getAttribute("label") || describeName(this.#snapshot);
    setText(name, label, label);
    setText(figure, percent);
    setText(sentence, status, status);
    setText(problem, this.#problem);
    setHidden(problem, !this.#problem);
    setFacts(meta, facts);
  }

  #renderIcon(state) {
    const { icon, mark } = this.#parts;
    setAttribute(icon, "aria-label", texts[state]);
    setAttribute(mark, "d", MARKS[state] ?? "");
  }

  #renderButton() {
    const isRequested = Boolean(this.#snapshot?.cancel_requested);
    this.#button.render({ isLive: this.#isLive, isOffered: this.hasAttribute("cancel"), isRequested });
  }

  #renderLink() {
    const isLoggedOut = this.state === "reconnecting" && this.#contact.problem === "loggedOut";
    renderLink(this.#parts.link, { isLoggedOut, url: this.state === "succeeded" && this.#snapshot.result?.url });
  }

  // What a task has logged comes before its snapshot; one that came with the page says nothing of lines.
  #renderLog() {
    const isWaiting = this.#isLive || !(this.#isHeard || this.state === "missing");
    this.#log.render(this, { isWaiting, format: this.#format });
  }

  // Each state, and each ten percent, is announced once.
  #announce(status) {
    const { progress = 0, percent = null } = this.#snapshot ?? {};
    const tens = this.state === "running" && percent !== null ? Math.floor(progress / 10) * 10 : 0;
    const key = `${this.state} ${tens} ${this.#problem}`;
    if (this.#snapshot && key !== this.#announced) {
      this.#announced = key;
      const news = [this.#problem || (tens ? this.#format.percent(tens) : status), describeProblems(this.#snapshot, this.#format)];
      setText(this.#parts.spoken, `${this.#parts.name.textContent}: ${news.filter(Boolean).join(", ")}`);
    }
  }
}
return { TaskProgressElement };
})();

modules["task-progress-definition.js"] ??= (() => {
// Defines <task-progress> in a page: <script type="module" src="…/task-progress-define.js"></script>
const { TaskProgressElement } = modules["task-progress-element.js"];

const defined = customElements.get("task-progress");

// Copies of one release share their modules, and so the class.
if (!defined) {
  customElements.define("task-progress", TaskProgressElement);
} else if (defined !== TaskProgressElement) {
  console.warn("<task-progress>: the page has loaded another release of the script before; that one stays in use");
}
return {};
})();
