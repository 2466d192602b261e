// What <task-progress> says: its words, which a page may replace, and its numbers and times in the page's language.

/** The words. {…} is filled in; `position` has one text for each ordinal category of the language. */
export const texts = {
  queued: "Queued",
  running: "Running",
  succeeded: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  lost: "Lost: the worker stopped responding",
  missing: "Not found, or not for you to see",
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
  left: "{time} left",
  seconds: "{n} s",
  minutes: "{n} min",
  hours: "{hours} h {minutes} min",
  cancel: "Cancel",
  cancelling: "Cancelling…",
  confirm: "Cancel it?",
  yes: "Yes",
  no: "No",
  result: "Open result",
  log: "Log",
  noLines: "No lines yet",
  unreachable: "The server can't be reached.",
  refused: "The server refused it.",
};

/** The server's own words for a state, which the page says in its language. */
export const SERVER_TEXTS = { ...texts };

/** Take over the words of the page's <script type="application/json" id="task-progress-texts">, if it has one. */
export function readTexts() {
  const element = document.getElementById("task-progress-texts");
  if (element && !element.isTaken) {
    element.isTaken = true;
    Object.assign(texts, JSON.parse(element.textContent));
  }
}

/** Return the text of this name, with its gaps filled. */
export function say(name, values = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (gap, key) => values[key] ?? gap);
}

/** Formats for one language. */
export class Formatter {
  #formats = new Map();

  /** @param {string} language - a BCP 47 tag; one that is none stands for the browser's own */
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

  /** m:ss up to an hour, then hours and minutes. */
  duration(seconds) {
    const whole = Math.ceil(seconds);
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
    if (hours) {
      return say("hours", { hours: this.number(hours), minutes: this.number(minutes) });
    }
    return `${this.number(minutes)}:${this.number(whole % 60, { minimumIntegerDigits: 2 })}`;
  }

  /** Seconds up to a minute, then minutes, then hours and minutes. */
  roughly(seconds) {
    if (seconds >= 3600) {
      return this.duration(seconds);
    }
    const [name, n] = seconds < 60 ? ["seconds", Math.floor(seconds)] : ["minutes", Math.floor(seconds / 60)];
    return say(name, { n: this.number(n) });
  }

  /** hh:mm:ss of an RFC 3339 text, or of seconds since 1970. */
  time(time) {
    const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
    return this.date(typeof time === "number" ? time * 1000 : time, options);
  }

  /** A moment in the reader's time zone; the options are those of Intl.DateTimeFormat. */
  date(time, options) {
    return this.#get(Intl.DateTimeFormat, options).format(new Date(time));
  }

  position(n) {
    const isTranslated = texts.positionOther !== SERVER_TEXTS.positionOther;
    const rules = (isTranslated ? this : getFormatter("en")).#get(Intl.PluralRules, { type: "ordinal" });
    const category = rules.select(n);
    const name = `position${category[0].toUpperCase()}${category.slice(1)}`;
    return say(name in texts ? name : "positionOther", { n: this.number(n) });
  }

  /** "42,310 / 100,000 rows"; null where the task did not say. */
  count({ current, total, unit }) {
    if (current === null || unit === null) {
      return null;
    }
    if (isBytes(unit)) {
      return [current, total].filter((value) => value !== null).map((value) => this.#bytes(value)).join(" / ");
    }
    const counted = total === null ? this.number(current) : `${this.number(current)} / ${this.number(total)}`;
    return `${counted} ${unit}`;
  }

  rate({ rate, unit }) {
    if (rate === null || unit === null) {
      return null;
    }
    const digits = { maximumFractionDigits: rate < 10 ? 1 : 0 };
    return say("rate", { rate: isBytes(unit) ? this.#bytes(rate) : `${this.number(rate, digits)} ${unit}` });
  }

  #bytes(value) {
    const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), 4);
    return `${this.number(value / 1000 ** power)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
  }

  #get(Format, options) {
    const key = Format.name + JSON.stringify(options);
    if (!this.#formats.has(key)) {
      this.#formats.set(key, new Format(this.language, options));
    }
    return this.#formats.get(key);
  }
}

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
