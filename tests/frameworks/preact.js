import { h, render } from "preact";

(window.renderers ??= {}).preact = (place, attributes) => render(attributes && h("task-progress", attributes), place);
