// The texts of <task-progress>, which a page may replace, and its numbers and times in the language of the page.

/** The texts as the server has them: where a status is one of these, the page shows its own text instead. */
export const SERVER_TEXTS = {
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
export const texts = (globalThis[Symbol.for("tasks_app texts")] ??= {});
Object.entries(SERVER_TEXTS).forEach(([name, text]) => (texts[name] ??= text));

/** Take over the texts of the page's <script type="application/json" id="task-progress-texts">, if it has one. */
export function readTexts() {
  const element = document.getElementById("task-progress-texts");
  if (element && !element.isTaken) {
    element.isTaken = true;
    Object.assign(texts, JSON.parse(element.textContent));
  }
}

/** Return the text of this name, with values filled in: isolated in a text that is read from right to left. */
export function say(name, values = {}) {
  const [start, end] = /[\u0590-\u08ff]/.test(texts[name]) ? ["\u2068", "\u2069"] : ["", ""];
  return texts[name].replace(/\{(\w+)\}/g, (gap, key) => start + (values[key] ?? gap) + end);
}

/** Formats numbers, times and snapshots for one language. */
export class Formatter {
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
export function getFormatter(language) {
  language ||= document.documentElement.lang || navigator.language;
  if (!formatters.has(language)) {
    formatters.set(language, new Formatter(language));
  }
  return formatters.get(language);
}
