// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The table of lines. Rows are patched in place, so that scroll, focus, selections and open details stay; only the
// first `limit` are rendered, so that a country fits, too.
import { el, icon, setIcon, setText, setAttribute, sync } from "./dom.js";
import { ago, length, mbps, moment } from "./format.js";
import { t, word } from "./i18n.js";
import { DayStrip, STATES, stateWord, totalsText } from "./daystrip.js";
import { LineSpeed } from "./linespeed.js";
import { OutageList } from "./outages.js";

export const keyOf = (line) => [line.device, line.school, line.site, line.line].map((part) => part ?? "").join("|");

// The register writes areas from the province down; an address reads the other way.
const areaText = (area) => (area ?? "").split("/").filter(Boolean).reverse().join(", ");

/** ["Trường …", "Điểm … · Xã …, Tỉnh …"]: what people call the line. */
export function placeOf(line) {
  if (!line.school) return [line.device, line.line ?? ""];
  const site = line.site_name || line.site;
  return [line.school_name || line.school, [site, areaText(line.area)].filter(Boolean).join(" · ")];
}

function causeText(line) {
  if (line.last_heard_ms === null || line.last_heard_ms === undefined) return t("cause.unheard");
  return word("cause", line.cause) || (line.state === "up" ? "" : "—");
}

/** Whose it is; of a silent board also what it said last. */
function whoseText(line) {
  const before = line.state === "unknown" && line.last_state && line.last_state !== "unknown"
    ? t("before", { state: word("state", line.last_state) }) : "";
  return [word("whose", line.whose), before].filter(Boolean).join(" · ");
}

/** What was measured last; "↓ 94,2 ↑ 47,9 Mbit/s". */
function speedText(line) {
  const has = (value) => typeof value === "number";
  const parts = [has(line.down_mbps) ? `↓\u00a0${mbps(line.down_mbps, false)}` : "", has(line.up_mbps) ? `↑\u00a0${mbps(line.up_mbps, false)}` : ""];
  return parts.some(Boolean) ? `${parts.filter(Boolean).join(" ")} Mbit/s` : "";
}

class Detail {
  constructor(columns) {
    this.strip = new DayStrip();
    this.totals = el("p", { class: "sub" });
    this.speed = new LineSpeed();
    this.title = el("h3");
    this.board = el("p", { class: "sub" });
    this.list = el("div");
    this.outages = new OutageList(this.list, null);
    this.hours = el("div", { class: "hours", "aria-hidden": "true" },
      ...[0, 3, 6, 9, 12, 15, 18, 21, 24].map((hour) => el("span", {}, String(hour).padStart(2, "0"))));
    const big = el("div", { class: "big-strip" }, this.strip.node, this.hours);
    this.cell = el("td", { role: "cell", colspan: String(columns) },
      el("div", { class: "detail-body" }, big, this.totals, this.speed.node, this.title, this.list, this.board));
    this.node = el("tr", { role: "row", class: "detail" }, this.cell);
  }

  update(line, place, view) {
    const segments = view.day.get(keyOf(line));
    this.strip.update(place, view.date, segments);
    setText(this.totals, segments ? totalsText(this.strip.segments) : t("detail.no_data"));
    this.speed.update(line, view.tests.get(keyOf(line)), view.now, view.keptRatio);
    setText(this.title, t("detail.outages"));
    setText(this.board, line.device ? t("detail.board", { device: line.device }) : "");
    const data = view.details.get(keyOf(line));
    const none = data === undefined ? t("loading") : data === null ? t("load_failed") : t("detail.no_outages");
    this.showOutages = (now) => this.outages.update(data ?? [], now, none);
    this.showOutages(view.now);
  }
}

class Row {
  constructor(columns, toggle) {
    this.icon = icon("unknown");
    this.state = el("span");
    this.badge = el("span", { class: "badge" }, this.icon, this.state);
    this.place = el("span", { class: "strong" });
    this.sub = el("span", { class: "sub" });
    this.button = el("button", { type: "button", class: "expand", "aria-expanded": "false", onclick: () => toggle(this) },
      icon("chevron"), el("span", {}, this.place, this.sub));
    this.line = el("span");
    this.provider = el("span", { class: "sub" });
    this.speed = el("span", { class: "sub number" });
    this.length = el("span", { class: "number" });
    this.since = el("span", { class: "sub number" });
    this.cause = el("span");
    this.whose = el("span", { class: "sub" });
    this.heard = el("span", { class: "number" });
    this.presence = el("span", { class: "sub" });
    this.strip = new DayStrip();
    this.cells = {
      state: el("td", { role: "cell", class: "c-state" }, this.badge),
      place: el("th", { role: "rowheader", scope: "row" }, this.button),
      provider: el("td", { role: "cell", class: "c-provider" }, this.line, this.provider, this.speed),
      since: el("td", { role: "cell", class: "c-since" }, this.length, this.since),
      cause: el("td", { role: "cell", class: "c-cause" }, this.cause, this.whose),
      heard: el("td", { role: "cell", class: "c-heard" }, this.heard, this.presence),
      day: el("td", { role: "cell", class: "c-day" }, this.strip.node),
    };
    this.node = el("tr", { role: "row", class: "line" }, ...Object.values(this.cells));
    this.columns = columns;
    this.detail = null;
    this.shown = null;
  }

  update(line, view) {
    this.data = line;
    const place = placeOf(line);
    for (const [name, cell] of Object.entries(this.cells)) setAttribute(cell, "data-label", t(`column.${name}`));
    const known = STATES.includes(line.state) ? line.state : "unknown";
    setIcon(this.icon, known);
    setAttribute(this.badge, "class", `badge ${known}`);
    setText(this.state, stateWord(line.state, line.cause));
    setText(this.place, place[0]);
    setText(this.sub, line.school ? place[1] : ""); // a stranger's line has its own column
    setText(this.line, line.line || "—");
    setText(this.provider, line.provider || "");
    setText(this.speed, speedText(line));
    setText(this.cause, causeText(line));
    setText(this.whose, whoseText(line));
    setText(this.presence, word("presence", line.presence));
    setAttribute(this.presence, "class", line.presence === "lost" ? "sub warn" : "sub");
    this.strip.update(place[0], view.date, view.day.get(keyOf(line)));
    this.tick(view.now);
    // A change since the last look is shown for a moment; not at first sight.
    if (this.shown !== null && this.shown !== line.state) {
      this.node.classList.remove("changed");
      void this.node.offsetWidth; // restarts the animation
      this.node.classList.add("changed");
    }
    this.shown = line.state;
    const open = view.open.has(keyOf(line));
    setAttribute(this.button, "aria-expanded", String(open));
    if (open) {
      this.detail ??= new Detail(this.columns);
      this.detail.update(line, place.filter(Boolean).join(", "), view);
    } else {
      this.detail = null;
    }
  }

  /** What changes by time alone. */
  tick(now) {
    const known = this.data.since_ms !== null && this.data.since_ms !== undefined;
    setText(this.length, known ? t("for", { length: length(now - this.data.since_ms) }) : "—");
    setText(this.since, known ? moment(this.data.since_ms, now) : "");
    setText(this.heard, ago(this.data.last_heard_ms, now));
    this.detail?.showOutages(now);
  }

  nodes() {
    return this.detail ? [this.node, this.detail.node] : [this.node];
  }
}

export class LineTable {
  constructor(parent, { place = "place", onToggle, onSort = null }) {
    this.columns = ["state", place, "provider", "since", "cause", "heard", "day"];
    this.sorts = { state: "state", place: "place", provider: "provider", since: "since", heard: "heard" };
    this.rows = new Map();
    this.onToggle = onToggle;
    this.heads = this.columns.map((name) => {
      const sortable = onSort && this.sorts[name];
      const inside = sortable
        ? el("button", { type: "button", class: "sort", onclick: () => onSort(this.sorts[name]) })
        : el("span");
      return el("th", { role: "columnheader", scope: "col", class: `c-${name}` }, inside);
    });
    this.body = el("tbody", { role: "rowgroup" });
    this.table = el("table", { role: "table", class: "grid lines" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...this.heads)), this.body);
    parent.append(this.table);
  }

  update(lines, view, label) {
    this.heads.forEach((head, i) => {
      setText(head.firstChild, t(`column.${this.columns[i]}`));
      if (view.sort) setAttribute(head, "aria-sort", view.sort === this.sorts[this.columns[i]] ? "other" : null);
    });
    setAttribute(this.table, "aria-label", label);
    const rows = new Map();
    for (const line of lines) {
      const key = keyOf(line);
      const row = this.rows.get(key) ?? new Row(this.columns.length, (self) => this.onToggle(self.data));
      row.update(line, view);
      rows.set(key, row);
    }
    this.rows = rows;
    sync(this.body, [...rows.values()].flatMap((row) => row.nodes()));
    this.table.hidden = !lines.length;
  }

  tick(now) {
    for (const row of this.rows.values()) row.tick(now);
  }
}
