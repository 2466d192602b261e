// The style of the log of <task-progress>.

export const logStyle = new CSSStyleSheet();

logStyle.replaceSync(`
.pane { position: relative; border-block-start: 1px solid var(--border); }
.log {
  position: relative;
  max-block-size: 200px;
  padding: 10px 16px;
  overflow: auto;
  background: color-mix(in srgb, var(--background), var(--text) 4%);
  font: calc(12em / 15)/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere;
}
.expanded .log { max-block-size: max(200px, 100vh - 96px); max-block-size: max(200px, 100dvh - 96px); }
.log:empty::before { color: var(--muted); content: attr(data-empty); }
.log:focus-visible, .tools :focus-visible { outline-offset: -2px; }
.line { display: flex; gap: 14px; white-space: pre-wrap; }
.line time { flex: none; color: var(--muted); }
.line .text { min-inline-size: 0; }
.line[data-level="warning"] .text { color: var(--warning); }
.line:is([data-level="error"], [data-level="critical"]) .text { color: var(--danger); }
.line[data-level="debug"] .text { color: var(--muted); }

.tools {
  display: flex;
  flex-wrap: wrap;
  align-items: center;
  gap: 0 4px;
  padding: 4px 10px 4px 16px;
  border-block-end: 1px solid var(--border);
  color: var(--muted);
  font-size: calc(13em / 15);
}
.searching { display: flex; flex: 1 1 170px; align-items: center; gap: 4px; min-inline-size: 0; }
.search {
  flex: 1 1 0;
  min-inline-size: 56px;
  min-block-size: 28px;
  margin-inline-start: -6px;
  padding: 0 6px;
  border: 0;
  border-radius: 6px;
  background: none;
  color: var(--text);
  font: inherit;
}
.search::placeholder { color: var(--muted); opacity: 1; }
.told { flex: none; }
.levels {
  min-block-size: 28px;
  max-inline-size: 100%;
  margin-inline-end: auto;
  border: 0;
  border-radius: 6px;
  background: var(--background);
  color: var(--muted);
  font: inherit;
  cursor: pointer;
}
.tool { display: grid; place-items: center; inline-size: 28px; min-block-size: 28px; padding: 0; border-color: transparent; }
.tool svg {
  inline-size: 16px;
  block-size: 16px;
  fill: none;
  stroke: currentColor;
  stroke-width: 1.4;
  stroke-linecap: round;
  stroke-linejoin: round;
}
mark { border-radius: 2px; background: color-mix(in srgb, var(--warning-fill), transparent 60%); color: inherit; }
mark[aria-current] { background: var(--warning-fill); color: #1d1c1a; }
.newer {
  position: absolute;
  inset-inline: 0;
  inset-block-end: 8px;
  inline-size: fit-content;
  margin-inline: auto;
  border-color: var(--accent);
  background: var(--background);
  color: var(--accent);
  font-size: calc(13em / 15);
}
.only-spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
`);
