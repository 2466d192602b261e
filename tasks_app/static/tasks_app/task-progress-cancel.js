// How a reader asks the server to stop a task: a button, and a question that takes its place.

import { setText } from "./task-progress-dom.js";
import { texts } from "./task-progress-texts.js";

export class CancelButton {
  #parts;
  #on;

  /** Is the reader being asked whether he means it? */
  isAsking = false;

  /** Was it this page that asked the task to stop? */
  isSent = false;

  /** What went wrong, or "". */
  problem = "";

  /**
   * @param {object} parts - `actions`, which holds `cancel` and `confirmation`, which holds `question`, `yes` and `no`
   * @param {{send: () => Promise<string>, render: () => void, tell: () => void, lose: () => void}} on - send the request,
   *   and return what went wrong; something has changed; the request was answered; the focus needs another place
   */
  constructor(parts, on) {
    this.#parts = parts;
    this.#on = on;
    parts.cancel.addEventListener("click", () => this.#ask(true));
    parts.yes.addEventListener("click", () => this.cancel());
    parts.no.addEventListener("click", () => this.#ask(false));
    parts.confirmation.addEventListener("keydown", ({ key }) => key === "Escape" && this.#ask(false));
  }

  /** Begin anew, for another task. */
  reset() {
    this.isAsking = this.isSent = false;
    this.problem = "";
  }

  /** Send the request, without asking the reader first. */
  async cancel() {
    this.isSent = true;
    this.#ask(false);
    this.problem = await this.#on.send();
    this.isSent = !this.problem;
    this.#on.render();
    this.#on.tell();
  }

  /** Show the button if it is of use: the task lives, and the reader may stop it, or it was asked to stop already. */
  render({ isLive, isOffered, isRequested }) {
    const { actions, cancel, confirmation, question, yes, no } = this.#parts;
    const isOver = this.isSent || isRequested;
    const hadFocus = this.#hasFocus;
    actions.hidden = !isLive || !(isOffered || isOver);
    this.isAsking &&= !actions.hidden && !isOver;
    cancel.hidden = this.isAsking;
    confirmation.hidden = !this.isAsking;
    cancel.setAttribute("aria-disabled", isOver);
    confirmation.setAttribute("aria-label", texts.confirm);
    setText(cancel, isOver ? texts.cancelling : texts.cancel);
    setText(question, texts.confirm);
    setText(yes, texts.yes);
    setText(no, texts.no);
    if (hadFocus && actions.hidden) {
      this.#on.lose();
    }
  }

  get #hasFocus() {
    return this.#parts.actions.contains(this.#parts.actions.getRootNode().activeElement);
  }

  // "No" gets the focus, so that a key held down confirms nothing.
  #ask(isAsking) {
    const { cancel, no } = this.#parts;
    const hadFocus = this.#hasFocus;
    this.isAsking = isAsking && cancel.getAttribute("aria-disabled") !== "true";
    this.problem = "";
    this.#on.render();
    if (hadFocus) {
      (this.isAsking ? no : cancel).focus();
    }
  }
}
