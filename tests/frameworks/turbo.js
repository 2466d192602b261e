import { morphElements } from "@hotwired/turbo";

(window.morphers ??= {}).turbo = (element, html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  morphElements(element, template.content.firstElementChild);
};
