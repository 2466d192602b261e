// The filters of the monitor's list. They stand in the page's address, so that users can keep it, send it and go back.

import { make, setText } from "../task-progress-dom.js";
import { describeName } from "../task-progress-description.js";
import { isPlainClick } from "./dom.js";

const TYPING_MS = 250;

/** Return the query of the address, without empty values. */
export function readQuery() {
  return new URLSearchParams([...new URLSearchParams(location.search)].filter(([, value]) => value));
}

/** Return the address of a query. */
export function makeAddress(query) {
  return query.size ? `?${query}` : location.pathname;
}

/** Return a query with other values, of which empty ones are left out; it begins on the first page. */
export function changeQuery(query, values) {
  const changed = new URLSearchParams(query);
  changed.delete("page");
  for (const [name, value] of Object.entries(values)) {
    value ? changed.set(name, value) : changed.delete(name);
  }
  return changed;
}

export class Filters {
  #select;
  #format;
  #chips;
  #name = document.getElementById("name");
  #search = document.getElementById("search");
  #query = new URLSearchParams();
  #names = [];
  #isRevealed = false; // whether the chip in force was brought into sight; then the user may scroll away from it
  #timer;

  /**
   * @param {HTMLFormElement} form
   * @param {(query: URLSearchParams, isTyped: boolean) => void} select - is called when the user selects other tasks
   * @param {Formatter} format
   */
  constructor(form, select, format) {
    this.#select = select;
    this.#format = format;
    this.#chips = [...form.querySelectorAll(".chip")];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#applySearch();
    });
    form.addEventListener("click", (event) => this.#applyChip(event));
    this.#name.addEventListener("change", () => this.#apply({ task: this.#name.value }));
    this.#name.addEventListener("blur", () => this.#renderNames());
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#applySearch(), TYPING_MS);
    });
  }

  /** Show the filters of a query. */
  show(query) {
    clearTimeout(this.#timer);
    this.#query = query;
    this.#isRevealed = false;
    this.#renderChips();
    this.#renderSearch();
    this.#renderNames();
  }

  /** Show how many tasks are in each state, and which names there are. */
  update(counts, names) {
    for (const chip of this.#chips) {
      const count = counts[chip.dataset.state || "all"];
      setText(chip.querySelector(".count"), this.#format.number(count));
      chip.classList.toggle("none", !count);
    }
    this.#names = names;
    this.#renderNames();
    if (!this.#isRevealed) {
      this.#isRevealed = true;
      this.#chips.filter((chip) => chip.hasAttribute("aria-current")).forEach(reveal);
    }
  }

  #applyChip(event) {
    const chip = event.target.closest(".chip");
    if (chip && isPlainClick(event)) {
      event.preventDefault();
      this.#apply({ state: chip.dataset.state });
    }
  }

  #applySearch() {
    clearTimeout(this.#timer);
    this.#apply({}, true);
  }

  // The search is applied along with any other filter, even before the user pauses to type.
  #apply(values, isTyped = false) {
    const query = changeQuery(this.#query, { q: this.#search.value.trim(), ...values });
    if (String(query) !== String(this.#query)) {
      this.#select(query, isTyped);
    }
  }

  #renderChips() {
    const states = this.#query.getAll("state");
    for (const chip of this.#chips) {
      const { state } = chip.dataset;
      chip.href = makeAddress(changeQuery(this.#query, { state }));
      const isCurrent = state ? states.includes(state) : !states.length;
      isCurrent ? chip.setAttribute("aria-current", "true") : chip.removeAttribute("aria-current");
    }
  }

  #renderSearch() {
    const text = this.#query.get("q") ?? "";
    if (this.#search.value.trim() !== text) {
      this.#search.value = text;
    }
  }

  // The options stay as they are while the list has the focus: it would close if it is open.
  #renderNames() {
    const selected = this.#query.get("task") ?? "";
    const names = [...new Set([...this.#names, ...(selected ? [selected] : [])])];
    const known = [...this.#name.options].slice(1).map((option) => option.value);
    if (document.activeElement !== this.#name && names.join("\n") !== known.join("\n")) {
      this.#name.replaceChildren(this.#name.options[0], ...makeOptions(names));
    }
    this.#name.value = selected;
  }
}

// On a phone the chips are one line that scrolls; the page itself must not.
function reveal(chip) {
  const [line, box] = [chip.parentElement.getBoundingClientRect(), chip.getBoundingClientRect()];
  const [before, after] = [box.left - line.left, box.right - line.right];
  chip.parentElement.scrollBy({ left: Math.min(before, 0) || Math.max(after, 0) });
}

// Tasks that share a label are told apart by their full names.
function makeOptions(names) {
  const labels = names.map((task) => describeName({ task }));
  const isShared = (label) => labels.indexOf(label) !== labels.lastIndexOf(label);
  return names.map((task, index) => make("option", { value: task }, isShared(labels[index]) ? task : labels[index]));
}
