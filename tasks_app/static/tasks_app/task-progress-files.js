// Texts that leave the page: to the clipboard, or as a file.

import { make } from "./task-progress-dom.js";

const KEPT_MS = 10_000; // for which a browser may fetch a file that it was told to download

/**
 * Copy a text, also in pages without TLS, where browsers have no clipboard for scripts; return whether it was copied.
 *
 * @param {string} text
 * @param {HTMLElement} place - where a field may stand for a moment
 */
export async function copyText(text, place) {
  if (!navigator.clipboard) {
    return copyFromField(text, place);
  }
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    console.warn("<task-progress>: the browser does not let this page use the clipboard", error);
    return copyFromField(text, place);
  }
}

/** Have the browser download a text as a file of this name. */
export function downloadText(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

function copyFromField(text, place) {
  const field = make("textarea", { class: "only-spoken", readonly: "" });
  const focused = place.getRootNode().activeElement;
  field.value = text;
  place.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return isCopied;
}
