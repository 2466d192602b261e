// Which tasks the monitor shows. That stands in the page's address, so that it can be kept, sent and gone back to.

import { isPlain } from "./dom.js";
import { make, setText } from "../task-progress-dom.js";
import { describeName } from "../task-progress-description.js";

const TYPING_MS = 250;

/** Return what the address asks for. */
export function readAddress() {
  return new URLSearchParams([...new URLSearchParams(location.search)].filter(([, value]) => value));
}

/** Return the address of a query. */
export function makeAddress(query) {
  return query.size ? `?${query}` : location.pathname;
}

/** Return a query with other values; what is empty is left out. Another filter begins on its first page. */
export function change(query, values) {
  const changed = new URLSearchParams(query);
  changed.delete("page");
  for (const [name, value] of Object.entries(values)) {
    value ? changed.set(name, value) : changed.delete(name);
  }
  return changed;
}

export class Filters {
  #go;
  #format;
  #chips;
  #name = document.getElementById("name");
  #search = document.getElementById("search");
  #query = new URLSearchParams();
  #names = [];
  #timer;

  /**
   * @param {HTMLFormElement} form
   * @param {(query: URLSearchParams, isTyped: boolean) => void} go - the reader wants these tasks
   * @param {Formatter} format
   */
  constructor(form, go, format) {
    this.#go = go;
    this.#format = format;
    this.#chips = [...form.querySelectorAll(".chip")];
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#type();
    });
    form.addEventListener("click", (event) => this.#press(event));
    this.#name.addEventListener("change", () => this.#choose({ task: this.#name.value }));
    this.#name.addEventListener("blur", () => this.#fill());
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#type(), TYPING_MS);
    });
  }

  /** Show what the address asks for. */
  show(query) {
    clearTimeout(this.#timer);
    this.#query = query;
    const states = query.getAll("state");
    for (const chip of this.#chips) {
      const { state } = chip.dataset;
      chip.href = makeAddress(change(query, { state }));
      const isChosen = state ? states.includes(state) : !states.length;
      isChosen ? chip.setAttribute("aria-current", "true") : chip.removeAttribute("aria-current");
    }
    const text = query.get("q") ?? "";
    if (this.#search.value.trim() !== text) {
      this.#search.value = text;
    }
    this.#fill();
  }

  /** Show how many tasks there are in each state, and what they are called. */
  update(counts, names) {
    for (const chip of this.#chips) {
      const count = counts[chip.dataset.state || "all"];
      setText(chip.querySelector(".count"), this.#format.number(count));
      chip.classList.toggle("none", !count);
    }
    this.#names = names;
    this.#fill();
  }

  #press(event) {
    const chip = event.target.closest(".chip");
    if (chip && isPlain(event)) {
      event.preventDefault();
      this.#choose({ state: chip.dataset.state });
    }
  }

  #type() {
    clearTimeout(this.#timer);
    this.#choose({}, true);
  }

  // What is being typed counts, too, though the reader has not paused yet.
  #choose(values, isTyped = false) {
    const query = change(this.#query, { q: this.#search.value.trim(), ...values });
    if (String(query) !== String(this.#query)) {
      this.#go(query, isTyped);
    }
  }

  // An open list of names would close if its options changed.
  #fill() {
    const chosen = this.#query.get("task") ?? "";
    const names = [...new Set([...this.#names, ...(chosen ? [chosen] : [])])];
    const known = [...this.#name.options].slice(1).map((option) => option.value);
    if (document.activeElement !== this.#name && names.join("\n") !== known.join("\n")) {
      const labels = names.map((task) => describeName({ task }));
      const isAmbiguous = (label) => labels.indexOf(label) !== labels.lastIndexOf(label);
      const options = names.map((task, index) => make("option", { value: task }, isAmbiguous(labels[index]) ? task : labels[index]));
      this.#name.replaceChildren(this.#name.options[0], ...options);
    }
    this.#name.value = chosen;
  }
}
