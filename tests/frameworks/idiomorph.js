import { Idiomorph } from "idiomorph";

(window.morphers ??= {}).idiomorph = (element, html) => Idiomorph.morph(element, html);
