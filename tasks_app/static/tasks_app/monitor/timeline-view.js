// The timeline of a task as a table: a row for each wait, attempt and stage, with a bar on a common axis.

import { make, setChildCount, setText } from "../task-progress-dom.js";
import { say, texts } from "../task-progress-texts.js";
import { nameState } from "./description.js";
import { findParts, setMoment, stamp } from "./dom.js";
import { findBounds } from "./timeline.js";

const PLAIN_STATES = ["running", "succeeded", "queued"]; // a name, a bar and a duration say as much

/**
 * Show the rows of a timeline in a table.
 *
 * @param {HTMLElement} section
 * @param {object[]} rows - as `makeTimeline` returns them
 * @param {number} now - the server's time in milliseconds
 * @param {Formatter} format
 */
export function renderTimeline(section, rows, now, format) {
  const bounds = findBounds(rows);
  const { from, to, rows: body } = findParts(section);
  section.hidden = !rows.length;
  setMoment(from, bounds?.from ?? null, now, format);
  setMoment(to, bounds?.to ?? null, now, format);
  if (rows.some((row) => row.isLive)) {
    setText(to, texts.now);
  }
  const count = rows.filter((row) => row.kind === "attempt").length;
  setChildCount(body, rows.length, () => stamp("phase"));
  rows.forEach((row, index) => renderRow(body.children[index], row, { bounds, now, format, count }));
}

function renderRow(element, row, { bounds, now, format, count }) {
  const parts = findParts(element);
  element.dataset.kind = row.kind;
  element.dataset.state = row.state;
  setText(parts.name, nameRow(row, count, format));
  setNotes(parts.note, findNotes(row, count, format));
  setText(parts.state, nameState(row.isLive || row.kind !== "wait" ? row.state : "succeeded"));
  setMoment(parts.began, row.start, now, format);
  setText(parts.took, describeTime(row, format));
  placeBar(parts.bar, row, bounds);
}

function nameRow({ kind, name, number, state }, count, format) {
  if (kind === "stage") {
    return name;
  }
  if (kind === "wait") {
    return texts.waiting;
  }
  return count > 1 || number > 1 ? say("attempt", { n: format.number(number) }) : texts.running;
}

function findNotes({ kind, state, progress, host, process, isEndUnknown, isLive }, count, format) {
  const isPercent = kind === "stage" && isLive && progress !== null;
  const isTriedAgain = kind === "attempt" && state === "queued";
  const notes = [
    isPercent && format.percent(progress),
    isTriedAgain && texts.triedAgain,
    isEndUnknown ? texts.endUnknown : !PLAIN_STATES.includes(state) && (kind === "stage" || count > 1) && nameState(state),
    host && say("worker", { host, process }),
  ];
  return notes.filter(Boolean);
}

// Names of hosts and words of the page may run in different directions.
function setNotes(element, notes) {
  if (element.textContent !== notes.join(" · ")) {
    element.replaceChildren(...notes.flatMap((note, index) => [index ? " · " : "", make("bdi", {}, note)]));
  }
}

/** Return how long something took, or "" if that is not known. */
export function describeTime({ start, end }, format) {
  if (start === null || end === null) {
    return "";
  }
  const seconds = (end - start) / 1000;
  return seconds < 1 ? texts.moment : format.duration(seconds);
}

/** Place a bar on an axis, from its `start` to its `end`, in milliseconds; hide it where these are not known. */
export function placeBar(bar, { start, end }, bounds) {
  bar.hidden = start === null || end === null || !bounds;
  if (!bar.hidden) {
    const length = Math.max(bounds.to - bounds.from, 1);
    bar.style.insetInlineStart = `${(100 * (start - bounds.from)) / length}%`;
    bar.style.inlineSize = `${(100 * (Math.max(end, start) - start)) / length}%`;
  }
}
