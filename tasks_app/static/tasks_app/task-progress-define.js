// Makes <task-progress> known to the page: <script type="module" src="…/task-progress-define.js"></script>
import { TaskProgressElement } from "./task-progress.js";

// A page may name this file under two addresses, such as with and without a hash, and would then define it twice.
if (!customElements.get("task-progress")) {
  customElements.define("task-progress", TaskProgressElement);
}
