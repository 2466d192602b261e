// One child in the list of a parent's children: its icon, its name, what it says, its bar and its percentage.

import { describe, describeName } from "./task-progress-description.js";
import { draw, make, setAttribute, setStyle, setText } from "./task-progress-dom.js";
import { MARKS } from "./task-progress-parts.js";
import { findAge, serverNow } from "./task-progress-server-time.js";
import { findState } from "./task-progress-states.js";
import { texts } from "./task-progress-texts.js";
import { renderSoon } from "./task-progress-timers.js";

export class ChildRow {
  #mark = draw("path", { "fill-rule": "evenodd" });
  #icon = draw("svg", { class: "icon", viewBox: "0 0 16 16", role: "img" }, draw("circle", { cx: 8, cy: 8, r: 6 }), this.#mark);
  #name = make("span", { class: "child-name", part: "child-name", dir: "auto" });
  #said = make("span", { class: "child-status", part: "child-status", dir: "auto" });
  #fill = make("span", { class: "fill" });
  #percent = make("span", { class: "child-percent", part: "child-percent", dir: "auto" });
  #snapshot = null;
  #isMissing = false;
  #receivedAt = 0;
  #unfollow = null;
  #format = null;

  constructor() {
    const track = make("span", { class: "child-track", "aria-hidden": "true" }, this.#fill);
    this.element = make("li", { class: "child", part: "child" }, this.#icon, this.#name, this.#said, track, this.#percent);
  }

  get isConnected() {
    return this.element.isConnected;
  }

  /** Take over a snapshot, unless a newer one is known. */
  take(snapshot) {
    this.#isMissing = false;
    if (!this.#snapshot || snapshot.seq >= this.#snapshot.seq) {
      this.#snapshot = snapshot;
      this.#receivedAt = performance.now();
    }
  }

  /**
   * Follow the child unless it is followed; return whether it is now.
   *
   * @param {(follower: object) => ?(() => void)} start - as `followBeside`, which has no room at times
   */
  follow(start) {
    this.#unfollow ??= start({
      showSnapshot: (snapshot) => {
        this.take(snapshot);
        renderSoon(this, { isSeen: true });
      },
      showMissing: () => {
        this.#isMissing = true;
        renderSoon(this, { isSeen: true });
      },
      showLines: () => {},
    });
    return this.#unfollow !== null;
  }

  unfollow() {
    this.#unfollow?.();
    this.#unfollow = null;
  }

  /** Show the last snapshot as of now. */
  render(format = this.#format) {
    this.#format = format;
    const state = findState(this.#snapshot, this.#isMissing);
    const elapsed = (performance.now() - this.#receivedAt) / 1000;
    const age = findAge(this.#snapshot, elapsed);
    const circumstances = { now: serverNow(), elapsed, age, isMine: false, isCompact: true };
    const { percent, status, facts } = describe(this.#snapshot, state, circumstances, format);
    const name = describeName(this.#snapshot);
    const said = [status, facts.children, facts.problems].filter(Boolean).join(" · ");
    setAttribute(this.element, "data-state", state);
    setAttribute(this.#icon, "aria-label", texts[state]);
    setAttribute(this.#mark, "d", MARKS[state] ?? "");
    setText(this.#name, name, name);
    setText(this.#said, said, said);
    setText(this.#percent, percent);
    setStyle(this.#fill, "--filled", this.#snapshot.percent === null ? 0 : this.#snapshot.progress);
  }
}
