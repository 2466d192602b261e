// Elements, made and changed without innerHTML or inline styles: the strictest Content-Security-Policy, with
// Trusted Types, allows them, and a text from the server stays text.

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
