// Which components are near the part of the page that is seen: the others need neither move nor be measured.
//
// content-visibility would also spare their layout, but with it Chromium sometimes leaves an old text on the screen.

const MARGIN = "200px"; // around what is seen, so that nothing begins to move under the eyes of the reader

const changes = new WeakMap();
const observer = new IntersectionObserver((entries) => entries.forEach(note), { rootMargin: MARGIN });

/** Give an element the class "unseen" while it is far from what is seen, and call a function each time it comes near. */
export function watchSight(element, comeNear) {
  changes.set(element, comeNear);
  observer.observe(element);
}

/** Whether an element is near the part of the page that is seen. */
export function isNear(element) {
  return !element.classList.contains("unseen");
}

function note({ target, isIntersecting }) {
  target.classList.toggle("unseen", !isIntersecting);
  if (isIntersecting) {
    changes.get(target)();
  }
}
