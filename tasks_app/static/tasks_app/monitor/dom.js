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

/** Return a copy of the markup in a <template>. */
export function stamp(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Return the elements inside another one that have a `data-part`, by its value. */
export function findParts(element) {
  return Object.fromEntries([...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
}

/** Put elements into a parent in this order; one that is in its place stays there. */
export function arrange(parent, elements) {
  let place = parent.firstElementChild;
  for (const element of elements) {
    if (element === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(element, place);
    }
  }
}

/** Show a time in a <time> element. */
export function setTime(element, time, format) {
  element.dateTime = time ?? "";
  setText(element, time ? format.date(time, { dateStyle: "medium", timeStyle: "medium" }) : "");
}

/** Show a moment, in milliseconds, as the time of day, with the day unless that is today's; the whole is its title. */
export function setMoment(element, moment, now, format) {
  const isToday = new Date(moment).toDateString() === new Date(now).toDateString();
  const day = moment === null || isToday ? "" : `${format.date(moment, { month: "short", day: "numeric" })}, `;
  const whole = moment === null ? "" : format.date(moment, { dateStyle: "full", timeStyle: "long", hourCycle: "h23" });
  element.dateTime = moment === null ? "" : new Date(moment).toISOString();
  setText(element, moment === null ? "" : `${day}${format.time(moment / 1000)}`, whole);
}

/** Whether a click means this page, and not a new tab or window. */
export function isPlainClick(event) {
  return event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
}
