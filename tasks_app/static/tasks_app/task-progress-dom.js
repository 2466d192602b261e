// Elements, made and changed without innerHTML or inline styles: the strictest Content-Security-Policy, with
// Trusted Types, allows them, and a text from the server stays text.

import { isSnapshot } from "./task-progress-states.js";

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

/** Set an attribute of an element; without a value, remove it. What is so already costs no layout. */
export function setAttribute(element, name, value) {
  if (value === null) {
    element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

/** Set attributes, of which null takes one away. */
export function setAttributes(element, attributes) {
  Object.entries(attributes).forEach(([name, value]) => setAttribute(element, name, value));
}

/** Show or hide an element. */
export function setHidden(element, isHidden) {
  if (element.hidden !== isHidden) {
    element.hidden = isHidden;
  }
}

/** Set a property of an element's style. */
export function setStyle(element, name, value) {
  if (element.style.getPropertyValue(name) !== String(value)) {
    element.style.setProperty(name, value);
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

/** Whether an attribute is there and is not "false", as some frameworks write it. */
export function isSet(element, name) {
  return (element.getAttribute(name) ?? "false") !== "false";
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
    return isSnapshot(snapshot) ? snapshot : null;
  } catch (error) {
    console.warn("<task-progress>: the snapshot in the page can't be read", error);
    return null;
  }
}
