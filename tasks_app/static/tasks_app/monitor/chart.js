// The chart of the monitor: for each minute a bar of the tasks that ran in it, divided by how they ended.

import { draw, make } from "../task-progress-dom.js";
import { say } from "../task-progress-texts.js";

const ENDS = ["succeeded", "cancelled", "failed"]; // the server counts lost tasks among the failed ones
const SERIES = ["running", ...ENDS]; // from the bottom
const MIN_PEAK = 4; // tasks; a single one does not fill the chart
const MIN_SHARE = 0.07; // of the height: failed tasks stay visible beside hundreds of others

export class Chart {
  #format;
  #svg = draw("svg", { width: "100%", height: "100%" });
  #bars = [];
  #axis = [make("time"), make("time")];
  #drawn = "";

  /** @param {HTMLElement} container */
  constructor(container, format) {
    this.#format = format;
    container.append(this.#svg, make("div", { class: "axis", "aria-hidden": "true" }, ...this.#axis));
  }

  /** Show the server's counts of the last minutes. */
  update(chart) {
    const data = JSON.stringify(chart);
    if (data !== this.#drawn) {
      this.#drawn = data;
      this.#render(chart);
    }
  }

  #render(chart) {
    const minutes = split(chart);
    const peak = Math.max(MIN_PEAK, ...minutes.map(({ total }) => total));
    while (this.#bars.length < minutes.length) {
      this.#bars.push(this.#addBar(this.#bars.length, minutes.length));
    }
    minutes.forEach((minute, index) => this.#renderBar(this.#bars[index], minute, peak));
    this.#svg.setAttribute("role", "img");
    this.#svg.setAttribute("aria-label", say("chart", this.#formatCounts(summarize(chart))));
    this.#renderAxis(minutes[0].start, minutes.at(-1).start);
  }

  #addBar(index, count) {
    const [x, width] = [`${(100 * index) / count}%`, `${100 / count}%`];
    const title = draw("title");
    const whole = draw("rect", { class: "minute", x, y: 0, width, height: "100%" });
    const parts = SERIES.map((name) => draw("rect", { class: `part ${name}`, x, width, rx: 1.5 }));
    this.#svg.append(draw("g", {}, title, whole, ...parts));
    return { title, parts };
  }

  #renderBar({ title, parts }, { start, counts, values }, peak) {
    let top = 1;
    SERIES.forEach((name, index) => {
      const share = counts[name] && Math.max(counts[name] / peak, name === "failed" ? MIN_SHARE : 0);
      top = Math.max(top - share, 0);
      parts[index].setAttribute("y", `${100 * top}%`);
      parts[index].setAttribute("height", `${100 * share}%`);
    });
    title.textContent = say("minute", { time: this.#formatTime(start), ...this.#formatCounts(values) });
  }

  #renderAxis(...times) {
    times.forEach((time, index) => {
      this.#axis[index].dateTime = time.toISOString();
      this.#axis[index].textContent = this.#formatTime(time);
    });
  }

  #formatCounts(counts) {
    return Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, this.#format.number(n)]));
  }

  #formatTime(time) {
    return this.#format.date(time, { timeStyle: "short" });
  }
}

// A task that ended in a minute also ran in it, unless it was cancelled before it began.
function split(chart) {
  const end = Date.parse(chart.until);
  return chart.running.map((running, index) => {
    const values = Object.fromEntries(SERIES.map((name) => [name, chart[name][index]]));
    const ended = ENDS.reduce((sum, name) => sum + values[name], 0);
    const counts = { ...values, running: Math.max(running - ended, 0) };
    const start = new Date(end - (chart.running.length - index) * chart.step * 1000);
    return { start, values, counts, total: Math.max(running, ended) };
  });
}

function summarize(chart) {
  const sums = SERIES.map((name) => [name, chart[name].reduce((sum, n) => sum + n, 0)]);
  return { ...Object.fromEntries(sums), peak: Math.max(0, ...chart.running) };
}
