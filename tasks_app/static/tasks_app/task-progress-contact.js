// Whether a connection hears the server, and since when it has not.

import { Timers } from "./task-progress-timers.js";

export const HEARTBEAT_MS = 15_000;
const PATIENCE_MS = 3000; // without a stream, until the reader is told; a server that restarts is back by then
const MAX_SILENCE_MS = 6 * 60_000;

export class Contact {
  #timers = new Timers();
  #maxSilence = 3 * HEARTBEAT_MS;
  #on;

  /** Why nothing is heard: "unreachable", or "loggedOut"; "" while the server is heard. */
  problem = "";

  /** When the server was heard last, by `performance.now()`; null if it never was. */
  heardAt = null;

  /**
   * @param {object} on
   * @param {(contact: Contact) => void} on.change - is called when the problem changes
   * @param {() => void} on.silence - is called when a stream has been silent for three heartbeats
   */
  constructor(on) {
    this.#on = on;
  }

  /** The server was heard. */
  hear() {
    this.heardAt = performance.now();
    this.#timers.clear("patience");
    this.#set("");
  }

  /** The server was heard on a stream, and will be again. */
  hearStream() {
    this.hear();
    this.#timers.set("silence", () => this.#endSilence(), this.#maxSilence);
  }

  /** A heartbeat came so many milliseconds after the event before: the server may send them less often than by default. */
  hearHeartbeat(gap) {
    this.#maxSilence = 3 * Math.max(gap, HEARTBEAT_MS);
  }

  /** The stream is closed, so its silence tells nothing. */
  leaveStream() {
    this.#timers.clear("silence");
  }

  /** The connection has broken: tell so unless the server is heard soon. */
  wait() {
    if (!this.problem && !this.#timers.has("patience")) {
      this.#timers.set("patience", () => this.lose("unreachable"), PATIENCE_MS);
    }
  }

  /** Nothing is heard, for this reason. */
  lose(problem) {
    this.#timers.clear("patience");
    this.#set(problem);
  }

  /** Neither listen nor wait. */
  rest() {
    this.#timers.clearAll();
  }

  // A half-open connection fires no error.
  #endSilence() {
    this.#maxSilence = Math.min(2 * this.#maxSilence, MAX_SILENCE_MS);
    this.lose("unreachable");
    this.#on.silence();
  }

  #set(problem) {
    if (problem !== this.problem) {
      this.problem = problem;
      this.#on.change(this);
    }
  }
}
