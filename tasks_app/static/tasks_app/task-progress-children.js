// The list of a parent's children that run or have failed, which the attribute `children` opens.
//
// It is fetched again when the parent's counts have changed, every two seconds at most. Those that run are followed on the
// connection of the parent once they have been in two lists: short ones would have it opened again and again.

import { ChildRow } from "./task-progress-child-row.js";
import { make, setAttribute, setHidden, setStyle, setText } from "./task-progress-dom.js";
import { fetchChildren } from "./task-progress-requests.js";
import { LIVE } from "./task-progress-states.js";
import { followBeside } from "./task-progress-stream.js";
import { say, texts } from "./task-progress-texts.js";
import { drawBackoff, Timers } from "./task-progress-timers.js";

const MAX_ROWS = 10; // of those that run, and of those that have failed
const PAUSE_MS = 2000;

export class ChildList {
  #body;
  #pane = null;
  #toggle = make("button", { type: "button", class: "unfold", part: "button unfold", dir: "auto", "aria-controls": "child-list" });
  #list = make("ul", { class: "child-list", part: "child-list", id: "child-list", role: "list" });
  #more = make("p", { class: "more", part: "more", dir: "auto" });
  #timers = new Timers();
  #rows = new Map();
  #parent = null; // {base, taskId, token, tokenAge, counts, format}
  #isOpen = true;
  #asked = ""; // the counts for which it was fetched last
  #controller = null; // of the request that is under way
  #failures = 0;
  #height = 0; // in rows, which it keeps while the parent lives

  /** @param {object} parts - `body`, after which the list stands */
  constructor({ body }) {
    this.#body = body;
    this.#toggle.addEventListener("click", () => this.#setOpen(!this.#isOpen));
  }

  /** Begin with another task. */
  reset() {
    this.stop();
    this.#height = 0;
    this.#showRows([]);
  }

  /** Follow nothing until the next `render()`. */
  stop() {
    this.#controller?.abort();
    this.#controller = null;
    this.#asked = "";
    this.#timers.clearAll();
    this.#rows.forEach((row) => row.unfollow());
  }

  /**
   * Show the list where it is wanted.
   *
   * @param {TaskProgressElement} element - with `children` if it is; "closed" has its reader open it
   * @param {object} options
   * @param {string} options.base - as `findBase` returns it
   * @param {boolean} options.isLive - whether the parent may still change
   * @param {Formatter} options.format
   */
  render(element, { base, isLive, format }) {
    const counts = element.snapshot?.children;
    const isWanted = Boolean(counts) && element.hasAttribute("children");
    if (!isWanted && !this.#pane) {
      return;
    }
    if (!this.#pane) {
      this.#isOpen = element.getAttribute("children") !== "closed";
      this.#pane = make("div", { class: "family", part: "family" }, this.#toggle, this.#list, this.#more);
      this.#body.after(this.#pane);
    }
    setHidden(this.#pane, !isWanted);
    const [token, tokenAge] = [element.getAttribute("token"), Number(element.getAttribute("token-age"))];
    this.#parent = { base, taskId: element.getAttribute("task-id"), token, tokenAge, counts, isLive, format };
    isWanted && element.isConnected ? this.#update() : this.stop();
  }

  #setOpen(isOpen) {
    this.#isOpen = isOpen;
    this.#height = 0;
    this.#update();
  }

  #update() {
    setText(this.#toggle, texts.childList);
    setAttribute(this.#toggle, "aria-expanded", this.#isOpen);
    setAttribute(this.#list, "aria-label", texts.childList);
    setHidden(this.#list, !this.#isOpen);
    this.#renderRows();
    if (!this.#isOpen) {
      this.stop();
    } else if (JSON.stringify(this.#parent.counts) !== this.#asked) {
      this.#fetchSoon();
    }
  }

  #renderRows() {
    const { isLive, format, counts } = this.#parent;
    const rows = [...this.#rows.values()];
    rows.forEach((row) => row.render(format));
    this.#height = isLive ? Math.max(this.#height, rows.length) : rows.length;
    setStyle(this.#list, "--rows", this.#height);
    setAttribute(this.#list, "data-empty", texts.noChildren);
    const missing = counts.running + counts.failed + counts.lost - rows.length;
    setHidden(this.#more, !this.#isOpen || !rows.length || missing <= 0);
    setText(this.#more, say("moreChildren", { n: format.number(missing) }));
  }

  // The first time at once, then after a pause; what is asked meanwhile is answered by the same request.
  #fetchSoon() {
    if (!this.#controller && !this.#timers.has("fetch")) {
      this.#fetch();
    }
  }

  async #fetch() {
    const { base, taskId, token, tokenAge, counts } = this.#parent;
    const { signal } = (this.#controller = new AbortController());
    this.#asked = JSON.stringify(counts);
    const ask = (states) => fetchChildren(base, taskId, { token: tokenAge ? null : token, states, limit: MAX_ROWS }, signal);
    const answers = await Promise.all([ask(["running"]), ask(["failed", "lost"])]);
    if (signal.aborted) {
      return;
    }
    this.#controller = null;
    const isAnswered = answers.every(Boolean);
    this.#failures = isAnswered ? 0 : this.#failures + 1;
    this.#asked = isAnswered ? this.#asked : "";
    const isSettled = !isAnswered || this.#showRows(answers.flat());
    this.#timers.set("fetch", () => this.#goOn(isSettled), isAnswered ? PAUSE_MS : PAUSE_MS + drawBackoff(this.#failures));
  }

  #goOn(isSettled) {
    if (!isSettled || JSON.stringify(this.#parent.counts) !== this.#asked) {
      this.#fetch();
    }
  }

  // Returns whether each of those that run is followed, so that nothing of them is left to be fetched.
  #showRows(snapshots) {
    const known = this.#rows;
    this.#rows = new Map(snapshots.map((snapshot) => [snapshot.task_id, known.get(snapshot.task_id) ?? new ChildRow()]));
    known.forEach((row, taskId) => this.#rows.has(taskId) || row.unfollow());
    snapshots.forEach((snapshot) => this.#rows.get(snapshot.task_id).take(snapshot));
    this.#arrange([...this.#rows.values()].map((row) => row.element));
    const running = snapshots.filter(({ state }) => LIVE.has(state));
    const followed = running.map(({ task_id: taskId }) => known.has(taskId) && this.#follow(taskId));
    if (this.#parent?.counts) {
      this.#renderRows();
    }
    return followed.every(Boolean);
  }

  // A row that stays where it is goes on moving.
  #arrange(elements) {
    [...this.#list.children].forEach((element) => elements.includes(element) || element.remove());
    elements.forEach((element, index) => {
      if (this.#list.children[index] !== element) {
        this.#list.insertBefore(element, this.#list.children[index] ?? null);
      }
    });
  }

  #follow(taskId) {
    const { base, taskId: parentId, token, tokenAge } = this.#parent;
    const options = { token: tokenAge ? null : token, tokenAge: 0, isCovered: true };
    return this.#rows.get(taskId).follow((follower) => followBeside(base, parentId, taskId, options, follower));
  }
}
