// Defines <task-progress> in a page: <script type="module" src="…/task-progress-define.js"></script>
import { TaskProgressElement } from "./task-progress-element.js";

const defined = customElements.get("task-progress");

// Copies of one release share their modules, and so the class.
if (!defined) {
  customElements.define("task-progress", TaskProgressElement);
} else if (defined !== TaskProgressElement) {
  console.warn("<task-progress>: the page has loaded another release of the script before; that one stays in use");
}
