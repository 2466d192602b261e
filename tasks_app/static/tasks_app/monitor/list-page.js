// The monitor's list: what it shows is polled, and the tasks in it are followed on one stream.

import { Chart } from "./chart.js";
import { findBase, isPlain, readWords } from "./dom.js";
import { Feed } from "./feed.js";
import { change, Filters, makeAddress, readAddress } from "./filters.js";
import { Table } from "./table.js";
import { setText } from "../task-progress-dom.js";
import { getFormatter, say, texts } from "../task-progress-texts.js";
import { followVisibility } from "../task-progress-timers.js";

const STALE_AFTER = 2; // failures in a row
const HIDDEN_MS = 10_000; // until a page that nobody sees follows no task any more

const find = (id) => document.getElementById(id);
const main = find("monitor");
const notices = [...main.querySelectorAll("[data-notice]")];

readWords();
const format = getFormatter();
const base = findBase(main);
const feed = new Feed(`${base}tasks/monitor/data`, { take, hear, lose, refuse });
const page = { base, format, speak, getServerNow: () => feed.getServerNow() };
const table = new Table(find("list"), find("rows"), page);
const chart = new Chart(find("chart"), format);
const filters = new Filters(find("filters"), go, format);

let query = readAddress();
let isChosen = false; // is what comes next what the reader asked for?
let worries = {};

function ask() {
  filters.show(query);
  find("list").setAttribute("aria-busy", "true");
  feed.ask(query);
}

// Each choice can be gone back from; of a word that is typed, only the whole.
function go(wanted, replaces = false) {
  query = wanted;
  isChosen = true;
  history[replaces ? "replaceState" : "pushState"](null, "", makeAddress(query));
  ask();
}

function take(data) {
  if (query.has("page") && query.get("page") !== String(data.page)) {
    query.set("page", data.page); // there were more when the address was made
    history.replaceState(null, "", makeAddress(query));
  }
  for (const card of main.querySelectorAll("[data-figure]")) {
    const { figure } = card.dataset;
    const value = figure in data ? data[figure] : data.counts[figure];
    setText(card.querySelector("dd"), format.number(value));
    card.classList.toggle("none", !value);
  }
  chart.update(data.chart);
  filters.update(data.counts, data.names);
  table.update(data.rows, isChosen);
  turnPages(data);
  show(data.total ? "list" : data.counts.all ? "unmatched" : "empty");
  announce(data);
  isChosen = false;
}

function hear() {
  find("list").removeAttribute("aria-busy");
  find("stale").hidden = true;
  signal("live");
}

function lose(failures) {
  signal("reconnecting");
  if (["loading", "unreachable", "expired", "invalid"].includes(main.dataset.state)) {
    show("unreachable");
  } else {
    find("stale").hidden = failures < STALE_AFTER;
  }
}

function refuse(status, detail) {
  find("list").removeAttribute("aria-busy");
  find("stale").hidden = true;
  find("pager").hidden = true;
  table.clear();
  if (status === 400) {
    signal("live");
    setText(find("problem"), detail);
    show("invalid");
  } else {
    signal("expired");
    find("login").href = location.href; // the server asks whoever comes here to log in
    show("expired");
  }
}

function show(state) {
  main.dataset.state = state;
  find("table").hidden = state !== "list";
  notices.forEach((notice) => (notice.hidden = notice.dataset.notice !== state));
}

function signal(state) {
  const element = main.querySelector("[data-signal]");
  if (element.dataset.signal !== state) {
    const isNews = element.dataset.signal !== "connecting";
    element.dataset.signal = state;
    setText(find("signal"), texts[state]);
    if (isNews) {
      speak(texts[state]);
    }
  }
}

function turnPages({ page, pages, page_size: size, total, rows }) {
  const first = (page - 1) * size + 1;
  const values = { first, last: first + rows.length - 1, total };
  const shown = Object.entries(values).map(([name, value]) => [name, format.number(value)]);
  setText(find("range"), rows.length ? say("range", Object.fromEntries(shown)) : "");
  find("pager").hidden = total === 0;
  setPage(find("previous"), page - 1, pages);
  setPage(find("next"), page + 1, pages);
}

// A link that leads nowhere keeps its place, and the focus.
function setPage(link, page, pages) {
  link.parentElement.hidden = pages <= 1;
  if (page < 1 || page > pages) {
    link.removeAttribute("href");
    link.setAttribute("role", "link");
    link.setAttribute("aria-disabled", "true");
    link.tabIndex = 0;
  } else {
    link.href = makeAddress(change(query, { page: page > 1 ? String(page) : "" }));
    ["role", "aria-disabled", "tabindex"].forEach((name) => link.removeAttribute(name));
  }
}

// What the reader asked for, and what he should look at; not each change.
function announce({ total, counts, failed_last_hour: failures }) {
  const now = { failures, stalls: counts.stalled };
  const grown = Object.keys(now).filter((name) => now[name] > (worries[name] ?? Infinity));
  worries = now;
  const news = grown.map((name) => say(name, { n: format.number(now[name]) }));
  if (isChosen) {
    news.unshift(say("found", { total: format.number(total) }));
  }
  if (news.length) {
    speak(news.join(". "));
  }
}

function speak(text) {
  find("spoken").textContent = text;
}

main.addEventListener("click", (event) => {
  const link = event.target.closest("[data-action], #previous, #next");
  if (link?.dataset.action === "retry") {
    feed.retry();
  } else if (link && isPlain(event)) {
    event.preventDefault();
    if (link.hasAttribute("href")) {
      go(new URL(link.href).search ? new URLSearchParams(new URL(link.href).search) : new URLSearchParams());
      find("list").scrollIntoView({ block: "nearest" });
    }
  }
});
addEventListener("popstate", () => {
  query = readAddress();
  isChosen = true;
  ask();
});
followVisibility(HIDDEN_MS, { rest: () => table.rest(), wake: () => table.wake() });
setInterval(() => document.hidden || table.tick(), 1000);
ask();
