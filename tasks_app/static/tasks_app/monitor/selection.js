// The tasks that the user has selected in the monitor's list, to cancel them at once.

import { CancelButton } from "../task-progress-cancel-button.js";
import { setText } from "../task-progress-dom.js";
import { say } from "../task-progress-texts.js";
import { findParts } from "./dom.js";

const AT_ONCE = 6; // requests

export class Selection {
  #bar;
  #parts;
  #all;
  #page;
  #button;
  #isSending = false;

  /**
   * @param {HTMLElement} bar - is shown while something is selected
   * @param {HTMLInputElement} all - the box that selects all rows
   * @param {object} page
   * @param {() => Row[]} page.getRows - returns the rows of the list
   * @param {Formatter} page.format
   * @param {(text: string) => void} page.speak - announces a text
   * @param {() => void} page.moveFocus - is called when the bar is hidden while it has the focus
   * @param {() => void} page.settle - is called when the question has been asked or answered, and renders this
   * @param {(text: string) => void} page.showProblem - shows a text until the user dismisses it; "" shows none
   */
  constructor(bar, all, page) {
    this.#bar = bar;
    this.#parts = findParts(bar);
    this.#all = all;
    this.#page = page;
    this.#button = new CancelButton(this.#parts, {
      send: () => this.#cancel(),
      render: page.settle,
      answer: () => {
        this.#button.reset();
        this.render();
      },
      moveFocus: page.moveFocus,
    });
    all.addEventListener("change", () => this.#select(all.checked));
    this.#parts.clear.addEventListener("click", () => {
      this.#select(false);
      page.moveFocus();
    });
  }

  /** Whether the user is asked about cancelling the tasks. */
  get isAsking() {
    return this.#button.isAsking;
  }

  /** Show how many tasks are selected. */
  render() {
    const rows = this.#page.getRows().filter((row) => row.isSelectable);
    const count = this.#selected.length;
    this.#all.disabled = !rows.length;
    this.#all.checked = count > 0 && count === rows.length;
    this.#all.indeterminate = count > 0 && count < rows.length;
    const isShown = count > 0 || this.#isSending;
    this.#button.render({ isLive: isShown, isOffered: true, isRequested: false });
    this.#bar.hidden = !isShown;
    const n = this.#page.format.number(count);
    const question = say(count === 1 ? "confirmOne" : "confirmMany", { n });
    setText(this.#parts.selected, this.#isSending ? "" : say("selected", { n }));
    setText(this.#parts.question, question);
    this.#parts.confirmation.setAttribute("aria-label", question);
    this.#parts.clear.hidden = this.isAsking || this.#isSending;
  }

  /** Show and say how many tasks are selected. */
  announce() {
    this.render();
    this.#page.speak(say("selected", { n: this.#page.format.number(this.#selected.length) }));
  }

  get #selected() {
    return this.#page.getRows().filter((row) => row.isSelected);
  }

  #select(isSelected) {
    this.#page.getRows().forEach((row) => row.select(isSelected));
    this.announce();
  }

  // What becomes of each task is seen in its row; what could not be cancelled is told here as well.
  async #cancel() {
    const rows = this.#selected;
    const waiting = [...rows];
    const refused = [];
    this.#isSending = true;
    this.#page.showProblem("");
    const work = async () => {
      for (let row = waiting.shift(); row; row = waiting.shift()) {
        const problem = await row.cancel();
        if (problem) {
          refused.push(`${row.name}: ${problem}`);
          row.select(true);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.#isSending = false;
    this.#tell(rows.length, refused);
    return "";
  }

  #tell(total, refused) {
    const { format, showProblem, speak } = this.#page;
    const counts = { n: format.number(refused.length), total: format.number(total) };
    const text = refused.length ? [say("notCancelled", counts), ...refused].join(" ") : "";
    showProblem(text);
    speak(text || say("asked", { n: counts.total }));
  }
}
