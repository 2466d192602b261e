// The rows of the monitor's list, each by the id of its task.

import { isPlain } from "./dom.js";
import { Row } from "./row.js";

export class Table {
  #list;
  #body;
  #page;
  #rows = new Map();
  #waiting = null; // what came while somebody was asked whether to cancel a task

  /**
   * @param {HTMLElement} list - takes the focus of a row that goes
   * @param {HTMLElement} body - has the rows
   * @param {{base: string, format: Formatter, getServerNow: () => number, speak: (text: string) => void}} page
   */
  constructor(list, body, page) {
    this.#list = list;
    this.#body = body;
    this.#page = { ...page, settle: () => this.#settle() };
    body.addEventListener("click", openRow);
  }

  /** Show these tasks, the first on top. While a reader is being asked something nothing moves, unless he chose other tasks. */
  update(records, isChosen) {
    if (this.#isHeld && !isChosen) {
      this.#waiting = records;
      records.forEach((record) => this.#rows.get(record.task_id)?.take(record));
    } else {
      this.#arrange(records);
    }
  }

  clear() {
    this.#arrange([]);
  }

  /** Hold no connection for tasks that nobody looks at. */
  rest() {
    this.#rows.forEach((row) => row.unfollow());
  }

  wake() {
    this.#rows.forEach((row) => row.follow());
  }

  /** Count on what time alone changes. */
  tick() {
    this.#rows.forEach((row) => row.isLive && row.render());
  }

  get #isHeld() {
    return [...this.#rows.values()].some((row) => row.isConfirming);
  }

  #settle() {
    if (this.#waiting && !this.#isHeld) {
      this.#arrange(this.#waiting);
    }
  }

  #arrange(records) {
    this.#waiting = null;
    this.#drop(new Set(records.map((record) => record.task_id)));
    let place = this.#body.firstElementChild;
    for (const record of records) {
      const row = this.#rows.get(record.task_id) ?? new Row(this.#page);
      this.#rows.set(record.task_id, row);
      row.take(record);
      if (row.element === place) {
        place = place.nextElementSibling;
      } else {
        this.#body.insertBefore(row.element, place);
      }
    }
  }

  #drop(wanted) {
    for (const [taskId, row] of this.#rows) {
      if (!wanted.has(taskId)) {
        if (row.element.contains(document.activeElement)) {
          this.#list.focus({ preventScroll: true }); // or it would be lost
        }
        row.remove();
        this.#rows.delete(taskId);
      }
    }
  }
}

// A row leads where its name does, unless the reader meant something else.
function openRow(event) {
  const isMeant = isPlain(event) && !event.target.closest("a, button, .confirmation") && !String(getSelection());
  if (isMeant) {
    event.target.closest("tr").querySelector("a").click();
  }
}
