// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// How fast lines were against what was bought, by provider and plan: the hub's evidence with its counts and with
// all that was not counted.
import { byId, el, setText } from "./dom.js";
import { count, dayOf, dayStart, mbps, percent } from "./format.js";
import { language, t, word } from "./i18n.js";

const DAY_MS = 24 * 3600 * 1000;
export const PERIODS = ["week", "days", "month", "last_month"];

/** { from, to } as days; `to` is no part of it. */
export function periodOf(name, now) {
  const today = dayOf(now);
  const tomorrow = dayOf(dayStart(today) + DAY_MS);
  const first = `${today.slice(0, 8)}01`;
  if (name === "month") return { from: first, to: tomorrow };
  if (name === "last_month") return { from: `${dayOf(dayStart(first) - DAY_MS).slice(0, 8)}01`, to: first };
  return { from: dayOf(dayStart(tomorrow) - (name === "week" ? 7 : 30) * DAY_MS), to: tomorrow };
}

export function reasonWord(validity, reason) {
  return [word("validity", validity), word("speed_reason", reason)].filter(Boolean).join(": ");
}

// No contract speaks of the way abroad: nothing is drawn against it there.
const promised = (pool, side) => (pool.scope === "domestic" ? side : { ...side, bought_mbps: null, ratio_of_means: null,
  excluded: (side.excluded ?? []).map((one) => ({ ...one, ratio_of_means: null })),
  with_excluded: { ...side.with_excluded, ratio_of_means: null } });
const bought = (side) => (side.bought_mbps > 0 ? side.bought_mbps : null);
const known = (value) => typeof value === "number";

function share(node, name, value, top) {
  node.style[name] = `${Math.min(100, Math.max(0, (value / top) * 100))}%`;
  return node;
}

/** The mean as a bar, p10 to p95 as a line across it, and what was bought. */
export function meter(side, keptRatio, label) {
  const top = Math.max(bought(side) ?? 0, side.p95_mbps ?? 0, side.mean_mbps ?? 0) * 1.08 || 1;
  const node = el("div", { class: `meter ${side.verdict ?? ""}`.trim(), role: "img", "aria-label": label });
  if (known(side.mean_mbps)) node.append(share(el("i", { class: "mean" }), "width", side.mean_mbps, top));
  if (known(side.p10_mbps) && known(side.p95_mbps)) {
    const spread = share(el("i", { class: "spread" }), "left", side.p10_mbps, top);
    node.append(share(spread, "width", side.p95_mbps - side.p10_mbps, top));
    node.append(share(el("i", { class: "middle" }), "left", side.p50_mbps, top));
  }
  if (bought(side) && keptRatio) {
    node.append(share(el("i", { class: "bought" }), "left", bought(side), top));
    node.append(share(el("i", { class: "asked" }), "left", bought(side) * keptRatio, top));
  }
  return node;
}

function hours(side) {
  const most = Math.max(...side.hours, 1);
  const said = side.hours.map((n, hour) => (n ? `${hour} h: ${count(n)}` : "")).filter(Boolean).join(", ");
  const bars = el("div", { class: "by-hour", role: "img", "aria-label": t("speed.hours", { hours: said }), title: said },
    ...side.hours.map((n) => share(el("i"), "height", n, most)));
  const scale = el("div", { class: "hours", "aria-hidden": "true" },
    ...[0, 6, 12, 18, 24].map((hour) => el("span", {}, String(hour).padStart(2, "0"))));
  return [bars, scale];
}

function figuresText(figures) {
  return known(figures.ratio_of_means)
    ? t("speed.mean_share", { mbps: mbps(figures.mean_mbps), percent: percent(figures.ratio_of_means) })
    : t("speed.mean", { mbps: mbps(figures.mean_mbps) });
}

function excluded(side, key, open) {
  const list = side.excluded ?? [];
  if (!list.length) return [];
  const all = list.reduce((sum, one) => sum + one.count, 0);
  const items = list.map((one) => el("li", {}, t("speed.excluded_one", {
    n: count(one.count), why: reasonWord(one.validity, one.reason),
    figures: one.samples > 0 ? ` · ${figuresText(one)}` : "",
  })));
  const whole = side.with_excluded;
  if (whole && whole.samples > side.samples)
    items.push(el("li", { class: "strong" }, t("speed.with_excluded", { n: count(whole.samples), figures: figuresText(whole) })));
  const details = el("details", { class: "evidence", open: open.has(key) },
    el("summary", {}, t("speed.excluded", { n: count(all) })), el("ul", {}, ...items));
  details.addEventListener("toggle", () => (details.open ? open.add(key) : open.delete(key)));
  return [details];
}

function sideNode(name, pool, data, key, open) {
  const side = promised(pool, pool[name]);
  const title = t(`direction.${name}`);
  const mean = known(side.mean_mbps) ? mbps(side.mean_mbps) : "—";
  let against = bought(side) || pool.scope !== "domestic" ? "" : t("speed.not_bought");
  if (bought(side))
    against = known(side.ratio_of_means)
      ? t("speed.of_bought", { percent: percent(side.ratio_of_means), mbps: mbps(side.bought_mbps) })
      : t("speed.bought", { mbps: mbps(side.bought_mbps) });
  const few = side.verdict === "not_rated" && side.samples < data.min_samples;
  const counts = [
    few ? t("speed.too_few", { n: count(side.samples), min: count(data.min_samples) }) : t("speed.tests", { n: count(side.samples) }),
    t("speed.sites", { n: count(side.sites) }), t("speed.days", { n: count(side.days) }),
  ];
  if (known(side.p50_mbps))
    counts.push(t("speed.percentiles", { p10: mbps(side.p10_mbps, false), p50: mbps(side.p50_mbps, false), p95: mbps(side.p95_mbps) }));
  return el("div", { class: "side" },
    el("div", { class: "side-head" }, el("span", { class: "name" }, title), el("span", { class: "figure" }, mean),
      el("span", { class: "sub" }, against)),
    meter(side, data.kept_ratio, `${title}: ${mean} ${against}`),
    el("p", { class: "counts" }, counts.join(" · ")),
    ...(side.samples > 0 ? hours(side) : []),
    ...excluded(side, `${key}|${name}`, open));
}

function poolNode(pool, data, open) {
  const key = [pool.provider, pool.plan, pool.scope, pool.down.bought_mbps, pool.up.bought_mbps].join("|");
  const name = [pool.provider || t("speed.no_provider"), pool.plan || t("speed.no_plan")].join(" · ");
  const verdict = pool.verdict ?? "none";
  return el("article", { class: "pool" },
    el("div", { class: "pool-head" },
      el("h3", {}, name, el("span", { class: "sub" }, t(`scope.${pool.scope ?? "unknown"}`))),
      el("span", { class: `verdict ${verdict}` }, t(`verdict.${verdict}`))),
    el("div", { class: "sides" }, sideNode("down", pool, data, key, open), sideNode("up", pool, data, key, open)));
}

const LEGEND = ["mean", "spread", "bought", "asked"];

export class Evidence {
  constructor(onPeriod) {
    this.open = new Set();
    this.shown = null;
    this.select = byId("speed-period");
    this.select.addEventListener("change", () => onPeriod(this.select.value));
  }

  /** `data`: undefined while it is asked for, null when that failed. */
  update(data, period) {
    if (!this.select.options.length) for (const name of PERIODS) this.select.append(el("option", { value: name }));
    for (const option of this.select.options) setText(option, t(`period.${option.value}`));
    this.select.value = period;
    const empty = byId("speed-empty");
    const pools = data?.pools ?? [];
    empty.hidden = pools.length > 0;
    setText(empty, data === undefined ? t("loading") : data === null ? t("load_failed") : t("speed.none"));
    byId("speed-legend").hidden = !pools.length;
    // Whole anew, but only when there is something else to show.
    if (this.shown?.data === data && this.shown?.language === language) return;
    this.shown = { data, language };
    setText(byId("speed-rule"), data ? t("speed.rule", { percent: percent(data.kept_ratio), n: count(data.min_samples) }) : "");
    byId("speed-pools").replaceChildren(...pools.map((pool) => poolNode(pool, data, this.open)));
    byId("speed-legend").replaceChildren(...LEGEND.map((name) => el("li", {}, el("i", { class: `mark ${name}` }),
      el("span", {}, t(`speed_legend.${name}`, { percent: data ? percent(data.kept_ratio) : "" })))));
  }
}
