// The search in the lines of a log: it marks what it finds and goes from one to the next, so that each match keeps the
// lines around it.

import { make } from "./task-progress-dom.js";

export class LogSearch {
  #log;
  #pattern = null;
  #current = null;

  /** @param {HTMLElement} log - holds the lines, and scrolls */
  constructor(log) {
    this.#log = log;
  }

  /** Mark what contains this text, in capitals or not, and go to the first match; "" takes the marks away. */
  set(query) {
    this.#pattern = query ? new RegExp(`(${query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")})`, "giu") : null;
    this.update(this.#log.children);
    this.#goTo(this.#matches[0]);
  }

  /** Mark the matches in lines that have come. */
  update(lines) {
    for (const line of lines) {
      markMatches(line.querySelector(".text"), this.#pattern);
    }
  }

  /** Go to the next match (1), or the one before (-1); after the last comes the first. */
  step(way) {
    const matches = this.#matches;
    const at = matches.indexOf(this.#current);
    this.#goTo(matches.at((at < 0 && way < 0 ? way : at + way) % matches.length));
  }

  /** The place of the current match, 0 if it has gone, and the number of all. */
  get place() {
    const matches = this.#matches;
    return { n: matches.indexOf(this.#current) + 1, total: matches.length };
  }

  get #matches() {
    return [...this.#log.querySelectorAll("mark")];
  }

  // Only the log scrolls, not the page.
  #goTo(match) {
    this.#current?.removeAttribute("aria-current");
    this.#current = match;
    if (match) {
      match.setAttribute("aria-current", "true");
      this.#log.scrollTop = match.offsetTop - this.#log.clientHeight / 2;
    }
  }
}

function markMatches(element, pattern) {
  const parts = pattern ? element.textContent.split(pattern) : [element.textContent];
  if (parts.length > 1 || element.childElementCount) {
    element.replaceChildren(...parts.map((part, index) => (index % 2 ? make("mark", { part: "match" }, part) : part)));
  }
}
