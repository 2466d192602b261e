// The children of a task as a table: a row for each, with bars for when it waited and when it ran on a common axis.

import { describeName } from "../task-progress-description.js";
import { setAttribute, setText } from "../task-progress-dom.js";
import { fetchChildren, makeTaskUrl } from "../task-progress-requests.js";
import { serverNow } from "../task-progress-server-time.js";
import { LIVE, TERMINAL } from "../task-progress-states.js";
import { say, texts } from "../task-progress-texts.js";
import { Timers } from "../task-progress-timers.js";
import { nameState } from "./description.js";
import { arrange, findParts, setMoment, stamp } from "./dom.js";
import { makeCourse } from "./timeline.js";
import { describeTime, placeBar } from "./timeline-view.js";

const MAX_ROWS = 100;
const PAUSE_MS = 2000;

export class ChildTable {
  #section;
  #parts;
  #page;
  #timers = new Timers();
  #request = null;
  #snapshot = null; // of the parent
  #asked = ""; // what the parent said when they were fetched last
  #children = [];
  #rows = new Map();

  /**
   * @param {HTMLElement} section
   * @param {object} page
   * @param {string} page.base - as `findBase` returns it
   * @param {Formatter} page.format
   */
  constructor(section, page) {
    this.#section = section;
    this.#parts = findParts(section);
    this.#page = page;
  }

  /** Fetch the children of a task again if its snapshot tells of other ones than before, every two seconds at most. */
  follow(snapshot) {
    this.#snapshot = snapshot;
    if (snapshot.children && !this.#request && !this.#timers.has("fetch") && this.#wanted !== this.#asked) {
      this.#fetch();
    }
  }

  /** Show the children as of now. */
  render() {
    const now = serverNow();
    const { from, to, rows: body, table, more } = this.#parts;
    const courses = this.#children.map((child) => makeCourse(child, now));
    const bounds = findBounds(courses);
    this.#section.hidden = !courses.length;
    setAttribute(table, "aria-label", say("childrenOf", { name: describeName(this.#snapshot) }));
    setMoment(from, bounds?.from ?? null, now, this.#page.format);
    setMoment(to, bounds?.to ?? null, now, this.#page.format);
    if (courses.some(({ run, wait }) => run?.isLive || wait?.isLive)) {
      setText(to, texts.now);
    }
    const missing = (this.#snapshot.children?.total ?? 0) - courses.length;
    more.hidden = missing <= 0;
    setText(more, say("moreChildren", { n: this.#page.format.number(missing) }));
    this.#removeOthers(new Set(this.#children.map((child) => child.task_id)));
    const rows = this.#children.map((child, index) => this.#renderRow(child, courses[index], bounds, now));
    arrange(body, rows.flatMap((row) => row.elements));
  }

  /** Fetch nothing more. */
  close() {
    this.#timers.clearAll();
    this.#request?.abort();
    this.#rows.forEach((row) => row.close());
  }

  // A child that is a parent itself changes with its own children, which the counts do not tell.
  get #wanted() {
    const { children, percent } = this.#snapshot;
    return JSON.stringify([children, this.#children.some((child) => child.children) ? percent : null]);
  }

  async #fetch() {
    const request = (this.#request = new AbortController());
    const wanted = this.#wanted;
    const options = { token: null, states: [...LIVE, ...TERMINAL], limit: MAX_ROWS };
    const children = await fetchChildren(this.#page.base, this.#snapshot.task_id, options, request.signal);
    if (request.signal.aborted) {
      return;
    }
    this.#request = null;
    if (children) {
      this.#children = children;
      this.#asked = wanted;
      this.render();
    }
    this.#timers.set("fetch", () => this.follow(this.#snapshot), PAUSE_MS);
  }

  #removeOthers(taskIds) {
    for (const [taskId, row] of this.#rows) {
      if (!taskIds.has(taskId)) {
        row.remove();
        this.#rows.delete(taskId);
      }
    }
  }

  #renderRow(child, course, bounds, now) {
    const row = this.#rows.get(child.task_id) ?? new ChildRow(this.#page);
    this.#rows.set(child.task_id, row);
    row.render(child, course, bounds, now);
    return row;
  }
}

/** A button in the row of a task that opens the children of the task, in a row of their own below it. */
export class Branch {
  #row;
  #button;
  #page;
  #snapshot = null;
  #opened = null;
  #table = null;

  /**
   * @param {HTMLTableRowElement} row
   * @param {HTMLButtonElement} button
   * @param {object} page - as `ChildTable` takes it
   */
  constructor(row, button, page) {
    this.#row = row;
    this.#button = button;
    this.#page = page;
    button.addEventListener("click", () => (this.#opened ? this.close() : this.#open()));
  }

  /** The row of the task, and the one below it where that is open. */
  get elements() {
    return this.#opened ? [this.#row, this.#opened] : [this.#row];
  }

  /** Take over a snapshot of the task. */
  follow(snapshot) {
    this.#snapshot = snapshot;
    this.#button.hidden = !snapshot.children?.total;
    setAttribute(this.#button, "aria-label", say("childrenOf", { name: describeName(snapshot) }));
    if (this.#button.hidden) {
      this.close();
    }
    this.#table?.follow(snapshot);
  }

  /** Show the children as of now, where they are open. */
  render() {
    this.#table?.render();
  }

  close() {
    this.#table?.close();
    this.#opened?.remove();
    this.#opened = this.#table = null;
    setAttribute(this.#button, "aria-expanded", false);
  }

  #open() {
    this.#opened = stamp("opened");
    this.#opened.cells[0].colSpan = this.#row.cells.length;
    this.#table = new ChildTable(findParts(this.#opened).children, this.#page);
    this.#row.after(this.#opened);
    setAttribute(this.#button, "aria-expanded", true);
    this.#table.follow(this.#snapshot);
  }
}

class ChildRow {
  #element = stamp("child");
  #parts = findParts(this.#element);
  #page;
  #branch;

  constructor(page) {
    this.#page = page;
    this.#branch = new Branch(this.#element, this.#parts.open, page);
  }

  get elements() {
    return this.#branch.elements;
  }

  render(child, { wait, run }, bounds, now) {
    const { base, format } = this.#page;
    const parts = this.#parts;
    const state = child.stalled ? "stalled" : child.state;
    const name = describeName(child);
    this.#element.dataset.state = state;
    setText(parts.name, name, name);
    parts.name.href = `${makeTaskUrl(base, child.task_id)}/monitor`;
    setText(parts.state, nameState(state));
    setMoment(parts.began, run?.start ?? null, now, format);
    setText(parts.took, run ? describeTime(run, format) : "");
    placeBar(parts.wait, wait ?? NOTHING, bounds);
    placeBar(parts.bar, run ?? NOTHING, bounds);
    this.#branch.follow(child);
    this.#branch.render();
  }

  close() {
    this.#branch.close();
  }

  remove() {
    this.close();
    this.#element.remove();
  }
}

const NOTHING = { start: null, end: null };

function findBounds(courses) {
  const times = courses.flatMap(({ wait, run }) => [wait, run]).flatMap((each) => (each ? [each.start, each.end] : []));
  return times.length ? { from: Math.min(...times), to: Math.max(...times) } : null;
}
