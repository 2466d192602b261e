// The style of a parent's bar and of the list of its children in <task-progress>.

export const childrenStyle = new CSSStyleSheet();

childrenStyle.replaceSync(`
:host { --done: var(--color); }
:host(:is(:state(failed), :state(lost), :state(cancelled))) { --done: var(--success); }
.segment[data-child="succeeded"] .fill { background: var(--done); }
.segment:is([data-child="failed"], [data-child="lost"]) .fill { background: var(--danger); }
.segment[data-child="cancelled"] .fill { background: var(--muted); }
/* How far it is, is not known. */
.bar .segment[data-child="running"] .fill { opacity: 0.45; }
.bar:not([aria-valuenow]) .segment[data-child] .fill { inline-size: auto; translate: calc((100 - var(--filled, 0)) * var(--to-start)); animation: none; }

.family { padding: 4px 16px 8px; border-block-start: 1px solid var(--border); font-size: calc(13em / 15); }
.unfold { display: inline-flex; align-items: center; gap: 6px; max-inline-size: 100%; margin-inline-start: -6px; padding-inline: 6px; border-color: transparent; text-align: start; white-space: normal; }
.unfold::before { flex: none; inline-size: 6px; block-size: 6px; margin-inline: 1px 3px; border: solid currentColor; border-width: 0 1.5px 1.5px 0; rotate: -45deg; content: ""; }
.unfold:dir(rtl)::before { rotate: 135deg; }
.unfold[aria-expanded="true"]::before { rotate: 45deg; translate: 0 -2px; }
.child-list { --row: calc(26em / 13); min-block-size: calc(var(--rows, 0) * var(--row)); margin: 0; padding: 0; list-style: none; }
.child-list:empty { min-block-size: calc(max(1, var(--rows, 0)) * var(--row)); color: var(--muted); }
.child-list:empty::before { line-height: var(--row); content: attr(data-empty); }
.child { --color: var(--muted); display: flex; align-items: center; gap: 8px; block-size: var(--row); }
.child[data-state="running"] { --color: var(--accent); }
.child[data-state="stalled"] { --color: var(--warning-fill); }
.child[data-state="succeeded"] { --color: var(--success); }
.child:is([data-state="failed"], [data-state="lost"]) { --color: var(--danger); }
li.child[data-state] .icon { animation: none; inline-size: calc(14em / 13); block-size: calc(14em / 13); }
li.child[data-state="running"] .icon { animation: turn 1.6s linear infinite; }
.child .icon circle { display: inline; fill: none; stroke: var(--color); stroke-dasharray: none; }
.child .icon path { fill: none; stroke: var(--color); }
.child[data-state="running"] .icon circle { stroke: var(--track); }
.child[data-state="stalled"] .icon circle { display: none; }
.child[data-state="stalled"] .icon path { fill: var(--color); stroke: none; }
.child:is([data-state="succeeded"], [data-state="failed"], [data-state="lost"]) .icon circle { fill: var(--color); }
.child:is([data-state="succeeded"], [data-state="failed"], [data-state="lost"]) .icon path { stroke: var(--background); }
.child-name, .child-status { flex: 0 1 auto; min-inline-size: 0; overflow-x: clip; text-overflow: ellipsis; white-space: nowrap; }
.child-status { flex: 1 1 0; color: var(--muted); }
.child:is([data-state="failed"], [data-state="lost"]) .child-status { color: var(--danger); }
.child[data-state="stalled"] .child-status { color: var(--warning); }
.child-track { flex: 0 0 64px; block-size: 4px; overflow: hidden; border-radius: 2px; background: var(--track); }
.child-track .fill { display: block; }
.child-percent { flex: none; min-inline-size: 2.8em; text-align: end; }
.more { margin: 0; color: var(--muted); line-height: calc(26 / 13); }

@container (inline-size < 24em) {
  .child-track { flex-basis: 32px; }
  .child-name { flex: 1 1 40%; }
  .child-status { flex: 1 1 30%; }
}
@media (prefers-reduced-motion: reduce) {
  li.child[data-state="running"] .icon { animation: none; }
}
@media (forced-colors: active) {
  .child-track { border: 1px solid CanvasText; }
  .segment:is([data-child="failed"], [data-child="lost"]) .fill { background: repeating-linear-gradient(135deg, CanvasText 0 2px, Canvas 2px 5px); }
  .segment[data-child="cancelled"] .fill { background: GrayText; }
  .bar .segment[data-child="running"] .fill { opacity: 1; background: repeating-linear-gradient(90deg, Highlight 0 3px, Canvas 3px 6px); }
}
@media print {
  .child-track, .segment .fill { print-color-adjust: exact; }
}
`);
