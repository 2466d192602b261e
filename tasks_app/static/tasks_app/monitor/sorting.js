// The order of the monitor's list: links in the heads of its columns, and a list of orders on narrow windows, which lack some columns.

import { isPlainClick } from "./dom.js";
import { changeQuery, makeAddress } from "./filters.js";

const DESCENDING_FIRST = ["progress", "started", "took"];

export class Sorting {
  #links;
  #choice;
  #query = new URLSearchParams();

  /**
   * @param {HTMLElement} head - has a link with `data-sort` for each column
   * @param {HTMLSelectElement} choice
   * @param {(query: URLSearchParams) => void} select - is called when the user has chosen an order
   */
  constructor(head, choice, select) {
    this.#links = [...head.querySelectorAll("[data-sort]")];
    this.#choice = choice;
    head.addEventListener("click", (event) => {
      const link = event.target.closest("[data-sort]");
      if (link && isPlainClick(event)) {
        event.preventDefault();
        select(this.#change(findNext(link.dataset.sort, this.#current)));
      }
    });
    choice.addEventListener("change", () => select(this.#change(choice.value)));
  }

  /** Show the order of a query. */
  show(query) {
    this.#query = query;
    for (const link of this.#links) {
      const { sort } = link.dataset;
      link.href = makeAddress(this.#change(findNext(sort, this.#current)));
      setOrder(link.closest("th"), { [sort]: "ascending", [`-${sort}`]: "descending" }[this.#current]);
    }
    this.#showChoice();
  }

  // A link in the head, or an address, may name an order that the list of choices lacks.
  #showChoice() {
    this.#choice.value = this.#current;
    if (this.#choice.value !== this.#current) {
      const link = this.#links.find(({ dataset }) => dataset.sort === this.#current.replace("-", ""));
      const arrow = this.#current.startsWith("-") ? "↓" : "↑";
      this.#choice.add(new Option(`${link?.textContent ?? ""} ${arrow}`, this.#current, false, true));
    }
  }

  get #current() {
    return this.#query.get("sort") ?? "";
  }

  #change(sort) {
    return changeQuery(this.#query, { sort });
  }
}

// A column is sorted one way, then the other, then no more.
function findNext(column, current) {
  const orders = DESCENDING_FIRST.includes(column) ? [`-${column}`, column] : [column, `-${column}`];
  const place = orders.indexOf(current);
  return place === 1 ? "" : orders[place + 1];
}

function setOrder(head, order) {
  order ? head.setAttribute("aria-sort", order) : head.removeAttribute("aria-sort");
}
