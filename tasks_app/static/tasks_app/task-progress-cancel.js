// How a page asks the server to stop a task.

import { texts } from "./task-progress-texts.js";

/**
 * Ask for the end of a task.
 *
 * @param {string} base - absolute URL under which the app's endpoints are, with a slash at its end
 * @param {string} taskId
 * @returns {Promise<string>} what went wrong, or ""
 */
export async function postCancel(base, taskId) {
  const url = `${base}tasks/${encodeURIComponent(taskId)}/cancel`;
  const headers = { Accept: "application/json", "X-CSRFToken": readCsrfToken() };
  try {
    const response = await fetch(url, { method: "POST", headers });
    if (response.ok || response.status === 409) {
      return ""; // 409: it has ended in the meantime
    }
    return (await response.json()).detail ?? texts.refused;
  } catch {
    return texts.unreachable;
  }
}

// Django's cookie, or what a page holds where scripts may not read that.
function readCsrfToken() {
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  const element = document.querySelector("[name=csrfmiddlewaretoken], meta[name=csrf-token]");
  return cookie ?? element?.value ?? element?.content ?? "";
}
