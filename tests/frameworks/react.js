import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { flushSync } from "react-dom";

const root = createRoot(document.getElementById("app"));
window.renderWith = (attributes) => flushSync(() => root.render(attributes && createElement("task-progress", attributes)));
