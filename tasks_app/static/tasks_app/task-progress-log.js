// The pane with the log of a task: its lines, each once, the newest at the bottom, and the tools above them.
//
// It keeps the last 5,000 lines, which a download contains. Of these it shows the newest 200, or all once its reader
// searches, chooses levels or expands it; a copy contains what is shown.

import { make, setAttributes, setHidden, setText } from "./task-progress-dom.js";
import { copyText, downloadText } from "./task-progress-files.js";
import { LogSearch } from "./task-progress-log-search.js";
import { LogTools } from "./task-progress-log-tools.js";
import { makeLine } from "./task-progress-parts.js";
import { say, texts } from "./task-progress-texts.js";

const KEPT_LINES = 5000;
const PLAIN_LINES = 200;

/** How much each level weighs; one that is not listed is as heavy as "info". */
const WEIGHTS = { debug: 0, info: 1, warning: 2, error: 3, critical: 4 };

export class LogPane {
  #pane;
  #log;
  #newer = make("button", { type: "button", class: "newer", part: "button newer", dir: "auto", hidden: "" });
  #tools;
  #search;
  #count = 0; // of lines that have come, kept or not
  #kept = [];
  #shown = []; // in the order of the children of the log
  #newerCount = 0;
  #isWaiting = true;
  #wasPlain = true; // when all lines were made
  #format;
  #taskId = "";

  /** @param {object} parts - `pane`, which holds `log`, which holds the lines */
  constructor({ pane, log }) {
    this.#pane = pane;
    this.#log = log;
    this.#search = new LogSearch(log);
    this.#tools = new LogTools({
      search: () => this.#find(),
      step: (way) => this.#step(way),
      filter: () => this.#filter(),
      expand: () => this.#expand(),
      copy: () => this.#copy(),
      download: () => downloadText(writeLines(this.#kept), nameFile(this.#taskId)),
    });
    pane.prepend(this.#tools.element);
    pane.append(this.#newer);
    log.addEventListener("scroll", () => this.#isAtEnd && this.#setNewer(0));
    this.#newer.addEventListener("click", () => this.#goToEnd());
  }

  /** Begin with another task. */
  reset() {
    this.#count = 0;
    this.#kept = [];
    this.#tools.reset();
    this.#search.set("");
    this.#draw();
    this.#renderTools();
  }

  /**
   * Add lines, and follow them unless the reader has scrolled up. A new stream begins with some that an older one brought.
   *
   * @param {number} offset - how many lines the task has logged before these
   * @param {object[]} lines
   */
  add(offset, lines) {
    const added = lines.slice(Math.max(this.#count - offset, 0)).slice(-KEPT_LINES);
    this.#count = Math.max(this.#count, offset + lines.length);
    this.#kept = [...this.#kept, ...added].slice(-KEPT_LINES);
    this.#show(added.filter((line) => this.#isChosen(line)));
    this.#renderTools();
  }

  /**
   * Show the pane where it is wanted.
   *
   * @param {TaskProgressElement} element - with `logs`, if it is; its task names the file of a download
   * @param {object} options
   * @param {boolean} options.isWaiting - whether lines may still come
   * @param {Formatter} options.format
   */
  render(element, { isWaiting, format }) {
    this.#isWaiting = isWaiting;
    this.#format = format;
    this.#taskId = element.getAttribute("task-id");
    setHidden(this.#pane, !element.hasAttribute("logs"));
    if (!this.#pane.hidden) {
      this.#renderTools();
    }
  }

  get #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    return scrollHeight - scrollTop - clientHeight < 8;
  }

  get #isPlain() {
    return !this.#tools.query && !this.#tools.level && !this.#tools.isExpanded;
  }

  #isChosen({ level }) {
    return !this.#tools.level || weigh(level) >= weigh(this.#tools.level);
  }

  // Shows the lines that the tools choose, as far above the end as before.
  #draw() {
    const fromEnd = this.#log.scrollHeight - this.#log.scrollTop;
    this.#log.replaceChildren();
    this.#shown = [];
    this.#wasPlain = this.#isPlain;
    this.#setNewer(0);
    this.#show(this.#kept.filter((line) => this.#isChosen(line)));
    this.#log.scrollTop = this.#log.scrollHeight - fromEnd;
    this.#tellMatches();
  }

  #drawIfOthers() {
    if (this.#isPlain !== this.#wasPlain) {
      this.#draw();
    }
  }

  #show(lines) {
    const isAtEnd = this.#isAtEnd;
    const limit = this.#isPlain ? PLAIN_LINES : KEPT_LINES;
    const made = lines.slice(-limit).map((line) => makeLine({ ...line, time: this.#format.time(line.t) }));
    this.#search.update(made);
    this.#log.append(...made);
    this.#shown = [...this.#shown, ...lines].slice(-limit);
    while (this.#log.childElementCount > limit) {
      this.#log.firstChild.remove();
    }
    if (isAtEnd) {
      this.#log.scrollTop = this.#log.scrollHeight;
    } else {
      this.#setNewer(this.#newerCount + lines.length);
    }
    this.#tellMatches();
  }

  #setNewer(count) {
    const hadFocus = this.#newer.matches(":focus");
    this.#newerCount = count;
    this.#newer.hidden = !count;
    setText(this.#newer, count === 1 ? texts.newLine : say("newLines", { n: this.#format?.number(count) }));
    if (hadFocus && !count) {
      this.#log.focus();
    }
  }

  #goToEnd() {
    this.#log.scrollTop = this.#log.scrollHeight;
    this.#setNewer(0);
  }

  #find() {
    this.#drawIfOthers();
    this.#search.set(this.#tools.query);
    this.#tellMatches();
    this.#renderTools();
  }

  #filter() {
    this.#draw();
    this.#find();
  }

  #step(way) {
    this.#search.step(way);
    this.#tellMatches();
  }

  #tellMatches() {
    const { n, total } = this.#search.place;
    const found = total ? say("logFound", { n: this.#format.number(n), total: this.#format.number(total) }) : texts.logNotFound;
    this.#tools.tell(this.#tools.query ? found : "");
  }

  #expand() {
    this.#pane.classList.toggle("expanded", this.#tools.isExpanded);
    this.#drawIfOthers();
    this.#renderTools();
    this.#pane.scrollIntoView({ block: "nearest" });
  }

  async #copy() {
    return (await copyText(writeLines(this.#shown), this.#pane)) ? texts.logCopied : texts.logNotCopied;
  }

  #renderTools() {
    this.#tools.render({ isShown: this.#kept.length > 0 });
    const empty = this.#isWaiting ? texts.noLines : texts.noLinesAtEnd;
    setAttributes(this.#log, { "aria-label": texts.log, "data-empty": this.#kept.length ? texts.noSuchLines : empty });
  }
}

function weigh(level) {
  return WEIGHTS[level] ?? WEIGHTS.info;
}

function writeLines(lines) {
  return lines.map(({ t, level, text }) => `${t} ${level.toUpperCase()} ${text}\n`).join("");
}

function nameFile(taskId) {
  return `${taskId.replace(/[^\p{L}\p{N}._-]+/gu, "-")}-log.txt`;
}
