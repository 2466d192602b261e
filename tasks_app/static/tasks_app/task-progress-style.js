// The style of <task-progress>, which a page changes by custom properties and ::part().
//
// It is a constructed sheet, because a strict Content-Security-Policy forbids <style>. light-dark() follows the
// color-scheme of the page: one that is always light has light components, even if the system prefers dark ones.

const ENDED = ":is(:state(succeeded), :state(failed), :state(cancelled), :state(lost), :state(missing))";

export const style = new CSSStyleSheet();

style.replaceSync(`
:host {
  display: block;
  min-inline-size: 0;
  --background: var(--task-progress-background, light-dark(#ffffff, #1b1b1f));
  --border: var(--task-progress-border, light-dark(#e6e5e1, #2d2d33));
  --text: var(--task-progress-text, light-dark(#1d1c1a, #ececf0));
  --muted: var(--task-progress-muted, light-dark(#65625c, #a0a0ab));
  --track: var(--task-progress-track, light-dark(#e9e8e4, #2c2c33));
  --accent: var(--task-progress-accent, light-dark(#2f5fe0, #7da2ff));
  --success: var(--task-progress-success, light-dark(#1a7f4b, #4cc38a));
  --warning: var(--task-progress-warning, light-dark(#9a5b00, #f0b54a));
  --warning-fill: var(--task-progress-warning-fill, light-dark(#e0a12b, #c98a1d));
  --danger: var(--task-progress-danger, light-dark(#c02b2b, #ff8a85));
  --color: var(--muted);
}
:host([hidden]), [hidden] { display: none !important; }
:host(:state(running)) { --color: var(--accent); }
:host(:state(stalled)) { --color: var(--warning-fill); }
:host(:state(succeeded)) { --color: var(--success); }
:host(:is(:state(failed), :state(lost))) { --color: var(--danger); }

* { box-sizing: border-box; }

/* Of the page, only these are inherited: a heading's capitals, spaced letters and shadows are not for the component. */
.card, .spoken {
  all: initial;
  color-scheme: var(--task-progress-color-scheme, inherit);
  cursor: inherit;
  font-family: var(--task-progress-font, inherit);
  pointer-events: inherit;
  visibility: inherit;
}
.card {
  display: block;
  container-type: inline-size;
  contain-intrinsic-inline-size: 320px;
  margin-block: var(--task-progress-margin, 12px);
  overflow: clip;
  border: 1px solid var(--border);
  border-radius: 10px;
  background: var(--background);
  color: var(--text);
  font-size: var(--task-progress-font-size, 15px);
  line-height: 1.4;
  font-variant-numeric: tabular-nums;
  text-align: start;
}
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.body { padding: 14px 16px; }
.head, .foot { display: flex; align-items: center; gap: 10px; }
.head { min-block-size: calc(26em / 15); }
.name, .status, .meta { min-inline-size: 0; overflow-x: clip; text-overflow: ellipsis; white-space: nowrap; }
.name, .status { flex: 1 1 0; margin-inline: -2px; padding-inline: 2px; } /* room for a letter that leans out */
:host(:dir(rtl)) :is(.name, .status) { text-align: right; }
:is(.name, .status)[role="button"] { border-radius: 2px; cursor: pointer; }
.open { overflow-wrap: anywhere; white-space: normal; }
.name { font-weight: 600; }
.percent { flex: none; color: var(--muted); font-weight: 400; }
:host(:is(:state(running), :state(stalled))) .percent { color: var(--text); font-weight: 600; }
.actions { display: flex; flex: none; align-items: center; gap: 6px; font-size: calc(13em / 15); }
.actions .actions { font-size: inherit; }

button {
  min-block-size: 26px;
  padding: 2px 10px;
  border: 1px solid var(--border);
  border-radius: 6px;
  background: none;
  color: var(--muted);
  font: inherit;
  white-space: nowrap;
  cursor: pointer;
}
button:hover { border-color: var(--muted); color: var(--text); }
button[aria-disabled="true"] { border-color: transparent; color: var(--muted); cursor: default; }
.yes { border-color: var(--danger); color: var(--danger); }

.icon { flex: none; inline-size: calc(16em / 15); block-size: calc(16em / 15); overflow: visible; fill: none; stroke: var(--color); stroke-width: 2; }
.icon path { stroke-linecap: round; stroke-linejoin: round; }
:host(:state(running)) circle { stroke: var(--track); }
:host(:state(running)) .icon { animation: turn 1.6s linear infinite; }
:host(:state(queued)) circle { stroke-dasharray: 2.5 2.2; }
:host(:state(stalled)) circle { display: none; }
:host(:state(stalled)) path { fill: var(--color); stroke: none; }
:host(:is(:state(succeeded), :state(failed), :state(lost))) circle { fill: var(--color); }
:host(:is(:state(succeeded), :state(failed), :state(lost))) path { stroke: var(--background); }

.bar { display: flex; gap: min(3px, 30% / var(--count, 1)); margin-block: 8px; print-color-adjust: exact; }
.segment { position: relative; flex: 1 1 0; block-size: 8px; overflow: hidden; border-radius: 4px; background: var(--track); }
.fill {
  --to-start: -1%;
  block-size: 100%;
  translate: calc((100 - var(--filled, 0)) * var(--to-start));
  border-radius: 4px;
  background: var(--color);
  transition: translate 200ms ease-out;
}
:host(:dir(rtl)) .fill { --to-start: 1%; }
.bar:not([aria-valuenow], [data-estimated]) .fill { inline-size: 35%; translate: none; animation: sweep 1.6s ease-in-out infinite; }
.bar[data-estimated] .fill {
  background: repeating-linear-gradient(-45deg, var(--color) 0 5px, color-mix(in srgb, var(--color) 55%, var(--track)) 5px 10px);
  transition: translate 1s linear;
}

.foot { min-block-size: calc(20em / 13); font-size: calc(13em / 15); }
.foot:has(.open) { flex-wrap: wrap; }
.foot .open { flex-basis: 100%; }
.meta { color: var(--muted); }
.meta:empty { display: none; }
.separator { display: none; }
.fact:not([hidden]) ~ .fact .separator { display: inline; }
.fact { white-space: pre; }
.meta, .link { flex: none; max-inline-size: 65%; }
.link { color: var(--accent); }
:host(:state(stalled)) .status { color: var(--warning); }
:host(:is(:state(failed), :state(lost))) .status, .problem { color: var(--danger); }
.problem { margin-block-start: 2px; font-size: calc(13em / 15); overflow-wrap: anywhere; }
:host(:is(:state(queued), :state(cancelled), :state(missing), :state(reconnecting))) .status { color: var(--muted); }

.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

:host([compact]) .body { display: flex; flex-wrap: wrap; align-items: center; gap: 0 12px; padding-block: 9px; }
:host([compact]) .problem { flex: 1 0 100%; order: 4; }
:host([compact]) .head { display: contents; }
:host([compact]) .bar { flex: 1 1 0; order: 1; margin: 0; }
:host([compact]) .percent { order: 2; min-inline-size: 2.6em; text-align: end; }
:host([compact]) .actions { order: 3; }
:host([compact]) .icon { margin-block: calc(5em / 15); margin-inline-end: -2px; } /* as high as the button */
:host([compact]:not(:state(failed), :state(lost), :state(missing))) .foot { display: none; }
:host([compact]:is(:state(failed), :state(lost), :state(missing))) .foot { flex: 1 0 100%; order: 4; min-inline-size: 0; }
:host([compact]:state(reconnecting)) .foot:has(.link:not([hidden])) { display: flex; flex: 1 0 100%; order: 4; min-inline-size: 0; }
:host([compact]) .meta { display: none; }

@container (inline-size < 36em) {
  :host([compact]) .bar { flex: 0 1 6em; }
}
@container (inline-size < 24em) {
  :host(:not([compact])) .body { display: flex; flex-wrap: wrap; align-items: center; gap: 0 10px; }
  :host(:not([compact])) :is(.head, .foot) { display: contents; }
  :host(:not([compact])) :is(.bar, .status, .problem) { flex: 1 0 100%; }
  :host(:not([compact])) .name { min-inline-size: min(6em, 100% - 2em); line-height: calc(26em / 15); }
  :host(:not([compact])) .name.open { line-height: inherit; }
  .meta, .link { --row: calc(20em / 13); min-block-size: var(--row); line-height: var(--row); }
  :host([cancel]) :is(.meta, .link) { --row: calc(28em / 13); }
  .meta { flex: 1 1 0; max-inline-size: none; }
  .meta:has(.left) { min-inline-size: min(6em, 100%); }
  .meta, .link { order: 1; }
  :host(:not([compact])) .head > .actions { order: 2; margin-inline-start: auto; }
  :host(:is(:state(running), :state(queued), :state(stalled), :state(cancelled)):not([compact])) .foot:has(.meta:empty) .status:not(.open) { flex: 1 1 5em; }
  /* The name is worth more than a place in the line, and than where an ended task has stopped. */
  :host(:is(:state(queued), :state(failed), :state(cancelled), :state(lost)):not([compact])) .percent { order: 1; flex: none; font-size: calc(13em / 15); line-height: calc(20em / 13); }
  :host(:state(queued):not([compact])) .percent:not(:empty) { flex-basis: 100%; }
  :host(:state(queued):not([compact])) .body:has(.percent:not(:empty)) .status { display: none; }
  .problem { order: 3; }
  :host([compact]) .bar { flex: 1 0 100%; order: 4; margin-block: 4px; }
  :host([compact]) .head:has(.confirmation:not([hidden])) .percent { display: none; }
}
@container (inline-size < 24em) {
  :host(${ENDED}) .status:has(~ .link[hidden]):not(.open) {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
    overflow: hidden;
    overflow-wrap: anywhere;
    white-space: normal;
  }
}
/* Large text on a phone. */
@container (inline-size < 16em) {
  .name:not(.open) {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
    min-inline-size: min(6em, 100% - 2em);
    overflow: hidden;
    overflow-wrap: anywhere;
    white-space: normal;
  }
  :host(:not([compact])) .name { line-height: inherit; }
  .percent { flex: 0 1 auto; }
}
@keyframes turn { to { transform: rotate(1turn); } }
@keyframes sweep { from { transform: translateX(calc(100 * var(--to-start))); } to { transform: translateX(calc(-286 * var(--to-start))); } }
.unseen :is(.icon, .fill) { animation: none !important; transition: none !important; }
@media (prefers-reduced-motion: reduce) {
  .icon, .fill { animation: none !important; transition: none !important; }
  .bar:not([aria-valuenow], [data-estimated]) .fill { inline-size: 100%; opacity: 0.45; }
}
@media (forced-colors: active) {
  .segment { border: 1px solid CanvasText; }
  .fill { background: Highlight; forced-color-adjust: none; }
}
`);
