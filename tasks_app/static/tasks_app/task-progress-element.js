// <task-progress task-id="…">: shows how far a task is, and whether it is alive.
//
// Attributes: task-id, src (the path under which the app's URLs are included, "/"), token, token-age, label, cancel, logs,
// children, compact, page-title and page-icon.
// Events: task-progress:change, :end and :error; they bubble, and their detail is the snapshot.

import { CancelButton, findCancelToken } from "./task-progress-cancel-button.js";
import { ChildList } from "./task-progress-children.js";
import { renderBar } from "./task-progress-bar.js";
import { describeProblems } from "./task-progress-counts.js";
import { describe, describeName, describeNews } from "./task-progress-description.js";
import { readSnapshot, setAttribute, setHidden, setText, takeOverProperty } from "./task-progress-dom.js";
import { isEstimated } from "./task-progress-estimate.js";
import { Fit } from "./task-progress-fit.js";
import { renderLink } from "./task-progress-link.js";
import { LogPane } from "./task-progress-log.js";
import { makeParts, MARKS, setFacts } from "./task-progress-parts.js";
import { findBase, postCancel } from "./task-progress-requests.js";
import { findAge, serverNow } from "./task-progress-server-time.js";
import { findState, isLive, isSame, isTerminal } from "./task-progress-states.js";
import { follow } from "./task-progress-stream.js";
import { getFormatter, readTexts, texts } from "./task-progress-texts.js";
import { leaveTab, showInTab } from "./task-progress-tab.js";
import { renderSoon, setTicking } from "./task-progress-timers.js";

export class TaskProgressElement extends HTMLElement {
  /** The texts of all components; a page may assign to its members. */
  static texts = texts;
  static observedAttributes = ["task-id", "src", "token", "token-age", "label", "cancel", "logs", "children", "compact",
    "lang", "page-title", "page-icon", "data-state"];

  #internals = this.attachInternals();
  #snapshot = null;
  #receivedAt = 0;
  #isMissing = false;
  #announced = "";
  #contact = null;
  #isHeard = false;
  #unfollow = null;
  #parts = null;
  #button = null;
  #log = null;
  #family = null;
  #fit = null;

  /** The last snapshot, or null. */
  get snapshot() {
    return this.#snapshot;
  }

  /** The state of the task, or "connecting", "reconnecting", "stalled" or "missing". */
  get state() {
    return findState(this.#snapshot, this.#isMissing || !this.getAttribute("task-id"), Boolean(this.#contact?.problem));
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
    const text = [percent, status, facts.children, facts.problems, facts.usual].filter(Boolean).join(", ");
    renderBar(this.#parts.bar, this.#snapshot, state, { isLive: this.#isLive, age: this.#age, text });
    this.#renderButton();
    this.#renderLink();
    this.#renderLog();
    this.#family.render(this, { base: this.#base, isLive: this.#isLive, format: this.#format });
    this.#announce(status);
    showInTab(this, this.#parts, { isLive: this.#isLive && state !== "reconnecting", format: this.#format });
    this.#fit.update();
    setTicking(this, this.isConnected && this.#isTicking);
  }

  connectedCallback() {
    takeOverProperty(this, "cancel");
    this.#parts ??= makeParts(this.attachShadow({ mode: "open" }));
    this.#button ??= new CancelButton(this.#parts, {
      send: () => postCancel(this.#base, this.getAttribute("task-id"), findCancelToken(this)),
      render: () => this.render(),
      answer: () => this.#problem && this.#dispatch("error", this.#problem),
      moveFocus: () => this.#parts.card.focus(),
    });
    this.#log ??= new LogPane(this.#parts);
    this.#family ??= new ChildList(this.#parts);
    this.#fit ??= new Fit(this.#parts, () => this.render());
    readTexts();
    this.#follow();
  }

  disconnectedCallback() {
    this.#unfollow?.();
    this.#unfollow = null;
    this.#family.stop();
    setTicking(this, false);
    leaveTab(this);
  }

  attributeChangedCallback(name, before, after) {
    if (!this.#unfollow || before === after || (name === "data-state" && after === this.state)) {
      return;
    }
    if (name === "task-id") {
      this.#reset();
    }
    if (["task-id", "src", "token", "token-age", "logs"].includes(name)) {
      this.#follow();
    } else {
      this.render();
    }
  }

  get #isLive() {
    return isLive(this.#snapshot, this.#isMissing);
  }

  // Whether what is shown changes with time alone.
  get #isTicking() {
    const { eta, queue_position: position } = this.#snapshot ?? {};
    const isCounted = typeof eta === "number" || position === 1 || this.state === "stalled";
    return this.state === "reconnecting" || (this.#isLive && (isCounted || isEstimated(this.#snapshot, this.state)));
  }

  get #elapsed() {
    return (performance.now() - this.#receivedAt) / 1000;
  }

  get #age() {
    return findAge(this.#snapshot, this.#elapsed);
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
    this.#isMissing = this.#isHeard = false;
    this.#announced = "";
    this.#button.reset();
    this.#log.reset();
    this.#family.reset();
    this.#fit.reset();
  }

  #follow() {
    this.#unfollow?.();
    this.#unfollow = () => {};
    const taskId = this.getAttribute("task-id");
    this.#takeFromPage(taskId);
    const [token, tokenAge] = [this.getAttribute("token"), Number(this.getAttribute("token-age"))];
    const options = { token, tokenAge, logs: this.hasAttribute("logs") };
    if (taskId && (options.logs || !isTerminal(this.#snapshot))) {
      this.#unfollow = follow(this.#base, taskId, options, {
        showSnapshot: (snapshot) => this.#showSnapshot(snapshot),
        showMissing: () => this.#showMissing(),
        showLines: (offset, lines) => this.#log.add(offset, lines),
        showTransport: (transport) => this.setAttribute("data-transport", transport),
        showContact: (contact) => this.#showContact(contact),
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
    this.#receivedAt = performance.now();
    this.#isMissing = false;
  }

  #showSnapshot(snapshot) {
    this.#isHeard = true;
    if (isSame(snapshot, this.#snapshot) && !this.#isMissing) {
      this.#renderLog();
      return;
    }
    const { state } = this;
    this.#take(snapshot);
    this.state === state ? renderSoon(this, { isSeen: this.#fit.isSeen }) : this.render();
    this.#dispatch("change");
    if (isTerminal(snapshot)) {
      this.#dispatch("end", `${this.#parts.name.textContent}: ${this.#parts.status.textContent}`);
    }
  }

  #showMissing() {
    this.#isMissing = true;
    this.render();
    this.#dispatch("error", texts.missing);
  }

  #showContact(contact) {
    const wasCutOff = this.state === "reconnecting";
    this.#contact = contact;
    this.render();
    if (this.state === "reconnecting" && !wasCutOff) {
      this.#dispatch("error", texts.reconnecting);
    }
  }

  #dispatch(name, message) {
    const event = new CustomEvent(`task-progress:${name}`, { bubbles: true, composed: true, detail: this.#snapshot });
    this.dispatchEvent(Object.assign(event, { message }));
  }

  #describe() {
    const isCompact = this.hasAttribute("compact");
    const circumstances = { now: serverNow(), elapsed: this.#elapsed, age: this.#age, isMine: this.#button.isSent, isCompact };
    const said = this.#snapshot
      ? describe(this.#snapshot, this.state, circumstances, this.#format)
      : { percent: "", status: this.getAttribute("task-id") ? texts[this.state] : texts.noTask, facts: {} };
    const news = this.state === "reconnecting" && describeNews(this.#contact, performance.now(), this.#format);
    return news === false ? said : { ...said, facts: { news } };
  }

  // Styles go by the state alone: who morphs the page takes away the attribute, which is a mirror for the page.
  #setState(state) {
    const { states } = this.#internals;
    if (!states.has(state)) {
      states.clear();
      states.add(state);
    }
    setAttribute(this, "data-state", state);
  }

  #renderTexts(percent, status, facts) {
    const { name, percent: figure, status: sentence, meta, problem } = this.#parts;
    const label = this.getAttribute("label") || describeName(this.#snapshot);
    setText(name, label, label);
    setText(figure, percent);
    setText(sentence, status, status);
    setText(problem, this.#problem);
    setHidden(problem, !this.#problem);
    setFacts(meta, facts);
  }

  #renderIcon(state) {
    const { icon, mark } = this.#parts;
    setAttribute(icon, "aria-label", texts[state]);
    setAttribute(mark, "d", MARKS[state] ?? "");
  }

  #renderButton() {
    const isRequested = Boolean(this.#snapshot?.cancel_requested);
    this.#button.render({ isLive: this.#isLive, isOffered: this.hasAttribute("cancel"), isRequested });
  }

  #renderLink() {
    const isLoggedOut = this.state === "reconnecting" && this.#contact.problem === "loggedOut";
    renderLink(this.#parts.link, { isLoggedOut, url: this.state === "succeeded" && this.#snapshot.result?.url });
  }

  // What a task has logged comes before its snapshot; one that came with the page says nothing of lines.
  #renderLog() {
    const isWaiting = this.#isLive || !(this.#isHeard || this.state === "missing");
    this.#log.render(this, { isWaiting, format: this.#format });
  }

  // Each state, and each ten percent, is announced once.
  #announce(status) {
    const { progress = 0, percent = null } = this.#snapshot ?? {};
    const tens = this.state === "running" && percent !== null ? Math.floor(progress / 10) * 10 : 0;
    const key = `${this.state} ${tens} ${this.#problem}`;
    if (this.#snapshot && key !== this.#announced) {
      this.#announced = key;
      const news = [this.#problem || (tens ? this.#format.percent(tens) : status), describeProblems(this.#snapshot, this.#format)];
      setText(this.#parts.spoken, `${this.#parts.name.textContent}: ${news.filter(Boolean).join(", ")}`);
    }
  }
}
