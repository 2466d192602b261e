// The button that cancels a task, and the question that takes its place until the user has answered it.

import { setAttribute, setHidden, setText } from "./task-progress-dom.js";
import { texts } from "./task-progress-texts.js";

/** Return the token by which an element may cancel its task, or null. One with an age only shows it. */
export function findCancelToken(element) {
  return element.getAttribute("cancel-token") ?? (element.hasAttribute("token-age") ? null : element.getAttribute("token"));
}

export class CancelButton {
  #parts;
  #on;

  /** Whether the question is shown. */
  isAsking = false;

  /** Whether this page has asked the server to cancel the task. */
  isSent = false;

  /** The problem of the last request, or "" without one. */
  problem = "";

  /**
   * @param {object} parts - `actions`, which holds `cancel` and `confirmation`, which holds `question`, `yes` and `no`
   * @param {object} on
   * @param {() => Promise<string>} on.send - sends the request, and returns the problem, or ""
   * @param {() => void} on.render - is called at each change, and calls `render` in turn
   * @param {() => void} on.answer - is called once the server has answered
   * @param {() => void} on.moveFocus - is called when the button is hidden while it has the focus
   */
  constructor(parts, on) {
    this.#parts = parts;
    this.#on = on;
    parts.cancel.addEventListener("click", () => this.#setAsking(true));
    parts.yes.addEventListener("click", () => this.send());
    parts.no.addEventListener("click", () => this.#setAsking(false));
    parts.confirmation.addEventListener("keydown", (event) => event.key === "Escape" && this.#answerNo(event));
  }

  /** Begin with another task. */
  reset() {
    this.isAsking = this.isSent = false;
    this.problem = "";
  }

  /** Send the request without asking the user. */
  async send() {
    this.isSent = true;
    this.#setAsking(false);
    this.problem = await this.#on.send();
    this.isSent = !this.problem;
    this.#on.render();
    this.#on.answer();
  }

  /** Show the button where a live task can be cancelled (`isOffered`), or was (`isRequested`). */
  render({ isLive, isOffered, isRequested }) {
    const { actions, cancel, confirmation } = this.#parts;
    const isOver = this.isSent || isRequested;
    const hadFocus = this.#hasFocus;
    setHidden(actions, !isLive || !(isOffered || isOver));
    this.isAsking &&= !actions.hidden && !isOver;
    setHidden(cancel, this.isAsking);
    setHidden(confirmation, !this.isAsking);
    setAttribute(cancel, "aria-disabled", isOver);
    this.#renderTexts(isOver);
    if (hadFocus && actions.hidden) {
      this.#on.moveFocus();
    }
  }

  // The key is used up: a dialog around the component stays open.
  #answerNo(event) {
    event.preventDefault();
    event.stopPropagation();
    this.#setAsking(false);
  }

  get #hasFocus() {
    return this.#parts.actions.contains(this.#parts.actions.getRootNode().activeElement);
  }

  #renderTexts(isOver) {
    const { cancel, confirmation, question, yes, no } = this.#parts;
    setAttribute(confirmation, "aria-label", texts.confirm);
    setText(cancel, isOver ? texts.cancelling : texts.cancel);
    setText(question, texts.confirm);
    setText(yes, texts.yes);
    setText(no, texts.no);
  }

  // "No" gets the focus, so that a key held down confirms nothing.
  #setAsking(isAsking) {
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
