// Elements, made and changed without innerHTML or inline styles: the strictest Content-Security-Policy, with
// Trusted Types, allows them, and a text from the server stays text.

import { LIVE, TERMINAL } from "./task-progress-states.js";

const STATES = new Set([...LIVE, ...TERMINAL]);

/** Make an HTML element. */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** Set the text of an element, and the title that it shows under the pointer. */
export function setText(element, text, title = "") {
  if (element.textContent !== text) {
    element.textContent = text;
  }
  if (element.title !== title) {
    element.title = title;
  }
}

/** Add or remove children at the end until there are as many as `count`. */
export function setChildCount(parent, count, makeChild) {
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

/** Have the class of an element see a property that a page set before the element was defined, and that hides its own. */
export function takeOverProperty(element, name) {
  if (Object.hasOwn(element, name)) {
    const value = element[name];
    delete element[name];
    element[name] = value;
  }
}

/** Return the snapshot that a page put into an element as JSON, or null without one that is whole. */
export function readSnapshot(element) {
  const text = element.querySelector(":scope > script[type='application/json']")?.textContent;
  try {
    const snapshot = text ? JSON.parse(text) : null;
    return STATES.has(snapshot?.state) ? snapshot : null;
  } catch (error) {
    console.warn("<task-progress>: the snapshot in the page can't be read", error);
    return null;
  }
}
