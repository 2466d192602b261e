// The table of the monitor's list: a row for each task, by its id.

import { arrange, isPlainClick } from "./dom.js";
import { Row } from "./row.js";

export class Table {
  #list;
  #body;
  #page;
  #rows = new Map();
  #held = null; // records that came while a question was open

  /**
   * @param {HTMLElement} list - gets the focus of a row that is removed
   * @param {HTMLElement} body - holds the rows
   * @param {{base: string, format: Formatter, speak: (text: string) => void,
   *   settle: () => void, changeSelection: () => void}} page - as a row takes them
   */
  constructor(list, body, page) {
    this.#list = list;
    this.#body = body;
    this.#page = page;
    body.addEventListener("click", openRow);
  }

  /** The rows, the first on top. */
  get rows() {
    return [...this.#rows.values()];
  }

  /** Whether the user is asked about cancelling a task. */
  get isAsking() {
    return this.rows.some((row) => row.isAsking);
  }

  /** Show these tasks, the first on top, or the next time if no row may move (`isHeld`). */
  update(records, isHeld) {
    if (isHeld) {
      this.#held = records;
      records.forEach((record) => this.#rows.get(record.task_id)?.take(record));
    } else {
      this.#arrange(records);
    }
  }

  clear() {
    this.#arrange([]);
  }

  /** Follow no task until `wake()`. */
  rest() {
    this.#rows.forEach((row) => row.unfollow());
  }

  wake() {
    this.#rows.forEach((row) => row.follow());
  }

  /** Update texts that change with time alone. */
  tick() {
    this.#rows.forEach((row) => row.tick());
  }

  /** Show the tasks that `update` was given while no row could move. */
  settle() {
    if (this.#held) {
      this.#arrange(this.#held);
    }
  }

  #arrange(records) {
    this.#held = null;
    const focused = document.activeElement;
    this.#removeOthers(new Set(records.map((record) => record.task_id)));
    arrange(this.#body, records.flatMap((record) => this.#take(record).elements));
    if (this.#body.contains(focused) && focused !== document.activeElement) {
      focused.focus({ preventScroll: true }); // a row that is moved loses it
    }
  }

  #take(record) {
    const row = this.#rows.get(record.task_id) ?? new Row(this.#page);
    this.#rows.set(record.task_id, row);
    row.take(record);
    return row;
  }

  #removeOthers(taskIds) {
    for (const [taskId, row] of this.#rows) {
      if (!taskIds.has(taskId)) {
        if (row.elements.some((element) => element.contains(document.activeElement))) {
          this.#list.focus({ preventScroll: true }); // the focus would be lost
        }
        row.remove();
        this.#rows.delete(taskId);
      }
    }
  }
}

// A click on a row opens its task, unless it was for a button, link or box in it, or ends a selection of text.
function openRow(event) {
  if (event.target.matches("td.select")) {
    event.target.querySelector("input:not([hidden])")?.click();
  }
  const isForOther = event.target.closest("a, button, td.select, .confirmation, .opened");
  const isForRow = isPlainClick(event) && !isForOther && !String(getSelection());
  if (isForRow) {
    event.target.closest("tr").querySelector("a").click();
  }
}
