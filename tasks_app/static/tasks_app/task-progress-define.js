// Defines <task-progress> in a page: <script type="module" src="…/task-progress-define.js"></script>
import { TaskProgressElement } from "./task-progress.js";

// A page may load this file from two addresses, such as with and without a hash.
if (!customElements.get("task-progress")) {
  customElements.define("task-progress", TaskProgressElement);
}
