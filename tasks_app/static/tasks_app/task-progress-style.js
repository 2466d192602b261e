// The style of <task-progress>, which a page changes by custom properties and ::part().
//
// It is a constructed sheet, because a strict Content-Security-Policy forbids <style>. light-dark() follows the
// color-scheme of the page: one that is always light has light components, even if the system prefers dark ones.

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
  color-scheme: inherit;
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
  font-size: 15px;
  line-height: 1.4;
  font-variant-numeric: tabular-nums;
  text-align: start;
}
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.body { padding: 14px 16px; }
.head, .foot { display: flex; align-items: center; gap: 10px; }
.head { min-block-size: 26px; }
.name, .status, .meta { min-inline-size: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.name, .status { flex: 1 1 0; }
:host(:dir(rtl)) :is(.name, .status, .meta) { text-align: right; }
.name { font-weight: 600; }
.percent { flex: none; color: var(--muted); font-weight: 400; }
:host(:is(:state(running), :state(stalled))) .percent { color: var(--text); font-weight: 600; }
.actions { display: flex; flex: none; align-items: center; gap: 6px; font-size: 13px; }

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

.icon { flex: none; inline-size: 16px; block-size: 16px; overflow: visible; fill: none; stroke: var(--color); stroke-width: 2; }
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
.fill { block-size: 100%; inline-size: 0; border-radius: 4px; background: var(--color); transition: inline-size 200ms ease-out; }
.bar:not([aria-valuenow]) .fill { position: absolute; inline-size: 35%; animation: sweep 1.6s ease-in-out infinite; }

.foot { min-block-size: 20px; font-size: 13px; }
.meta { color: var(--muted); }
.meta, .link { flex: none; max-inline-size: 65%; }
.link { color: var(--accent); }
:host(:state(stalled)) .status { color: var(--warning); }
:host(:is(:state(failed), :state(lost))) .status, .problem { color: var(--danger); }
.problem { margin-block-start: 2px; font-size: 13px; overflow-wrap: anywhere; }
:host(:is(:state(queued), :state(cancelled), :state(missing))) .status { color: var(--muted); }

.log {
  max-block-size: 200px;
  padding: 10px 16px;
  overflow: auto;
  border-block-start: 1px solid var(--border);
  background: color-mix(in srgb, var(--background), var(--text) 4%);
  font: 12px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere;
}
.log:empty::before { color: var(--muted); content: attr(data-empty); }
.log:focus-visible { outline-offset: -2px; }
.line { display: flex; gap: 14px; white-space: pre-wrap; }
.line time { flex: none; color: var(--muted); }
.line[data-level="warning"] span { color: var(--warning); }
.line:is([data-level="error"], [data-level="critical"]) span { color: var(--danger); }
.line[data-level="debug"] span { color: var(--muted); }

.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

:host([compact]) .body { display: flex; flex-wrap: wrap; align-items: center; gap: 0 12px; padding-block: 9px; }
:host([compact]) .problem { flex: 1 0 100%; order: 4; }
:host([compact]) .head { display: contents; }
:host([compact]) .bar { flex: 2 1 0; order: 1; margin: 0; }
:host([compact]) .percent { order: 2; min-inline-size: 2.6em; text-align: end; }
:host([compact]) .actions { order: 3; }
:host([compact]) .icon { margin-inline-end: -2px; }
:host([compact]) .foot { display: none; }

@container (inline-size < 560px) {
  .meta:has(.step):has(.count) .rate { display: none; }
}
@container (inline-size < 360px) {
  :host(:not([compact])) .body { display: flex; flex-wrap: wrap; align-items: center; gap: 0 10px; }
  :host(:not([compact])) :is(.head, .foot) { display: contents; }
  :host(:not([compact])) :is(.bar, .status, .problem) { flex: 1 0 100%; }
  .name { line-height: 26px; }
  .status, .meta, .link { font-size: 13px; }
  .meta { flex: 1 1 0; min-block-size: 20px; line-height: 20px; max-inline-size: none; }
  :host([cancel]) .meta { min-block-size: 28px; line-height: 28px; }
  .meta, .link { order: 1; }
  .head > .actions { order: 2; }
  .problem { order: 3; }
  .rate, :host([compact]) .head:has(.confirmation:not([hidden])) .percent { display: none; }
}
@keyframes turn { to { rotate: 1turn; } }
@keyframes sweep { from { inset-inline-start: -35%; } to { inset-inline-start: 100%; } }
@media (prefers-reduced-motion: reduce) {
  .icon, .fill { animation: none !important; transition: none !important; }
  .bar:not([aria-valuenow]) .fill { inline-size: 100%; opacity: 0.45; }
}
@media (forced-colors: active) {
  .segment { border: 1px solid CanvasText; }
  .fill { background: Highlight; forced-color-adjust: none; }
}
`);
