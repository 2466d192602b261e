// Requests to the server, and URLs.

import { hearServerTime } from "./task-progress-server-time.js";
import { isSnapshot } from "./task-progress-states.js";
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

/** Return the host of a web URL that leads to another site than the page's, which a link must say; "" for its own. */
export function findForeignHost(href) {
  const { origin, host } = href ? new URL(href) : location;
  return origin === location.origin ? "" : host;
}

/**
 * Ask for the snapshot of a task. Only the app's own answer counts: not that of a login page, of a proxy or of a portal.
 *
 * @param {string} base - as `findBase` returns it
 * @param {{taskId: string, token: ?string, tokenAge: number}} task - a token with an age is not needed: the session serves
 * @param {AbortSignal} signal
 * @returns {Promise<{snapshot?: object, isMissing?: boolean, problem: string}>} the problem is one of `Contact`, or ""
 */
export async function fetchSnapshot(base, { taskId, token, tokenAge }, signal) {
  try {
    return await readAnswer(await fetchWithToken(makeTaskUrl(base, taskId), tokenAge ? null : token, signal), taskId);
  } catch {
    return { problem: "unreachable" }; // no answer, or one that is cut off
  }
}

/**
 * Ask for some children of a task, in the order of starting.
 *
 * @param {string} base - as `findBase` returns it
 * @param {string} taskId
 * @param {{token: ?string, states: string[], limit: number}} options - a token of the parent
 * @param {AbortSignal} signal
 * @returns {Promise<?object[]>} their snapshots; null if there is no answer of the app
 */
export async function fetchChildren(base, taskId, { token, states, limit }, signal) {
  try {
    const query = new URLSearchParams({ state: states.join(), limit });
    const response = await fetchWithToken(`${makeTaskUrl(base, taskId)}/children?${query}`, token, signal);
    const answer = response.ok && isJson(response) ? await response.json() : null;
    return answer?.children?.every?.(isSnapshot) ? answer.children : null;
  } catch {
    return null; // no answer, or one that is cut off
  }
}

// A header is in no log and no history. Where it is not taken, the token goes into the query: a proxy that asks for a
// password answers 401, as the app never does here, and another site is not asked whether it allows the header.
async function fetchWithToken(url, token, signal) {
  const options = { redirect: "manual", signal: withLimit(signal) };
  if (!token) {
    return fetchJson(url, options);
  }
  if (!findForeignHost(url) && /^[!-~]+$/.test(token)) {
    const headers = { Accept: "application/json", Authorization: `Bearer ${token}` };
    const response = await fetchJson(url, { ...options, headers });
    if (response.status !== 401) {
      return response;
    }
  }
  return fetchJson(`${url}${url.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`, options);
}

/** Fetch JSON. With "no-cache" the browser sends the ETag that it has, and turns a 304 into the answer that it keeps. */
export async function fetchJson(url, options) {
  const response = await fetch(url, { cache: "no-cache", headers: { Accept: "application/json" }, ...options });
  hearServerTime(response.headers.get("Server-Time"));
  return response;
}

/**
 * Ask the server to cancel a task. Only its own answer counts: not that of a login page, of a proxy or of a portal.
 *
 * @param {string} base - as `findBase` returns it
 * @param {string} taskId
 * @param {?string} token - one that its reader was given, who may have no other right
 * @returns {Promise<string>} the problem, or "" without one
 */
export async function postCancel(base, taskId, token) {
  try {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    return await describeAnswer(await postWithToken(`${makeTaskUrl(base, taskId)}/cancel`, { headers }));
  } catch (error) {
    return error.name === "TimeoutError" ? texts.unanswered : texts.unreachable;
  }
}

/**
 * Ask for a new token of some tasks, which the server gives to those who may see them by their session.
 *
 * @param {string} base - as `findBase` returns it
 * @param {string[]} taskIds
 * @returns {Promise<?{token: ?string, tasks: string[], max_age?: number}>} the tasks are those that the token opens, none
 *   if it is refused; null if there is no answer of the app
 */
export async function postTokens(base, taskIds) {
  try {
    const response = await postWithToken(`${base}tasks/tokens`, { body: JSON.stringify({ tasks: taskIds }) });
    if (asksForLogin(response) || (response.status >= 400 && response.status < 500 && response.status !== 429)) {
      return { token: null, tasks: [] };
    }
    const answer = response.ok && isJson(response) ? await response.json() : null;
    return Array.isArray(answer?.tasks) ? answer : null;
  } catch {
    return null;
  }
}

async function readAnswer(response, taskId) {
  if (asksForLogin(response)) {
    return { problem: "loggedOut" };
  }
  if (!isJson(response) || !(response.ok || response.status === 404)) {
    return { problem: "unreachable" };
  }
  if (response.status === 404) {
    return { isMissing: true, problem: "" };
  }
  const snapshot = await response.json();
  const isOurs = isSnapshot(snapshot) && snapshot.task_id === taskId;
  return isOurs ? { snapshot, problem: "" } : { problem: "unreachable" };
}

async function describeAnswer(response) {
  if (asksForLogin(response)) {
    return texts.loggedOut;
  }
  const isOurs = isJson(response);
  if (isOurs && (response.status === 202 || response.status === 409)) {
    return ""; // 409: it has ended in the meantime
  }
  const { detail } = isOurs ? await response.json() : {};
  return detail ?? say("refused", { status: response.status });
}

function asksForLogin(response) {
  return response.type === "opaqueredirect" || response.status === 401;
}

function isJson(response) {
  return /[/+]json\b/.test(response.headers.get("Content-Type") ?? "");
}

function withLimit(signal) {
  return AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
}

// Only the server can tell which token is valid: the cookie may be of other settings or of another site, and the token
// in the page is out of date once the user has logged in again.
async function postWithToken(url, { headers: others, body }) {
  let response;
  for (const token of readCsrfTokens()) {
    const headers = { ...others, Accept: "application/json", "X-CSRFToken": token, ...(body && { "Content-Type": "application/json" }) };
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    response = await fetch(url, { method: "POST", redirect: "manual", headers, body, signal });
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
