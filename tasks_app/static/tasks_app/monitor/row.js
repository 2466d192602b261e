// One row of the monitor's list. It is changed in place, so that nothing flickers and the focus stays.

import { CancelButton } from "../task-progress-cancel-button.js";
import { describeName } from "../task-progress-description.js";
import { setText } from "../task-progress-dom.js";
import { estimate } from "../task-progress-estimate.js";
import { makeTaskUrl, postCancel } from "../task-progress-requests.js";
import { findAge, serverNow } from "../task-progress-server-time.js";
import { findState, isLive, isTerminal } from "../task-progress-states.js";
import { follow } from "../task-progress-stream.js";
import { say, texts } from "../task-progress-texts.js";
import { Branch } from "./children-view.js";
import { describeRow, isIndeterminate, nameState } from "./description.js";
import { findParts, stamp } from "./dom.js";
import { setTimeAgo } from "./times.js";

const MAX_ID_LENGTH = 12;
const SHORT_ID_LENGTH = 8;

export class Row {
  #page;
  #parts;
  #snapshot = null;
  #receivedAt = 0;
  #isStreamed = false; // whether the stream has brought a snapshot
  #isMissing = false;
  #mayCancel = false;
  #isQuiet = false; // whether somebody else tells what becomes of a request to cancel
  #button;
  #branch;
  #unfollow = null;

  /**
   * @param {object} page
   * @param {string} page.base - absolute URL under which the app's endpoints are, with a slash at its end
   * @param {Formatter} page.format
   * @param {(text: string) => void} page.speak - announces a text
   * @param {() => void} page.settle - is called when the question has been asked or answered, or the task has changed
   * @param {() => void} page.changeSelection - is called when the user has selected the row, or no more
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
      answer: () => this.#isQuiet || this.#speak(this.#problem || texts.cancelling),
      moveFocus: () => this.#parts.name.focus(),
    });
    this.#branch = new Branch(this.element, this.#parts.open, page);
    this.#parts.select.addEventListener("change", () => page.changeSelection());
  }

  /** The elements of the row in the table: its own, and that of its children where they are shown. */
  get elements() {
    return this.#branch.elements;
  }

  /** Whether the user is asked about cancelling the task. */
  get isAsking() {
    return this.#button.isAsking;
  }

  /** Whether the user may select the task to cancel it. */
  get isSelectable() {
    return this.isLive && this.#mayCancel && !this.#snapshot.cancel_requested && !this.#button.isSent;
  }

  /** Whether the user has selected the task. */
  get isSelected() {
    return this.#parts.select.checked && this.isSelectable;
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
    setText(this.#parts.name, this.name, [snapshot.label, snapshot.task].filter(Boolean).join(" · "));
    setText(this.#parts.id, shortenId(snapshot.task_id), snapshot.task_id);
    this.#parts.name.href = `${makeTaskUrl(this.#page.base, snapshot.task_id)}/monitor`;
    setText(this.#parts.owner, owner?.name ?? "", owner?.name ?? "");
    this.render();
    this.follow();
  }

  /** Select the task, or no more; one that can't be cancelled is never selected. */
  select(isSelected) {
    this.#parts.select.checked = isSelected && this.isSelectable;
    this.render();
  }

  /** Ask the server to cancel the task, without asking the user; return the problem, or "". */
  async cancel() {
    this.#isQuiet = true;
    await this.#button.send();
    this.#isQuiet = !this.#problem;
    return this.#problem;
  }

  remove() {
    this.unfollow();
    this.#branch.close();
    this.element.remove();
  }

  /** Follow the task. It stays on the stream after its end: a stream with fewer tasks would be another one. */
  follow() {
    if (!this.#unfollow && this.isLive) {
      this.#unfollow = follow(this.#page.base, this.#snapshot.task_id, {}, {
        showSnapshot: (snapshot) => this.#showSnapshot(snapshot),
        showMissing: () => this.#showMissing(),
        showLines: () => {},
      });
    }
  }

  unfollow() {
    this.#unfollow?.();
    this.#unfollow = null;
    this.#isStreamed = false;
  }

  /** Update what changes with time alone. */
  tick() {
    this.isLive ? this.render() : this.#renderTime();
    this.#branch.render();
  }

  /** Show the last snapshot as of now. */
  render() {
    this.element.dataset.state = this.state;
    this.#renderTexts();
    this.#renderBar();
    this.#renderButton();
    this.#renderBox();
    this.#branch.follow(this.#snapshot);
  }

  /** What people call the task. */
  get name() {
    return describeName(this.#snapshot);
  }

  #accept(snapshot) {
    this.#snapshot = snapshot;
    this.#receivedAt = performance.now();
    this.#isMissing = false;
  }

  #showSnapshot(snapshot) {
    this.#isStreamed = true;
    if (snapshot.seq >= this.#snapshot.seq) {
      this.#accept(snapshot);
      this.render();
      this.#page.settle();
      if (this.#button.isSent && isTerminal(snapshot) && !this.#isQuiet) {
        this.#speak(nameState(this.state));
      }
    }
  }

  #showMissing() {
    this.#isMissing = true;
    this.render();
  }

  #speak(text) {
    this.#page.speak(`${this.name}: ${text}`);
  }

  get #elapsed() {
    return (performance.now() - this.#receivedAt) / 1000;
  }

  get #age() {
    return findAge(this.#snapshot, this.#elapsed);
  }

  get #problem() {
    return this.isLive ? this.#button.problem : "";
  }

  #renderTexts() {
    const { format } = this.#page;
    const parts = this.#parts;
    const circumstances = { now: serverNow(), elapsed: this.#elapsed, age: this.#age, isMine: this.#button.isSent };
    const { percent, status, left, whole, took } = describeRow(this.#snapshot, this.state, circumstances, format);
    setText(parts.state, nameState(this.state));
    setText(parts.percent, percent);
    setText(parts.status, this.#problem || status, this.#problem || whole);
    setText(parts.left, this.#problem ? "" : left);
    parts.status.classList.toggle("problem", Boolean(this.#problem));
    setText(parts.took, took);
    this.#renderTime();
  }

  #renderTime() {
    setTimeAgo(this.#parts.started, this.#snapshot.started_at, this.#page.format);
  }

  #renderBar() {
    const { fill } = this.#parts;
    const estimated = estimate(this.#snapshot, this.state, this.#age);
    const isSweeping = isIndeterminate(this.#snapshot, this.state) && estimated === null;
    fill.classList.toggle("sweeping", isSweeping);
    fill.classList.toggle("estimated", estimated !== null);
    fill.style.inlineSize = isSweeping ? "" : `${estimated ?? this.#snapshot.progress}%`;
  }

  #renderButton() {
    const { cancel } = this.#parts;
    const isRequested = this.#snapshot.cancel_requested;
    this.#button.render({ isLive: this.isLive, isOffered: this.#mayCancel, isRequested });
    const isOver = cancel.getAttribute("aria-disabled") === "true";
    cancel.setAttribute("aria-label", isOver ? texts.cancelling : say("cancelNamed", { name: this.name }));
  }

  #renderBox() {
    const { select } = this.#parts;
    select.checked &&= this.isSelectable;
    select.hidden = !this.isSelectable;
    select.setAttribute("aria-label", say("select", { name: this.name }));
  }
}

// An id that somebody has chosen may be short; of one that was drawn, its beginning tells it from others.
function shortenId(taskId) {
  return taskId.length > MAX_ID_LENGTH ? taskId.slice(0, SHORT_ID_LENGTH) : taskId;
}
