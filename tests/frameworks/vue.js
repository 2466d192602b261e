import { h, render } from "vue";

(window.renderers ??= {}).vue = (place, attributes) => render(attributes && h("task-progress", attributes), place);
