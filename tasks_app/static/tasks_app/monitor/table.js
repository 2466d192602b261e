// The table of the monitor's list: a row for each task, by its id.

import { isPlainClick } from "./dom.js";
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
   * @param {{base: string, format: Formatter, getServerNow: () => number, speak: (text: string) => void}} page
   */
  constructor(list, body, page) {
    this.#list = list;
    this.#body = body;
    this.#page = { ...page, settle: () => this.#settle() };
    body.addEventListener("click", openRow);
  }

  /** Show these tasks, the first on top. While a question is open no row moves, unless the user has selected others. */
  update(records, isSelected) {
    if (this.#isAsking && !isSelected) {
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
    this.#rows.forEach((row) => row.isLive && row.render());
  }

  get #isAsking() {
    return [...this.#rows.values()].some((row) => row.isAsking);
  }

  #settle() {
    if (this.#held && !this.#isAsking) {
      this.#arrange(this.#held);
    }
  }

  #arrange(records) {
    this.#held = null;
    this.#removeOthers(new Set(records.map((record) => record.task_id)));
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

  #removeOthers(taskIds) {
    for (const [taskId, row] of this.#rows) {
      if (!taskIds.has(taskId)) {
        if (row.element.contains(document.activeElement)) {
          this.#list.focus({ preventScroll: true }); // the focus would be lost
        }
        row.remove();
        this.#rows.delete(taskId);
      }
    }
  }
}

// A click on a row opens its task, unless it was for a button or link in it, or ends a selection of text.
function openRow(event) {
  const isForRow = isPlainClick(event) && !event.target.closest("a, button, .confirmation") && !String(getSelection());
  if (isForRow) {
    event.target.closest("tr").querySelector("a").click();
  }
}
