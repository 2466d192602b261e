// One row of the monitor's list. It is changed in place, so that nothing flickers and the focus stays.

import { CancelButton } from "../task-progress-cancel-button.js";
import { describeName } from "../task-progress-description.js";
import { setText } from "../task-progress-dom.js";
import { makeTaskUrl, postCancel } from "../task-progress-requests.js";
import { findState, isLive, isTerminal } from "../task-progress-states.js";
import { follow } from "../task-progress-stream.js";
import { say, texts } from "../task-progress-texts.js";
import { describeRow, isIndeterminate } from "./description.js";
import { findParts, nameState, setTime, stamp } from "./dom.js";

export class Row {
  #page;
  #parts;
  #snapshot = null;
  #receivedAt = 0;
  #isStreamed = false; // whether the stream has brought a snapshot
  #isMissing = false;
  #mayCancel = false;
  #button;
  #unfollow = null;

  /**
   * @param {object} page
   * @param {string} page.base - absolute URL under which the app's endpoints are, with a slash at its end
   * @param {Formatter} page.format
   * @param {() => number} page.getServerNow - returns the server's time in milliseconds
   * @param {(text: string) => void} page.speak - announces a text
   * @param {() => void} page.settle - is called when the question has been asked or answered
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
      answer: () => this.#speak(this.#problem || texts.cancelling),
      moveFocus: () => this.#parts.name.focus(),
    });
  }

  /** Whether the user is asked about cancelling the task. */
  get isAsking() {
    return this.#button.isAsking;
  }

  get isLive() {
    return isLive(this.#snapshot, this.#isMissing);
  }

  get state() {
    return findState(this.#snapshot, this.#isMissing);
  }

  /** Take over a record of the list, unless the stream has brought the same snapshot or a newer one. */
  take({ owner, may_cancel: mayCancel, ...snapshot }) {
    this.#mayCancel = mayCancel;
    const known = this.#snapshot;
    if (!known || snapshot.seq > known.seq || (snapshot.seq === known.seq && !this.#isStreamed)) {
      this.#accept(snapshot);
    }
    setText(this.#parts.name, this.#name, snapshot.task);
    this.#parts.name.href = `${makeTaskUrl(this.#page.base, snapshot.task_id)}/monitor`;
    setText(this.#parts.owner, owner?.name ?? "", owner?.name ?? "");
    this.render();
    this.follow();
  }

  remove() {
    this.unfollow();
    this.element.remove();
  }

  /** Follow the task. It stays on the stream after its end: a stream with fewer tasks would be another one. */
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
    this.#isStreamed = false;
  }

  /** Show the last snapshot as of now. */
  render() {
    this.element.dataset.state = this.state;
    this.#renderTexts();
    this.#renderBar();
    this.#renderButton();
  }

  #accept(snapshot) {
    this.#snapshot = snapshot;
    this.#receivedAt = Date.now();
    this.#isMissing = false;
  }

  #showSnapshot(snapshot) {
    this.#isStreamed = true;
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

  #speak(text) {
    this.#page.speak(`${this.#name}: ${text}`);
  }

  get #name() {
    return describeName(this.#snapshot);
  }

  get #problem() {
    return this.isLive ? this.#button.problem : "";
  }

  #renderTexts() {
    const { format, getServerNow } = this.#page;
    const parts = this.#parts;
    const now = Date.now();
    const elapsed = (now - this.#receivedAt) / 1000;
    const circumstances = { now, elapsed, isMine: this.#button.isSent, isCutOff: false };
    const { percent, status, whole, took } = describeRow(this.#snapshot, this.state, circumstances, getServerNow(), format);
    setText(parts.state, nameState(this.state));
    setText(parts.percent, percent);
    setText(parts.status, this.#problem || status, this.#problem || whole);
    parts.status.classList.toggle("problem", Boolean(this.#problem));
    setText(parts.took, took);
    setTime(parts.started, this.#snapshot.started_at, format, { isShort: true, now });
  }

  #renderBar() {
    const { fill } = this.#parts;
    const isUnknown = isIndeterminate(this.#snapshot, this.state);
    fill.classList.toggle("sweeping", isUnknown);
    fill.style.inlineSize = isUnknown ? "" : `${this.#snapshot.progress}%`;
  }

  #renderButton() {
    const { cancel } = this.#parts;
    const isRequested = this.#snapshot.cancel_requested;
    this.#button.render({ isLive: this.isLive, isOffered: this.#mayCancel, isRequested });
    const isOver = cancel.getAttribute("aria-disabled") === "true";
    cancel.setAttribute("aria-label", isOver ? texts.cancelling : say("cancelNamed", { name: this.#name }));
  }
}
