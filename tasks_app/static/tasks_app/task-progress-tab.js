// What the tab of a page shows of its tasks: its title, such as "42% · Import orders", and a ring as its icon.
//
// All components of a page share the one title and the one icon. A task that succeeds counts until the last one has
// ended, so that the share of several does not go back; then the page has its own title and icon again.

import { isSet } from "./task-progress-dom.js";
import { PageIcon, PageTitle } from "./task-progress-page.js";
import { say } from "./task-progress-texts.js";

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
export function showInTab(element, { name, percent, status }, { isLive, format }) {
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
export function leaveTab(element) {
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
