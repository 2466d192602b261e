// The elements that <task-progress> is made of. Made one by one: neither innerHTML nor an inline style is needed, so that
// the strictest Content-Security-Policy, with Trusted Types, allows it.

import { style } from "./task-progress-style.js";

/** The path of each state's icon. */
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
 * Fill the shadow root of an element, and return its parts by name.
 *
 * @param {ShadowRoot} root
 */
export function build(root) {
  const parts = {};
  const make = (tag, name, attributes = {}, ...children) => {
    const element = (parts[name] = document.createElement(tag));
    setAttributes(element, { class: name, part: name, ...attributes });
    element.append(...children);
    return element;
  };
  const makeButton = (name) => make("button", name, { type: "button", part: `button ${name}` });
  const answers = [make("span", "question", { dir: "auto" }), makeButton("yes"), makeButton("no")];
  const confirmation = make("span", "confirmation", { class: "actions", role: "group" }, ...answers);
  const actions = make("span", "actions", {}, makeButton("cancel"), confirmation);
  const name = make("span", "name", { id: "name", dir: "auto" });
  const head = make("div", "head", {}, makeIcon(parts), name, make("span", "percent"), actions);
  const range = { role: "progressbar", "aria-labelledby": "name", "aria-valuemin": 0, "aria-valuemax": 100 };
  const status = make("span", "status", { dir: "auto" });
  const foot = make("div", "foot", {}, status, make("span", "meta", { dir: "auto" }), make("a", "link"));
  const body = make("div", "body", {}, head, make("div", "bar", range), foot);
  const log = make("div", "log", { role: "log", "aria-live": "off", tabindex: 0 });
  const card = make("div", "card", { role: "group", "aria-labelledby": "name", tabindex: -1 }, body, log);
  root.adoptedStyleSheets = [style];
  root.append(card, make("div", "spoken", { role: "status" }));
  return parts;
}

/** Make the bar have these segments; each is as wide as its weight, and filled as far as its progress. */
export function setSegments(bar, segments) {
  while (bar.childElementCount > segments.length) {
    bar.lastChild.remove();
  }
  while (bar.childElementCount < segments.length) {
    bar.append(makeElement("div", "segment", makeElement("div", "fill")));
  }
  segments.forEach(({ weight, progress, name = "" }, index) => {
    const segment = bar.children[index];
    segment.style.flexGrow = weight;
    segment.firstChild.style.inlineSize = progress === null ? "" : `${progress}%`;
    segment.title = name;
  });
}

/** Return a line of the log. */
export function makeLine({ time, level, text }) {
  const line = makeElement("div", "line", makeElement("time", "time", time), makeElement("span", "text", text));
  line.dataset.level = level;
  return line;
}

/** Set a text as text; one that may be cut off is shown in full when it is pointed at. */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
    element.title = ["name", "status"].includes(element.classList[0]) ? text : "";
  }
}

/** Show facts, by name, in one line; one that is empty is left out. */
export function setFacts(element, facts) {
  const shown = Object.entries(facts).filter(([, text]) => text);
  const whole = shown.map(([, text]) => text).join(" · ");
  if (element.title !== whole) {
    element.title = whole;
    element.replaceChildren(
      ...shown.map(([name, text], index) => makeElement("span", `fact ${name}`, `${index ? " · " : ""}${text}`)),
    );
  }
}

function makeElement(tag, name, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, { class: name, part: name });
  element.append(...children);
  return element;
}

function makeIcon(parts) {
  const draw = (tag, attributes, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    setAttributes(element, attributes);
    element.append(...children);
    return element;
  };
  parts.mark = draw("path", { "fill-rule": "evenodd" });
  const ring = draw("circle", { cx: 8, cy: 8, r: 6 });
  parts.icon = draw("svg", { class: "icon", part: "icon", viewBox: "0 0 16 16", role: "img" }, ring, parts.mark);
  return parts.icon;
}

function setAttributes(element, attributes) {
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
}
