// The elements inside <task-progress>, which a page styles by `::part()`.

import { childrenStyle } from "./task-progress-children-style.js";
import { draw, make, setAttribute, setChildCount, setStyle, setText } from "./task-progress-dom.js";
import { logStyle } from "./task-progress-log-style.js";
import { style } from "./task-progress-style.js";

/** The path of each state's icon; the others have none. */
export const MARKS = {
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
export function makeParts(root) {
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
export function setSegments(bar, segments) {
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
export function setFacts(element, facts) {
  const shown = Object.entries(facts).filter(([, text]) => text);
  const parts = shown.map(([name]) => `fact ${name}`);
  if (parts.join() !== [...element.children].map((fact) => fact.className).join()) {
    element.replaceChildren(...parts.map(makeFact));
  }
  shown.forEach(([, text], index) => setText(element.children[index].lastChild, text));
  setText(element, element.textContent, shown.map(([, text]) => text).join(" · "));
}

/** Make a line of the log. */
export function makeLine({ time, level, text }) {
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
