// Elements of the monitor's pages: markup that stands in the page as a <template>, and the texts of those pages.

import { setText } from "../task-progress-dom.js";
import { readTexts, texts } from "../task-progress-texts.js";

/** Take over the texts of the page, those of the component and those of the monitor. */
export function readPageTexts() {
  readTexts();
  for (const { value, textContent } of document.getElementById("monitor-texts").content.querySelectorAll("data")) {
    texts[value] = textContent;
  }
}

/** Return the name of a state, as it stands in a list. */
export function nameState(state) {
  return texts[`state-${state}`] ?? texts[state];
}

/** Return a copy of the markup in a <template>. */
export function stamp(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Return the elements inside another one that have a `data-part`, by its value. */
export function findParts(element) {
  return Object.fromEntries([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

/** Show a time in a <time> element: the whole of it, or a short form that has the whole as its title. */
export function setTime(element, time, format, { isShort = false, now = 0 } = {}) {
  const whole = time ? format.date(time, { dateStyle: "medium", timeStyle: "medium" }) : "";
  element.dateTime = time ?? "";
  setText(element, isShort && time ? shorten(time, format, now) : whole, isShort ? whole : "");
}

/** Whether a click means this page, and not a new tab or window. */
export function isPlainClick(event) {
  return event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
}

// Times of today need no date.
function shorten(time, format, now) {
  const isToday = new Date(time).toDateString() === new Date(now).toDateString();
  return format.date(time, isToday ? { timeStyle: "short" } : { month: "short", day: "numeric" });
}
