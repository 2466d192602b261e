// One task of the monitor's list. It is changed in place, so that nothing flickers and no focus is lost.

import { describeRow, isIndeterminate } from "./monitor-describe.js";
import { nameState, setText, setTime, stamp } from "./monitor-dom.js";
import { postCancel } from "./task-progress-cancel.js";
import { describeName } from "./task-progress-describe.js";
import { follow, hasEnded } from "./task-progress-stream.js";
import { say, texts } from "./task-progress-texts.js";

export class Row {
  #page;
  #parts;
  #snapshot = null;
  #receivedAt = 0;
  #isFollowed = false; // has the stream spoken?
  #isMissing = false;
  #mayCancel = false;
  #isConfirming = false;
  #isCancelling = false;
  #problem = "";
  #unfollow = null;

  /**
   * @param {{base: string, format: Formatter, getServerNow: () => number, speak: (text: string) => void,
   *   settle: () => void}} page - `settle` is called when a question has been asked or answered
   */
  constructor(page) {
    this.#page = page;
    const { element, parts } = stamp("row");
    this.element = element;
    this.#parts = parts;
    parts.cancel.addEventListener("click", () => this.#confirm(true));
    parts.yes.addEventListener("click", () => this.#cancel());
    parts.no.addEventListener("click", () => this.#confirm(false));
    parts.confirmation.addEventListener("keydown", ({ key }) => key === "Escape" && this.#confirm(false));
    parts.confirmation.setAttribute("aria-label", texts.confirm);
    setText(parts.question, texts.confirm);
    setText(parts.yes, texts.yes);
    setText(parts.no, texts.no);
  }

  /** Is the reader being asked whether to cancel the task? */
  get isConfirming() {
    return this.#isConfirming;
  }

  get isLive() {
    return !this.#isMissing && !hasEnded(this.#snapshot);
  }

  /** Take over what the list says of the task; the stream may know better. */
  take({ owner, may_cancel: mayCancel, ...snapshot }) {
    this.#mayCancel = mayCancel;
    const known = this.#snapshot;
    if (!known || snapshot.seq > known.seq || (snapshot.seq === known.seq && !this.#isFollowed)) {
      this.#accept(snapshot);
    }
    setText(this.#parts.name, this.#name, snapshot.task);
    this.#parts.name.href = `${this.#page.base}tasks/${encodeURIComponent(snapshot.task_id)}/monitor`;
    setText(this.#parts.owner, owner?.name ?? "", owner?.name ?? "");
    this.render();
    this.follow();
  }

  /** Let go of the task. */
  remove() {
    this.unfollow();
    this.element.remove();
  }

  /** Show each of its changes as it comes. One that has ended is let go of with its row alone: less would be another stream. */
  follow() {
    if (!this.#unfollow && this.isLive) {
      this.#unfollow = follow(this.#page.base, this.#snapshot.task_id, {}, {
        show: (snapshot) => this.#show(snapshot),
        miss: () => this.#miss(),
        log: () => {},
        carry: () => {},
      });
    }
  }

  unfollow() {
    this.#unfollow?.();
    this.#unfollow = null;
    this.#isFollowed = false;
  }

  /** Show what is known now. */
  render() {
    const parts = this.#parts;
    const { state } = this;
    const now = Date.now();
    const elapsed = (now - this.#receivedAt) / 1000;
    const circumstances = { now, elapsed, isMine: this.#isCancelling, isCutOff: false };
    const serverNow = this.#page.getServerNow();
    const { percent, status, whole, took } = describeRow(this.#snapshot, state, circumstances, serverNow, this.#page.format);
    this.element.dataset.state = state;
    setText(parts.state, nameState(state));
    setText(parts.percent, percent);
    setText(parts.status, this.#problem || status, this.#problem || whole);
    parts.status.classList.toggle("problem", Boolean(this.#problem));
    setText(parts.took, took);
    setTime(parts.started, this.#snapshot.started_at, this.#page.format, { isShort: true, now });
    const isUnknown = isIndeterminate(this.#snapshot, state);
    parts.fill.classList.toggle("sweeping", isUnknown);
    parts.fill.style.inlineSize = isUnknown ? "" : `${this.#snapshot.progress}%`;
    this.#renderActions();
  }

  get state() {
    if (this.#isMissing) {
      return "missing";
    }
    return this.#snapshot.stalled ? "stalled" : this.#snapshot.state;
  }

  #accept(snapshot) {
    this.#snapshot = snapshot;
    this.#receivedAt = Date.now();
    this.#isMissing = false;
    this.#problem = hasEnded(snapshot) ? "" : this.#problem;
  }

  #show(snapshot) {
    this.#isFollowed = true;
    if (snapshot.seq >= this.#snapshot.seq) {
      this.#accept(snapshot);
      this.render();
      if (this.#isCancelling && hasEnded(snapshot)) {
        this.#speak(nameState(this.state));
      }
    }
  }

  #miss() {
    this.#isMissing = true;
    this.render();
  }

  async #cancel() {
    this.#isCancelling = true;
    this.#confirm(false);
    this.#problem = await postCancel(this.#page.base, this.#snapshot.task_id);
    this.#isCancelling = !this.#problem;
    this.render();
    this.#speak(this.#problem || texts.cancelling);
  }

  #speak(news) {
    this.#page.speak(`${this.#name}: ${news}`);
  }

  get #name() {
    return describeName(this.#snapshot);
  }

  // The question takes the button's place. "No" gets the focus, so that a key held down confirms nothing.
  #confirm(isAsked) {
    const { cancel, no } = this.#parts;
    const hadFocus = this.#hasFocus;
    this.#isConfirming = isAsked && cancel.getAttribute("aria-disabled") !== "true";
    this.#problem = "";
    this.render();
    if (hadFocus) {
      (this.#isConfirming ? no : cancel).focus();
    }
    this.#page.settle();
  }

  get #hasFocus() {
    return this.#parts.cancel.parentElement.contains(document.activeElement);
  }

  #renderActions() {
    const { cancel, confirmation, name } = this.#parts;
    const isAsked = this.#isCancelling || this.#snapshot.cancel_requested;
    const isShown = this.isLive && (this.#mayCancel || isAsked);
    const hadFocus = this.#hasFocus;
    this.#isConfirming &&= isShown && !isAsked;
    cancel.hidden = !isShown || this.#isConfirming;
    confirmation.hidden = !this.#isConfirming;
    cancel.setAttribute("aria-disabled", isAsked);
    cancel.setAttribute("aria-label", isAsked ? texts.cancelling : say("cancelNamed", { name: this.#name }));
    setText(cancel, isAsked ? texts.cancelling : texts.cancel);
    if (hadFocus && !isShown) {
      name.focus(); // or it would be lost
    }
  }
}
