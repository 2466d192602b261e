import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { flushSync } from "react-dom";

const roots = new Map();

(window.renderers ??= {}).react = (place, attributes) => {
  const root = roots.get(place) ?? createRoot(place);
  roots.set(place, root);
  flushSync(() => root.render(attributes && createElement("task-progress", attributes)));
};
