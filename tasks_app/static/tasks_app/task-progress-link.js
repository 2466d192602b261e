// The link of a component: to the result of its task, or to where its reader logs in again.

import { setAttribute, setHidden, setText } from "./task-progress-dom.js";
import { findForeignHost, findWebUrl } from "./task-progress-requests.js";
import { texts } from "./task-progress-texts.js";

/**
 * Show the link where it leads somewhere.
 *
 * @param {HTMLAnchorElement} link
 * @param {object} options
 * @param {boolean} options.isLoggedOut - whether the server asks for a login, and leads back from it
 * @param {*} options.url - what the result of the task names as such
 */
export function renderLink(link, { isLoggedOut, url }) {
  // The page is asked for as a whole.
  const href = findWebUrl(isLoggedOut ? location.href.replace(/#.*/, "") : url);
  const host = findForeignHost(href);
  setAttribute(link, "href", href);
  setAttribute(link, "rel", host ? "noopener noreferrer" : null);
  setHidden(link, !href);
  setText(link, isLoggedOut ? texts.logIn : `${texts.result}${host && ` (${host})`}`);
}
