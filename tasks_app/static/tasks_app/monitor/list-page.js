// The monitor's list: its data is polled, and the tasks in it are followed on one stream.

import { setText } from "../task-progress-dom.js";
import { getFormatter, say, texts } from "../task-progress-texts.js";
import { followVisibility } from "../task-progress-timers.js";
import { Chart } from "./chart.js";
import { isPlainClick, readPageTexts } from "./dom.js";
import { Feed } from "./feed.js";
import { changeQuery, Filters, makeAddress, readQuery } from "./filters.js";
import { Selection } from "./selection.js";
import { Sorting } from "./sorting.js";
import { Table } from "./table.js";

const STALE_AFTER = 2; // failures in a row
const NARROW = "(max-width: 46rem)"; // as in style.css
const HIDDEN_MS = 10_000; // until a hidden page stops following its tasks
const VIEWS_WITHOUT_DATA = ["loading", "unreachable", "expired", "invalid"];

const find = (id) => document.getElementById(id);
const main = find("monitor");
const notices = [...main.querySelectorAll("[data-notice]")];

readPageTexts();
const format = getFormatter();
const base = new URL(".", new URL(main.dataset.stream, document.baseURI)).href;
const on = { data: showData, answer: showAnswer, failure: showFailure, refusal: showRefusal };
const feed = new Feed(`${base}tasks/monitor/data`, on);
const table = new Table(find("list"), find("rows"), { base, format, speak, settle, changeSelection });
const selection = new Selection(find("bulk"), find("all"), {
  getRows: () => table.rows,
  format,
  speak,
  settle,
  showProblem,
  moveFocus: () => find("list").focus({ preventScroll: true }),
});
const chart = new Chart(find("chart"), format);
const filters = new Filters(find("filters"), select, format);
const sorting = new Sorting(find("table"), find("sort"), select);

let query = readQuery();
let isSelected = false; // whether the next data answers a selection of the user
let alarms = {}; // the counts that are announced when they grow

find("history").open = !matchMedia(NARROW).matches;
find("dismiss").addEventListener("click", () => {
  showProblem("");
  find("list").focus();
});
addEventListener("keydown", focusSearch);
main.addEventListener("click", (event) => {
  const link = event.target.closest("[data-action], #previous, #next");
  if (link?.dataset.action === "retry") {
    feed.retry();
  } else if (link && isPlainClick(event)) {
    event.preventDefault();
    openLink(link);
  }
});
addEventListener("popstate", () => {
  query = readQuery();
  isSelected = true;
  load();
});
followVisibility(HIDDEN_MS, { rest: () => table.rest(), wake: () => table.wake() });
setInterval(() => document.hidden || table.tick(), 1000);
load();

function load() {
  filters.show(query);
  sorting.show(query);
  find("list").setAttribute("aria-busy", "true");
  feed.select(query);
}

// The user can go back to each selection, but not to each letter of a search.
function select(selected, isTyped = false) {
  query = selected;
  isSelected = true;
  history[isTyped ? "replaceState" : "pushState"](null, "", makeAddress(query));
  load();
}

function openLink(link) {
  if (link.hasAttribute("href")) {
    select(new URLSearchParams(new URL(link.href).search));
    find("list").scrollIntoView({ block: "nearest" });
  }
}

function showData(data) {
  correctPage(data.page);
  showFigures(data);
  chart.update(data.chart);
  filters.update(data.counts, data.names);
  table.update(data.rows, isAsking() && !isSelected);
  selection.render();
  showPager(data);
  showView(data.total ? "list" : data.counts.all ? "unmatched" : "empty");
  announce(data);
  isSelected = false;
}

// While a question is open no row moves.
function isAsking() {
  return table.isAsking || selection.isAsking;
}

function settle() {
  selection.render();
  if (!isAsking()) {
    table.settle();
  }
}

function changeSelection() {
  selection.announce();
}

function showProblem(text) {
  setText(find("refused"), text);
  find("refusals").hidden = !text;
}

// "/" leads to the search, unless it is typed into something.
function focusSearch(event) {
  const isTyped = event.target.matches?.("input:not([type=checkbox]), select, textarea, [contenteditable]");
  if (event.key === "/" && !isTyped && !(event.metaKey || event.ctrlKey || event.altKey)) {
    event.preventDefault();
    find("search").select();
    find("search").focus();
  }
}

function showAnswer() {
  find("list").removeAttribute("aria-busy");
  find("stale").hidden = true;
  showSignal("live");
}

function showFailure(failures) {
  showSignal("reconnecting");
  if (VIEWS_WITHOUT_DATA.includes(main.dataset.view)) {
    showView("unreachable");
  } else {
    find("stale").hidden = failures < STALE_AFTER;
  }
}

function showRefusal(status, detail) {
  find("list").removeAttribute("aria-busy");
  find("stale").hidden = true;
  find("pager").hidden = true;
  table.clear();
  if (status === 400) {
    showSignal("live");
    setText(find("problem"), detail);
    showView("invalid");
  } else {
    showSignal("expired");
    find("login").href = location.href; // the server leads from there to the login
    showView("expired");
  }
}

// The server shows the last page where the one in the address is beyond it.
function correctPage(page) {
  if (query.has("page") && query.get("page") !== String(page)) {
    query.set("page", page);
    history.replaceState(null, "", makeAddress(query));
  }
}

function showFigures(data) {
  for (const card of main.querySelectorAll("[data-figure]")) {
    const { figure } = card.dataset;
    const value = figure in data ? data[figure] : data.counts[figure];
    setText(card.querySelector("dd"), format.number(value));
    card.classList.toggle("none", !value);
  }
}

function showView(view) {
  main.dataset.view = view;
  find("table").hidden = view !== "list";
  notices.forEach((notice) => (notice.hidden = notice.dataset.notice !== view));
}

function showSignal(signal) {
  const { dataset } = main.querySelector("[data-signal]");
  const before = dataset.signal;
  if (signal !== before) {
    dataset.signal = signal;
    setText(find("signal"), texts[signal]);
    if (before !== "connecting") {
      speak(texts[signal]);
    }
  }
}

function showPager({ page, pages, page_size: size, total, rows }) {
  const first = (page - 1) * size + 1;
  const values = { first, last: first + rows.length - 1, total };
  const shown = Object.entries(values).map(([name, value]) => [name, format.number(value)]);
  setText(find("range"), rows.length ? say("range", Object.fromEntries(shown)) : "");
  find("pager").hidden = total === 0;
  setPage(find("previous"), page - 1, pages);
  setPage(find("next"), page + 1, pages);
}

// A link to no page keeps its place and the focus.
function setPage(link, page, pages) {
  link.parentElement.hidden = pages <= 1;
  if (page < 1 || page > pages) {
    link.removeAttribute("href");
    link.setAttribute("role", "link");
    link.setAttribute("aria-disabled", "true");
    link.tabIndex = 0;
  } else {
    link.href = makeAddress(changeQuery(query, { page: page > 1 ? String(page) : "" }));
    ["role", "aria-disabled", "tabindex"].forEach((name) => link.removeAttribute(name));
  }
}

// Announces the result of a selection, and counts that call for attention; not each change.
function announce({ total, counts, failed_last_hour: failures }) {
  const now = { failures, stalls: counts.stalled };
  const grown = Object.keys(now).filter((name) => now[name] > (alarms[name] ?? Infinity));
  alarms = now;
  const news = grown.map((name) => say(name, { n: format.number(now[name]) }));
  if (isSelected) {
    news.unshift(say("found", { total: format.number(total) }));
  }
  if (news.length) {
    speak(news.join(". "));
  }
}

function speak(text) {
  find("spoken").textContent = text;
}
