// How the texts of a component fit into its width: facts of less weight go where not all find room, and a text that is
// cut opens on a click, a tap or Enter.
//
// All components of a page are measured together, once per frame, and only those whose texts or width have changed.

import { setAttributes } from "./task-progress-dom.js";
import { isNear, watchSight } from "./task-progress-sight.js";

/** The facts that may go, the first of them first. The time left stays. */
const YIELDING = ["rate", "usual", "count", "step", "children"];

const due = new Set();
const fits = new WeakMap(); // by the element whose width counts
const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => request(fits.get(target))));

export class Fit {
  #card;
  #meta;
  #texts;
  #measured = "";

  /**
   * @param {object} parts - `card`; `body`, as wide as it; `name` and `status`, which may be cut; `meta` with facts
   * @param {() => void} render - is called when the component comes near the part of the page that is seen
   */
  constructor({ card, body, name, status, meta }, render) {
    this.#meta = meta;
    this.#card = card;
    watchSight(card, () => {
      render();
      request(this);
    });
    this.#texts = [name, status].map((element) => new CutText(element, () => request(this)));
    fits.set(body, this);
    observer.observe(body);
  }

  /** Whether the component is near what is seen, so that it matters how its texts fit. */
  get isSeen() {
    return isNear(this.#card);
  }

  /** Close what the reader has opened: it is about another task. */
  reset() {
    this.#texts.forEach((text) => text.close());
  }

  /** See to it that texts that have changed fit. Figures are equally wide: only lengths count. */
  update() {
    const facts = this.#facts.map(({ className, textContent }) => className + textContent.length);
    const texts = [this.#texts.map((text) => text.content).join("\n"), ...facts].join();
    if (texts !== this.#measured) {
      this.#measured = texts;
      request(this);
    }
  }

  prepare() {
    this.#facts.forEach((fact) => (fact.hidden = false));
  }

  /** Return what is to be changed, as a function, so that all are measured before any is changed. */
  measure() {
    const hidden = this.#findHidden();
    const cuts = this.#texts.map((text) => text.isCut);
    return () => {
      hidden.forEach((fact) => (fact.hidden = true));
      this.#texts.forEach((text, index) => text.render(cuts[index]));
    };
  }

  get #facts() {
    return [...this.#meta.children];
  }

  #findHidden() {
    const yielding = YIELDING.map((name) => this.#facts.find((fact) => fact.classList.contains(name)));
    let excess = this.#meta.scrollWidth - this.#meta.clientWidth;
    return yielding.filter((fact) => {
      const yields = fact && excess > 0;
      excess -= yields ? fact.offsetWidth : 0;
      return yields;
    });
  }
}

/** A text that is cut to its line until the reader opens it. */
class CutText {
  #element;
  #pressedAt = 0;
  #change;

  constructor(element, change) {
    this.#element = element;
    this.#change = change;
    element.addEventListener("pointerdown", (event) => (this.#pressedAt = event.clientX));
    element.addEventListener("click", (event) => this.#isPress(event) && this.#toggle());
    element.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && this.#press(event));
  }

  get content() {
    return this.#element.textContent;
  }

  get isCut() {
    const { scrollWidth, clientWidth, scrollHeight, clientHeight } = this.#element;
    return scrollWidth > clientWidth || scrollHeight > clientHeight + 2;
  }

  get #isOpen() {
    return this.#element.classList.contains("open");
  }

  close() {
    this.#element.classList.remove("open");
  }

  // What has the focus keeps it, and stays a button for as long.
  render(isCut) {
    const isButton = isCut || this.#isOpen || this.#element.matches(":focus");
    setAttributes(this.#element, {
      role: isButton ? "button" : null,
      tabindex: isButton ? 0 : null,
      "aria-expanded": isButton ? this.#isOpen : null,
    });
  }

  // Who drags over the text selects it.
  #isPress(event) {
    return this.#element.hasAttribute("role") && Math.abs(event.clientX - this.#pressedAt) < 4;
  }

  #press(event) {
    event.preventDefault();
    this.#toggle();
  }

  #toggle() {
    this.#element.classList.toggle("open");
    this.#change();
  }
}

function request(fit) {
  if (!due.size) {
    requestAnimationFrame(fitAll);
  }
  due.add(fit);
}

function fitAll() {
  const all = [...due].filter((fit) => fit.isSeen);
  due.clear();
  all.forEach((fit) => fit.prepare());
  all.map((fit) => fit.measure()).forEach((change) => change());
}
