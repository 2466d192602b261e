// <task-progress task-id="…">: shows how far a task is, and whether it is alive.
//
// Attributes: task-id, src (the path under which the app's URLs are included, "/"), token, label, cancel, logs, compact.
// Events: task-progress:change, :end and :error; they bubble, and their detail is the snapshot.

import { CancelButton } from "./task-progress-cancel-button.js";
import { describe, describeName } from "./task-progress-description.js";
import { readSnapshot, setText, takeOverProperty } from "./task-progress-dom.js";
import { makeLine, makeParts, MARKS, setFacts, setSegments } from "./task-progress-parts.js";
import { findBase, findWebUrl, postCancel } from "./task-progress-requests.js";
import { findState, isLive, isSame, isTerminal } from "./task-progress-states.js";
import { follow } from "./task-progress-stream.js";
import { getFormatter, readTexts, texts } from "./task-progress-texts.js";
import { setTicking } from "./task-progress-timers.js";

const MAX_LINES = 200;
const CUT_OFF_MS = 3000; // without a connection, until the component says so

export class TaskProgressElement extends HTMLElement {
  /** The texts of all components; a page may assign to its members. */
  static texts = texts;
  static observedAttributes = ["task-id", "src", "token", "label", "cancel", "logs", "lang", "data-state"];

  #internals = this.attachInternals();
  #snapshot = null;
  #receivedAt = 0;
  #isMissing = false;
  #announced = "";
  #lineCount = 0;
  #isCutOff = false;
  #cutOffTimer;
  #unfollow = null;
  #parts = null;
  #button = null;

  /** The last snapshot, or null. */
  get snapshot() {
    return this.#snapshot;
  }

  /** The state of the task, or "connecting", "stalled" or "missing". */
  get state() {
    return findState(this.#snapshot, this.#isMissing || !this.getAttribute("task-id"));
  }

  /** Whether a button to cancel the task is shown; frameworks set the attribute by this property. */
  get cancel() {
    return this.hasAttribute("cancel");
  }

  set cancel(value) {
    this.toggleAttribute("cancel", value === "" || Boolean(value));
  }

  /** Ask the server to cancel the task, without asking the user. */
  requestCancel() {
    return this.#button.send();
  }

  /** Show the last snapshot as of now. */
  render() {
    const { state } = this;
    const { percent, status, facts } = this.#describe();
    this.#setState(state);
    this.#renderTexts(percent, status, facts);
    this.#renderIcon(state);
    this.#renderBar([percent, status].filter(Boolean).join(", "));
    this.#renderButton();
    this.#renderLink();
    this.#renderLog();
    this.#announce(status);
    setTicking(this, this.#isLive && this.isConnected && (this.#snapshot.eta !== null || state === "stalled"));
  }

  connectedCallback() {
    takeOverProperty(this, "cancel");
    this.#parts ??= makeParts(this.attachShadow({ mode: "open" }));
    this.#button ??= new CancelButton(this.#parts, {
      send: () => postCancel(this.#base, this.getAttribute("task-id")),
      render: () => this.render(),
      answer: () => this.#problem && this.#dispatch("error", this.#problem),
      moveFocus: () => this.#parts.card.focus(),
    });
    readTexts();
    this.#follow();
  }

  disconnectedCallback() {
    this.#unfollow?.();
    this.#unfollow = null;
    clearTimeout(this.#cutOffTimer);
    setTicking(this, false);
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#unfollow || before === after || (name === "data-state" && after === this.state)) {
      return;
    }
    if (name === "task-id") {
      this.#reset();
    }
    if (["task-id", "src", "token", "logs"].includes(name)) {
      this.#follow();
    } else {
      this.render();
    }
  }

  get #isLive() {
    return isLive(this.#snapshot, this.#isMissing);
  }

  get #problem() {
    return this.#isLive ? this.#button.problem : "";
  }

  get #base() {
    return findBase(this.getAttribute("src") ?? "/");
  }

  get #format() {
    return getFormatter(this.closest("[lang]")?.lang);
  }

  #reset() {
    this.#snapshot = null;
    this.#isMissing = false;
    this.#announced = "";
    this.#button.reset();
    this.#lineCount = 0;
    this.#parts.log.replaceChildren();
  }

  #follow() {
    this.#unfollow?.();
    this.#unfollow = () => {};
    const taskId = this.getAttribute("task-id");
    this.#takeFromPage(taskId);
    const options = { token: this.getAttribute("token"), logs: this.hasAttribute("logs") };
    if (taskId && (options.logs || !isTerminal(this.#snapshot))) {
      this.#unfollow = follow(this.#base, taskId, options, {
        showSnapshot: (snapshot) => this.#showSnapshot(snapshot),
        showMissing: () => this.#showMissing(),
        showLines: (offset, lines) => this.#showLines(offset, lines),
        showTransport: (transport) => this.#showTransport(transport),
      });
    }
    this.render();
  }

  // A snapshot that came with the page fires no event: a page that reloads itself at the end of its task would not stop.
  #takeFromPage(taskId) {
    const snapshot = this.#snapshot ? null : readSnapshot(this);
    if (snapshot?.task_id === taskId) {
      this.#take(snapshot);
    }
  }

  #take(snapshot) {
    this.#snapshot = snapshot;
    this.#receivedAt = Date.now();
    this.#isMissing = false;
  }

  #showSnapshot(snapshot) {
    if (isSame(snapshot, this.#snapshot) && !this.#isMissing) {
      return;
    }
    this.#take(snapshot);
    this.render();
    this.#dispatch("change");
    if (isTerminal(snapshot)) {
      this.#dispatch("end");
    }
  }

  #showMissing() {
    this.#isMissing = true;
    this.render();
    this.#dispatch("error", texts.missing);
  }

  // The lines of a new stream begin with some that an older stream has brought.
  #showLines(offset, lines) {
    const { log } = this.#parts;
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 8;
    const added = lines.slice(Math.max(this.#lineCount - offset, 0)).slice(-MAX_LINES);
    this.#lineCount = Math.max(this.#lineCount, offset + lines.length);
    log.append(...added.map((line) => makeLine({ ...line, time: this.#format.time(line.t) })));
    while (log.childElementCount > MAX_LINES) {
      log.firstChild.remove();
    }
    if (isAtEnd) {
      log.scrollTop = log.scrollHeight;
    }
  }

  #showTransport(transport) {
    this.setAttribute("data-transport", transport);
    clearTimeout(this.#cutOffTimer);
    if (transport === "connecting") {
      this.#cutOffTimer = setTimeout(() => this.#setCutOff(true), CUT_OFF_MS);
    } else if (this.#isCutOff) {
      this.#setCutOff(false);
    }
  }

  #setCutOff(isCutOff) {
    this.#isCutOff = isCutOff;
    this.render();
  }

  #dispatch(name, message) {
    const event = new CustomEvent(`task-progress:${name}`, { bubbles: true, composed: true, detail: this.#snapshot });
    this.dispatchEvent(Object.assign(event, { message }));
  }

  #describe() {
    if (!this.#snapshot) {
      return { percent: "", status: this.getAttribute("task-id") ? texts[this.state] : texts.noTask, facts: {} };
    }
    const now = Date.now();
    const elapsed = (now - this.#receivedAt) / 1000;
    const circumstances = { now, elapsed, isMine: this.#button.isSent, isCutOff: this.#isCutOff };
    return describe(this.#snapshot, this.state, circumstances, this.#format);
  }

  // Styles go by the state alone: who morphs the page takes away the attribute, which is a mirror for the page.
  #setState(state) {
    const { states } = this.#internals;
    if (!states.has(state)) {
      states.clear();
      states.add(state);
    }
    this.setAttribute("data-state", state);
  }

  #renderTexts(percent, status, facts) {
    const { name, percent: figure, status: sentence, meta, problem } = this.#parts;
    const label = this.getAttribute("label") || describeName(this.#snapshot);
    setText(name, label, label);
    setText(figure, percent);
    setText(sentence, status, status);
    setText(problem, this.#problem);
    problem.hidden = !this.#problem;
    setFacts(meta, facts);
  }

  #renderIcon(state) {
    const { icon, mark } = this.#parts;
    icon.setAttribute("aria-label", texts[state]);
    mark.setAttribute("d", MARKS[state] ?? "");
  }

  #renderBar(text) {
    const { progress = 0, percent = 0, stages = [] } = this.#snapshot ?? {};
    const { bar } = this.#parts;
    const whole = this.#isLive ? percent : progress;
    setSegments(bar, stages.length ? stages : [{ weight: 1, progress: whole }]);
    if (this.state === "running" && percent === null) {
      bar.removeAttribute("aria-valuenow"); // the total is unknown
    } else {
      bar.setAttribute("aria-valuenow", progress);
    }
    bar.setAttribute("aria-valuetext", text);
  }

  #renderButton() {
    const isRequested = Boolean(this.#snapshot?.cancel_requested);
    this.#button.render({ isLive: this.#isLive, isOffered: this.hasAttribute("cancel"), isRequested });
  }

  #renderLink() {
    const { link } = this.#parts;
    link.href = findWebUrl(this.state === "succeeded" && this.#snapshot.result?.url);
    link.hidden = !link.getAttribute("href");
    setText(link, texts.result);
  }

  #renderLog() {
    const { log } = this.#parts;
    log.hidden = !this.hasAttribute("logs");
    log.setAttribute("aria-label", texts.log);
    log.dataset.empty = texts.noLines;
  }

  // Each state, and each ten percent, is announced once.
  #announce(status) {
    const { progress = 0, percent = null } = this.#snapshot ?? {};
    const tens = this.state === "running" && percent !== null ? Math.floor(progress / 10) * 10 : 0;
    const key = `${this.state} ${tens} ${this.#problem}`;
    if (this.#snapshot && key !== this.#announced) {
      this.#announced = key;
      const news = this.#problem || (tens ? this.#format.percent(tens) : status);
      setText(this.#parts.spoken, `${this.#parts.name.textContent}: ${news}`);
    }
  }
}
