// Requests to the server, and URLs.

import { say, texts } from "./task-progress-texts.js";

const ANSWER_WITHIN_MS = 10000;

/** Return the absolute URL under which the app's endpoints are, with a slash at its end. */
export function findBase(path) {
  return new URL(path.replace(/\/*$/, "/"), document.baseURI).href;
}

/** Return the URL of a task below that base. */
export function makeTaskUrl(base, taskId) {
  return `${base}tasks/${encodeURIComponent(taskId)}`;
}

/** Return the URL that a link may lead to, which is one of the web and never "javascript:"; "" for anything else. */
export function findWebUrl(value) {
  const isUrl = typeof value === "string" && URL.canParse(value, document.baseURI);
  const { protocol, href } = isUrl ? new URL(value, document.baseURI) : { protocol: "" };
  return /^https?:$/.test(protocol) ? href : "";
}

/** Fetch JSON. With "no-cache" the browser sends the ETag that it has, and turns a 304 into the answer that it keeps. */
export function fetchJson(url, options) {
  return fetch(url, { cache: "no-cache", headers: { Accept: "application/json" }, ...options });
}

/**
 * Ask the server to cancel a task. Only its own answer counts: not that of a login page, of a proxy or of a portal.
 *
 * @param {string} base - as `findBase` returns it
 * @param {string} taskId
 * @returns {Promise<string>} the problem, or "" without one
 */
export async function postCancel(base, taskId) {
  try {
    return await describeAnswer(await postWithToken(`${makeTaskUrl(base, taskId)}/cancel`));
  } catch (error) {
    return error.name === "TimeoutError" ? texts.unanswered : texts.unreachable;
  }
}

async function describeAnswer(response) {
  if (response.type === "opaqueredirect" || response.status === 401) {
    return texts.loggedOut;
  }
  const isOurs = /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");
  if (isOurs && (response.status === 202 || response.status === 409)) {
    return ""; // 409: it has ended in the meantime
  }
  const { detail } = isOurs ? await response.json() : {};
  return detail ?? say("refused", { status: response.status });
}

// Only the server can tell which token is valid: the cookie may be of other settings or of another site, and the token
// in the page is out of date once the user has logged in again.
async function postWithToken(url) {
  let response;
  for (const token of readCsrfTokens()) {
    const headers = { Accept: "application/json", "X-CSRFToken": token };
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    response = await fetch(url, { method: "POST", redirect: "manual", headers, signal });
    if (response.status !== 403) {
      break;
    }
  }
  return response;
}

function readCsrfTokens() {
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  const element = document.querySelector("[name=csrfmiddlewaretoken], meta[name=csrf-token]");
  const tokens = [cookie, element?.value ?? element?.content].filter(Boolean);
  return tokens.length ? tokens : [""];
}
