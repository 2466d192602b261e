// Defines <task-progress> in a page: <script type="module" src="…/task-progress-define.js"></script>
import { TaskProgressElement } from "./task-progress-element.js";

// A page may hold the scripts of two releases, where one of them comes out of a cache.
if (!customElements.get("task-progress")) {
  customElements.define("task-progress", TaskProgressElement);
}
