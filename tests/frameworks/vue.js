import { h, render } from "vue";

window.renderWith = (attributes) => render(attributes && h("task-progress", attributes), document.getElementById("app"));
