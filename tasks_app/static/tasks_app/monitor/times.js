// Times as the monitor shows them: how long ago, with the exact time under the pointer.

import { setText } from "../task-progress-dom.js";
import { serverNow } from "../task-progress-server-time.js";

const UNITS = [["day", 86_400], ["hour", 3600], ["minute", 60]];

/** Show a time in a <time> element as "2 min. ago", and the whole of it as its title. */
export function setTimeAgo(element, time, format) {
  element.dateTime = time ?? "";
  setText(element, time ? describeAge(time, format) : "", time ? describeTime(time, format) : "");
}

/** Return the whole of a time. */
export function describeTime(time, format) {
  return format.date(time, { dateStyle: "medium", timeStyle: "medium" });
}

// Seconds are not counted: a list in which each row changes all the time is hard to read.
function describeAge(time, format) {
  const seconds = Math.max(serverNow() - Date.parse(time), 0) / 1000;
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? UNITS.at(-1);
  return getRelative(format.language).format(-Math.floor(seconds / size), unit);
}

const formats = new Map();

function getRelative(language) {
  if (!formats.has(language)) {
    formats.set(language, new Intl.RelativeTimeFormat(language, { style: "short", numeric: "auto" }));
  }
  return formats.get(language);
}
