// What the monitor's pages are made with: markup that stands in the page, and texts that are set as texts.

import { setText } from "../task-progress-dom.js";
import { readTexts, texts } from "../task-progress-texts.js";

/** Take over the words of the page, the component's and the monitor's. */
export function readWords() {
  readTexts();
  for (const { value, textContent } of document.getElementById("monitor-texts").content.querySelectorAll("data")) {
    texts[value] = textContent;
  }
}

/** What a state is called in a list. */
export function nameState(state) {
  return texts[`state-${state}`] ?? texts[state];
}

/** The address under which the app's endpoints are, with a slash at its end. */
export function findBase(element) {
  return new URL(".", new URL(element.dataset.stream, document.baseURI)).href;
}

/** Return a copy of the markup in a <template>. */
export function stamp(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Return the elements inside another one that have a `data-part`, by its value. */
export function findParts(element) {
  return Object.fromEntries([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

/** Show a moment in a <time>: short in the list, where those of today need no date. */
export function setTime(element, time, format, { isShort = false, now = 0 } = {}) {
  const whole = time ? format.date(time, { dateStyle: "medium", timeStyle: "medium" }) : "";
  element.dateTime = time ?? "";
  setText(element, isShort && time ? shorten(time, format, now) : whole, isShort ? whole : "");
}

function shorten(time, format, now) {
  const isToday = new Date(time).toDateString() === new Date(now).toDateString();
  return format.date(time, isToday ? { timeStyle: "short" } : { month: "short", day: "numeric" });
}

/** Does the click mean "here", not "in a new tab"? */
export function isPlain(event) {
  return event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
}
