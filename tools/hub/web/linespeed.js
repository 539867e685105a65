// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The speed tests of one line: what was bought, the last results, and each test of the last weeks as a dot. A hollow
// dot is no evidence; pointer, finger or arrow keys tell why.
import { byId, el, setAttribute, setText, sync } from "./dom.js";
import { hideTip, showTip } from "./daystrip.js";
import { count, dayMonth, mbps, milliseconds, moment, percent } from "./format.js";
import { t, word } from "./i18n.js";
import { reasonWord } from "./speed.js";

const NEAR_PX = 40;
const KEPT_RATIO = 0.8; // until the hub has said which
const isValid = (test) => test.validity === "valid";
const hasFigure = (test) => typeof test.mbps === "number";

function contractOf(line, tests, direction) {
  const told = tests.find((test) => test.contract?.[`${direction}_mbps`] > 0);
  return told?.contract[`${direction}_mbps`] ?? line[`bought_${direction}_mbps`] ?? null;
}

function latencyText(test) {
  const parts = [];
  if (typeof test.idle_rtt?.median_seconds === "number")
    parts.push(t("latency.idle", { ms: milliseconds(test.idle_rtt.median_seconds) }));
  if (typeof test.loaded_rtt?.median_seconds === "number")
    parts.push(t("latency.loaded", { ms: milliseconds(test.loaded_rtt.median_seconds) }));
  return parts.join(", ");
}

function dotText(test, now) {
  return [
    moment(test.t_ms, now), hasFigure(test) ? mbps(test.mbps) : "", isValid(test) ? "" : reasonWord(test.validity, test.reason),
    test.scope === "international" ? word("scope", test.scope) : "", latencyText(test), word("trigger", test.trigger), test.method,
  ].filter(Boolean).join(" · ");
}

function dotClass(test) {
  return ["dot", isValid(test) ? "" : "excluded", hasFigure(test) ? "" : "no-figure", test.scope === "international" ? "international" : ""]
    .filter(Boolean).join(" ");
}

class Chart {
  constructor(direction) {
    this.direction = direction;
    this.tests = [];
    this.chosen = -1;
    this.name = el("span", { class: "name" });
    this.figure = el("span", { class: "figure" });
    this.against = el("span", { class: "sub" });
    this.latency = el("p", { class: "counts" });
    this.plot = el("div", { class: "plot", role: "img", tabindex: "0" });
    this.days = el("div", { class: "days", "aria-hidden": "true" }, el("span"), el("span"));
    this.node = el("div", { class: "chart side" },
      el("div", { class: "side-head" }, this.name, this.figure, this.against), this.plot, this.days, this.latency);
    this.plot.addEventListener("pointermove", (event) => this.#atPointer(event));
    this.plot.addEventListener("pointerdown", (event) => this.#atPointer(event));
    this.plot.addEventListener("pointerleave", () => this.#leave());
    this.plot.addEventListener("blur", () => this.#leave());
    this.plot.addEventListener("keydown", (event) => this.#key(event));
  }

  update(line, data, now, keptRatio) {
    this.now = now;
    this.data = data;
    this.tests = data.tests.filter((test) => test.direction === this.direction).sort((a, b) => a.t_ms - b.t_ms);
    const bought = contractOf(line, data.tests, this.direction);
    const last = this.tests.findLast((test) => isValid(test) && test.scope === "domestic");
    this.top = Math.max(bought ?? 0, ...this.tests.filter(hasFigure).map((test) => test.mbps), 1) * 1.12;
    setText(this.name, t(`direction.${this.direction}`));
    setText(this.figure, last ? mbps(last.mbps) : "—");
    setText(this.against, [
      last && bought ? t("speed.of_bought", { percent: percent(last.mbps / bought), mbps: mbps(bought) }) : "",
      last ? moment(last.t_ms, now) : t("speed.no_valid"),
    ].filter(Boolean).join(" · "));
    setText(this.latency, last ? latencyText(last) : "");
    const valid = this.tests.filter(isValid).length;
    setAttribute(this.plot, "aria-label", t("speed.chart", {
      direction: t(`direction.${this.direction}`), n: count(this.tests.length), valid: count(valid),
    }));
    setText(this.days.firstChild, dayMonth(data.from_ms));
    setText(this.days.lastChild, dayMonth(data.to_ms - 1));
    this.#draw(bought, keptRatio);
  }

  #draw(bought, keptRatio) {
    const levels = bought
      ? [this.#level(bought, "bought"), this.#scale(bought, "bought"), this.#level(bought * keptRatio, "asked")]
      : [this.#scale(this.top / 1.12, "")];
    this.dots = this.tests.map((test) => {
      const dot = el("i", { class: dotClass(test) });
      dot.style.left = `${this.#x(test)}%`;
      dot.style.top = `${this.#y(hasFigure(test) ? test.mbps : 0)}%`;
      return dot;
    });
    sync(this.plot, [...levels, this.#scale(0, ""), ...this.dots]);
  }

  #x(test) {
    return ((test.t_ms - this.data.from_ms) / (this.data.to_ms - this.data.from_ms)) * 100;
  }

  #y(value) {
    return 100 - (value / this.top) * 100;
  }

  #level(value, kind) {
    const node = el("i", { class: `level ${kind}` });
    node.style.top = `${this.#y(value)}%`;
    return node;
  }

  #scale(value, kind) {
    const node = el("span", { class: `scale ${kind}`.trim(), "aria-hidden": "true" }, mbps(value, false));
    node.style.top = `${this.#y(value)}%`;
    return node;
  }

  #atPointer(event) {
    let nearest = -1, best = NEAR_PX;
    this.dots.forEach((dot, i) => {
      const box = dot.getBoundingClientRect();
      const away = Math.hypot(event.clientX - (box.left + box.right) / 2, event.clientY - (box.top + box.bottom) / 2);
      if (away < best) [nearest, best] = [i, away];
    });
    this.#choose(nearest);
  }

  #choose(i) {
    this.dots[this.chosen]?.classList.remove("chosen");
    this.chosen = i;
    if (i < 0) return hideTip();
    const dot = this.dots[i];
    dot.classList.add("chosen");
    const box = dot.getBoundingClientRect();
    showTip(dotText(this.tests[i], this.now), (box.left + box.right) / 2, box);
    return this.tests[i];
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") this.#leave();
    if (!step || !this.tests.length) return;
    event.preventDefault();
    const from = this.chosen < 0 ? (step > 0 ? -1 : this.tests.length) : this.chosen;
    const test = this.#choose(Math.min(this.tests.length - 1, Math.max(0, from + step)));
    setText(byId("announcer"), dotText(test, this.now));
  }

  #leave() {
    this.#choose(-1);
  }
}

const LEGEND = [["", "valid"], ["excluded", "excluded"], ["excluded no-figure", "no_figure"], ["international", "international"]];

export class LineSpeed {
  constructor() {
    this.title = el("h3");
    this.contract = el("p", { class: "contract" });
    this.charts = [new Chart("down"), new Chart("up")];
    this.frame = el("div", { class: "charts" }, ...this.charts.map((chart) => chart.node));
    this.legend = el("ul", { class: "speed-legend" }, ...LEGEND.map(([kind]) =>
      el("li", {}, el("i", { class: `dot ${kind}`.trim() }), el("span"))));
    this.empty = el("p", { class: "sub none" });
    this.node = el("div", { class: "line-speed" }, this.title, this.contract, this.frame, this.legend, this.empty);
    this.shown = null;
  }

  /** `data`: undefined while it is asked for, null when that failed. */
  update(line, data, now, keptRatio = KEPT_RATIO) {
    setText(this.title, t("detail.speed"));
    const speeds = ["down", "up"].map((direction) => line[`bought_${direction}_mbps`] ?? null);
    const both = speeds.some((speed) => speed !== null)
      ? t("contract.speeds", { down: mbps(speeds[0]), up: mbps(speeds[1]) }) : "";
    const said = [line.provider, line.contract, both].filter(Boolean).join(" · ");
    setText(this.contract, said ? t("contract.said", { contract: said }) : t("contract.none"));
    const some = Boolean(data?.tests?.length);
    this.frame.hidden = this.legend.hidden = !some;
    this.empty.hidden = some;
    setText(this.empty, data === undefined ? t("loading") : data === null ? t("load_failed") : t("speed.no_tests"));
    [...this.legend.children].forEach((item, i) => setText(item.lastChild, t(`dot.${LEGEND[i][1]}`)));
    if (!some) return;
    const key = `${t("direction.down")}|${moment(data.to_ms, now)}|${keptRatio}`;
    if (this.shown?.data === data && this.shown?.key === key) return; // a dot under the pointer stays
    this.shown = { data, key };
    for (const chart of this.charts) chart.update(line, data, now, keptRatio);
  }
}
