// A button that copies a text of the page. Where the page may not write to the clipboard, it selects the text.

import { setText } from "../task-progress-dom.js";
import { texts } from "../task-progress-texts.js";

const FEEDBACK_MS = 4000;

/**
 * Have a button copy the text of an element.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} source
 * @param {HTMLElement} status - says what came of it
 */
export function connectCopyButton(button, source, status) {
  let timer;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const isCopied = await copy(source.textContent);
    if (!isCopied) {
      getSelection().selectAllChildren(source);
    }
    setText(status, isCopied ? texts.copied : texts.selectedToCopy);
    clearTimeout(timer);
    timer = setTimeout(() => setText(status, ""), FEEDBACK_MS);
  });
}

// There is no clipboard on a page without TLS, and the user or a policy of the site may forbid it.
async function copy(text) {
  if (!navigator.clipboard) {
    return false;
  }
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    if (error.name !== "NotAllowedError") {
      throw error;
    }
    return false;
  }
}
