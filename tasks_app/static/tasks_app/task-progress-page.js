// The title and the icon of the page, taken for a while and given back. What another script sets meanwhile stays.

import { make } from "./task-progress-dom.js";

const STEPS = 20; // in which the ring grows: browsers draw each icon of a tab afresh
const UNKNOWN = 0.25; // the share that the ring shows while there is none
const RADIUS = 12;

export class PageTitle {
  #before = null;
  #own = null;

  /** Show a text in place of the title, unless another script has changed it since. */
  show(text) {
    this.#before ??= document.title;
    if (text !== this.#own && [this.#own, this.#before].includes(document.title)) {
      document.title = text;
      this.#own = document.title; // without spaces at its ends
    }
  }

  /** Give the page its title back, unless another script has changed it. */
  giveBack() {
    if (this.#own !== null && document.title === this.#own) {
      document.title = this.#before;
    }
    this.#before = this.#own = null;
  }
}

export class PageIcon {
  #link = null;
  #parked = new Map(); // links to the page's own icons, with their `rel`
  #isWanted = false;
  #isAllowed = null;

  /** Show a ring in place of the icon, if the policy of the page allows it: filled to a share of 0 to 1, or null. */
  async show(share) {
    this.#isWanted = true;
    const url = drawRing(share === null ? UNKNOWN : Math.round(share * STEPS) / STEPS);
    this.#isAllowed ??= canShow(url);
    if ((await this.#isAllowed) && this.#isWanted) {
      this.#set(url);
    }
  }

  /** Give the page its icon back. */
  giveBack() {
    this.#isWanted = false;
    this.#link?.remove();
    this.#link = null;
    this.#parked.forEach((rel, link) => (link.rel = rel));
    this.#parked.clear();
  }

  #set(url) {
    if (!this.#link) {
      document.querySelectorAll("link[rel~=icon]").forEach((link) => this.#park(link));
      this.#link = make("link", { rel: "icon", type: "image/svg+xml", sizes: "any" });
      document.head.append(this.#link);
    }
    if (this.#link.href !== url) {
      this.#link.href = url;
    }
  }

  // Browsers choose among all icons of a page by rules of their own.
  #park(link) {
    this.#parked.set(link, link.rel);
    link.rel = "parked-icon";
  }
}

function drawRing(share) {
  const length = 2 * Math.PI * RADIUS;
  const draw = (attributes) => `<circle cx="16" cy="16" r="${RADIUS}" fill="none" stroke-width="6" ${attributes}/>`;
  const filled = `stroke="#4c7bf3" stroke-dasharray="${length * share} ${length}" transform="rotate(-90 16 16)"`;
  const rings = draw('stroke="#8a8a94" stroke-opacity=".4"') + draw(filled);
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${rings}</svg>`)}`;
}

// Asked once: the policy of a page does not change, and each icon that it forbids would be reported.
function canShow(url) {
  return new Promise((resolve) => {
    const image = make("img");
    image.addEventListener("load", () => resolve(true));
    image.addEventListener("error", () => resolve(false));
    image.src = url;
  });
}
