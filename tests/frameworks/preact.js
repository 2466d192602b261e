import { h, render } from "preact";

window.renderWith = (attributes) => render(attributes && h("task-progress", attributes), document.getElementById("app"));
