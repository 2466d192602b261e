// One task of the monitor's list. It is changed in place, so that nothing flickers and no focus is lost.

import { describeRow, isIndeterminate } from "./description.js";
import { findParts, nameState, setTime, stamp } from "./dom.js";
import { CancelButton } from "../task-progress-cancel.js";
import { describeName } from "../task-progress-description.js";
import { setText } from "../task-progress-dom.js";
import { makeTaskUrl, postCancel } from "../task-progress-requests.js";
import { findState, isLive, isTerminal } from "../task-progress-states.js";
import { follow } from "../task-progress-stream.js";
import { say, texts } from "../task-progress-texts.js";

export class Row {
  #page;
  #parts;
  #snapshot = null;
  #receivedAt = 0;
  #isFollowed = false; // has the stream spoken?
  #isMissing = false;
  #mayCancel = false;
  #button;
  #unfollow = null;

  /**
   * @param {{base: string, format: Formatter, getServerNow: () => number, speak: (text: string) => void,
   *   settle: () => void}} page - `settle` is called when a question has been asked or answered
   */
  constructor(page) {
    this.#page = page;
    this.element = stamp("row");
    this.#parts = findParts(this.element);
    this.#button = new CancelButton(this.#parts, {
      send: () => postCancel(page.base, this.#snapshot.task_id),
      render: () => {
        this.render();
        page.settle();
      },
      tell: () => this.#speak(this.#problem || texts.cancelling),
      lose: () => this.#parts.name.focus(),
    });
  }

  /** Is the reader being asked whether to cancel the task? */
  get isConfirming() {
    return this.#button.isAsking;
  }

  get isLive() {
    return isLive(this.#snapshot, this.#isMissing);
  }

  /** Take over what the list says of the task; the stream may know better. */
  take({ owner, may_cancel: mayCancel, ...snapshot }) {
    this.#mayCancel = mayCancel;
    const known = this.#snapshot;
    if (!known || snapshot.seq > known.seq || (snapshot.seq === known.seq && !this.#isFollowed)) {
      this.#accept(snapshot);
    }
    setText(this.#parts.name, this.#name, snapshot.task);
    this.#parts.name.href = `${makeTaskUrl(this.#page.base, snapshot.task_id)}/monitor`;
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
        showSnapshot: (snapshot) => this.#showSnapshot(snapshot),
        showMissing: () => this.#showMissing(),
        showLines: () => {},
        showTransport: () => {},
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
    const circumstances = { now, elapsed, isMine: this.#button.isSent, isCutOff: false };
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
    return findState(this.#snapshot, this.#isMissing);
  }

  #accept(snapshot) {
    this.#snapshot = snapshot;
    this.#receivedAt = Date.now();
    this.#isMissing = false;
  }

  #showSnapshot(snapshot) {
    this.#isFollowed = true;
    if (snapshot.seq >= this.#snapshot.seq) {
      this.#accept(snapshot);
      this.render();
      if (this.#button.isSent && isTerminal(snapshot)) {
        this.#speak(nameState(this.state));
      }
    }
  }

  #showMissing() {
    this.#isMissing = true;
    this.render();
  }

  #speak(news) {
    this.#page.speak(`${this.#name}: ${news}`);
  }

  get #name() {
    return describeName(this.#snapshot);
  }

  get #problem() {
    return this.isLive ? this.#button.problem : "";
  }

  #renderActions() {
    const { cancel } = this.#parts;
    const isRequested = this.#snapshot.cancel_requested;
    this.#button.render({ isLive: this.isLive, isOffered: this.#mayCancel, isRequested });
    const isOver = cancel.getAttribute("aria-disabled") === "true";
    cancel.setAttribute("aria-label", isOver ? texts.cancelling : say("cancelNamed", { name: this.#name }));
  }
}
