// The children of a task as a table: a row for each, with bars for when it waited and when it ran on a common axis.

import { describeName } from "../task-progress-description.js";
import { setChildCount, setText } from "../task-progress-dom.js";
import { fetchChildren, makeTaskUrl } from "../task-progress-requests.js";
import { LIVE, TERMINAL } from "../task-progress-states.js";
import { say, texts } from "../task-progress-texts.js";
import { Timers } from "../task-progress-timers.js";
import { nameState } from "./description.js";
import { findParts, setMoment, stamp } from "./dom.js";
import { makeCourse } from "./timeline.js";
import { describeTime, placeBar } from "./timeline-view.js";

const MAX_ROWS = 100;
const PAUSE_MS = 2000;

export class ChildTable {
  #section;
  #base;
  #format;
  #onChange;
  #timers = new Timers();
  #counts = null;
  #asked = ""; // the counts for which they were fetched last
  #isAsking = false;
  #taskId = "";
  #children = [];

  /**
   * @param {HTMLElement} section
   * @param {string} base - as `findBase` returns it
   * @param {Formatter} format
   * @param {() => void} onChange - is called when there are other children, or when they have changed
   */
  constructor(section, base, format, onChange) {
    this.#section = section;
    this.#base = base;
    this.#format = format;
    this.#onChange = onChange;
  }

  /** Fetch the children of a task again if its snapshot counts other ones than before, every two seconds at most. */
  follow({ task_id: taskId, children }) {
    this.#taskId = taskId;
    this.#counts = children ?? null;
    if (this.#counts && !this.#isAsking && !this.#timers.has("fetch") && JSON.stringify(children) !== this.#asked) {
      this.#fetch();
    }
  }

  /** Show the children as of `now`, the server's time in milliseconds. */
  render(now) {
    const { from, to, rows: body, more } = findParts(this.#section);
    const rows = this.#children.map((child) => ({ child, ...makeCourse(child, now) }));
    const bounds = findBounds(rows);
    this.#section.hidden = !rows.length;
    setMoment(from, bounds?.from ?? null, now, this.#format);
    setMoment(to, bounds?.to ?? null, now, this.#format);
    if (rows.some(({ run, wait }) => run?.isLive || wait?.isLive)) {
      setText(to, texts.now);
    }
    const missing = (this.#counts?.total ?? 0) - rows.length;
    more.hidden = missing <= 0;
    setText(more, say("moreChildren", { n: this.#format.number(missing) }));
    setChildCount(body, rows.length, () => stamp("child"));
    rows.forEach((row, index) => this.#renderRow(body.children[index], row, bounds, now));
  }

  async #fetch() {
    this.#isAsking = true;
    const wanted = JSON.stringify(this.#counts);
    const options = { token: null, states: [...LIVE, ...TERMINAL], limit: MAX_ROWS };
    const children = await fetchChildren(this.#base, this.#taskId, options, new AbortController().signal);
    this.#isAsking = false;
    if (children) {
      this.#children = children;
      this.#asked = wanted;
      this.#onChange();
    }
    this.#timers.set("fetch", () => this.follow({ task_id: this.#taskId, children: this.#counts }), PAUSE_MS);
  }

  #renderRow(element, { child, wait, run }, bounds, now) {
    const parts = findParts(element);
    const state = child.stalled ? "stalled" : child.state;
    const name = describeName(child);
    element.dataset.state = state;
    setText(parts.name, name, name);
    parts.name.href = `${makeTaskUrl(this.#base, child.task_id)}/monitor`;
    setText(parts.state, nameState(state));
    setMoment(parts.began, run?.start ?? null, now, this.#format);
    setText(parts.took, run ? describeTime(run, this.#format) : "");
    placeBar(parts.wait, wait ?? NOTHING, bounds);
    placeBar(parts.bar, run ?? NOTHING, bounds);
  }
}

const NOTHING = { start: null, end: null };

function findBounds(rows) {
  const times = rows.flatMap(({ wait, run }) => [wait, run]).flatMap((each) => (each ? [each.start, each.end] : []));
  return times.length ? { from: Math.min(...times), to: Math.max(...times) } : null;
}
