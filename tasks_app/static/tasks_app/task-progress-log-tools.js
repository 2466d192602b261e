// The row of tools above the lines of a log: search, levels, expand, copy, download.

import { draw, make, setAttributes, setText } from "./task-progress-dom.js";
import { texts } from "./task-progress-texts.js";

const ANSWER_MS = 2000; // for which the answer to a click stays

const ICONS = {
  previous: "M4 10l4-4 4 4",
  next: "M4 6l4 4 4-4",
  expand: "M5 6l3-3 3 3M5 10l3 3 3-3",
  collapse: "M5 3l3 3 3-3M5 13l3-3 3 3",
  copy: "M6 6h7v7.5H6zM3 10V2.5h7",
  download: "M8 2.5V10M5 7.2l3 3 3-3M3 13.5h10",
};

/** The choices of levels: the least one shown, and the name of its text. */
const LEVELS = { "": "levelAll", info: "levelInfo", warning: "levelWarning", error: "levelError" };

export class LogTools {
  /** The row. */
  element;

  #on;
  #parts = {};
  #message = "";
  #answer = "";
  #answered;

  /**
   * @param {object} on
   * @param {() => void} on.search - is called when the reader has typed
   * @param {(way: number) => void} on.step - is called to go to the next match (1), or the one before (-1)
   * @param {() => void} on.filter - is called when other levels are chosen
   * @param {() => void} on.expand - is called when the log is to be as high as the window, or no longer
   * @param {() => Promise<string>} on.copy - copies the lines, and returns what to tell the reader
   * @param {() => void} on.download - downloads the lines
   */
  constructor(on) {
    this.#on = on;
    this.element = this.#makeRow();
    this.#follow();
  }

  /** What the reader searches for; "" for nothing. */
  get query() {
    return this.#parts.search.value;
  }

  /** The least level that is shown; "" for all. */
  get level() {
    return this.#parts.levels.value;
  }

  /** Whether the log is to be as high as the window. */
  get isExpanded() {
    return this.#parts.expand.getAttribute("aria-expanded") === "true";
  }

  /** Forget what the reader searched for and chose. */
  reset() {
    this.#parts.search.value = this.#parts.levels.value = "";
    this.tell("");
  }

  /** Show the row where it is of use, in the words of the page. */
  render({ isShown }) {
    const { search, levels, previous, next, expand, copy, download } = this.#parts;
    this.element.hidden = !isShown;
    setAttributes(search, { placeholder: texts.logSearch, "aria-label": texts.logSearch });
    setAttributes(levels, { "aria-label": texts.logLevels });
    [...levels.options].forEach((option) => setText(option, texts[LEVELS[option.value]]));
    [previous, next].forEach((button) => setAttributes(button, { hidden: this.query ? null : "" }));
    setName(previous, texts.logPrevious);
    setName(next, texts.logNext);
    setName(expand, this.isExpanded ? texts.logCollapse : texts.logExpand);
    setAttributes(expand.querySelector("path"), { d: this.isExpanded ? ICONS.collapse : ICONS.expand });
    setName(copy, texts.logCopy);
    setName(download, texts.logDownload);
  }

  /** Say something beside the search, such as the number of matches. */
  tell(message) {
    this.#message = message;
    setText(this.#parts.told, this.#answer || message);
  }

  #answerClick(answer) {
    this.#answer = answer;
    this.tell(this.#message);
    clearTimeout(this.#answered);
    this.#answered = answer && setTimeout(() => this.#answerClick(""), ANSWER_MS);
  }

  #makeRow() {
    const add = (name, element) => (this.#parts[name] = element);
    const search = add("search", make("input", { type: "search", class: "search", part: "search", spellcheck: "false" }));
    const told = add("told", make("span", { class: "told", "aria-live": "polite", dir: "auto" }));
    const options = Object.keys(LEVELS).map((level) => make("option", { value: level }));
    const levels = add("levels", make("select", { class: "levels", part: "levels" }, ...options));
    const [previous, next, expand, copy, download] = ["previous", "next", "expand", "copy", "download"].map((name) =>
      add(name, makeIconButton(name)),
    );
    expand.setAttribute("aria-expanded", "false");
    const found = make("span", { class: "searching" }, search, told, previous, next);
    return make("div", { class: "tools", part: "tools" }, found, levels, expand, copy, download);
  }

  #follow() {
    const { search, levels, previous, next, expand, copy, download } = this.#parts;
    search.addEventListener("input", () => this.#on.search());
    search.addEventListener("keydown", (event) => this.#press(event));
    previous.addEventListener("click", () => this.#on.step(-1));
    next.addEventListener("click", () => this.#on.step(1));
    levels.addEventListener("change", () => this.#on.filter());
    expand.addEventListener("click", () => this.#toggle());
    copy.addEventListener("click", async () => this.#answerClick(await this.#on.copy()));
    download.addEventListener("click", () => this.#on.download());
  }

  // A key that is used here is used up: no form is sent, and a dialog around the component stays open.
  #press(event) {
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      this.#on.step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape" && this.query) {
      event.preventDefault();
      event.stopPropagation();
      this.#parts.search.value = "";
      this.#on.search();
    }
  }

  #toggle() {
    this.#parts.expand.setAttribute("aria-expanded", !this.isExpanded);
    this.#on.expand();
  }
}

function makeIconButton(name) {
  const icon = draw("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, draw("path", { d: ICONS[name] }));
  return make("button", { type: "button", class: `tool ${name}`, part: `tool ${name}` }, icon);
}

function setName(button, name) {
  setAttributes(button, { "aria-label": name, title: name });
}
