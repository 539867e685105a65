// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Outages as a table: cause, whose, when and how exactly that is known, and on what evidence.
import { el, icon, setIcon, setText, setAttribute, sync } from "./dom.js";
import { length, milliseconds, moment, seconds } from "./format.js";
import { known, t, word } from "./i18n.js";
import { STATES, stateWord } from "./daystrip.js";

function evidenceText(item) {
  const rung = [word("rung", item.rung), word("family", item.family)].filter(Boolean).join(" ");
  const rtt = typeof item.rtt_seconds === "number" ? ` (${milliseconds(item.rtt_seconds)})` : "";
  const said = `${rung}: ${word("status", item.status)}${rtt}`;
  const host = item.host ? ` (${item.host})` : "";
  const reason = known(`reason.${item.reason}`) ? t(`reason.${item.reason}`) + host : item.detail;
  return reason ? `${said} · ${reason}` : said;
}

/** How long each cause held, where there was more than one. While an outage goes on its present cause has no length yet. */
function partsText(all) {
  const parts = Array.isArray(all) ? all.filter((part) => part.seconds !== 0) : [];
  if (parts.length < 2) return "";
  const said = parts.map((part) => t("outages.part", { cause: word("cause", part.cause) || word("state", part.state),
    length: typeof part.seconds === "number" ? spell(part.seconds) : t("length.unknown") }));
  return t("outages.parts", { parts: said.join(", ") });
}

/** Where more than one side had a hand in it, how long each: "phía nhà mạng 3 phút 05 giây, phía trường …"; else "". */
function sidesText(all) {
  const sides = new Map();
  for (const part of Array.isArray(all) ? all : []) {
    if (part.seconds === 0 || !part.whose || part.whose === "nobody") continue;
    const side = sides.get(part.whose) ?? { sum: 0, more: false };
    if (typeof part.seconds === "number") side.sum += part.seconds;
    else side.more = true; // it goes on, or nobody knows how long it was
    sides.set(part.whose, side);
  }
  if (sides.size < 2) return "";
  const spelled = ({ sum, more }) => (!more ? spell(sum) : sum ? t("outages.at_least", { length: spell(sum) }) : t("length.unknown"));
  return [...sides].map(([whose, side]) => t("outages.part", { cause: word("whose", whose), length: spelled(side) })).join(", ");
}

class Row {
  constructor(withPlace) {
    this.icon = icon("unknown");
    this.state = el("span");
    this.badge = el("span", { class: "badge" }, this.icon, this.state);
    this.place = el("span", { class: "strong" });
    this.sub = el("span", { class: "sub" });
    this.cause = el("span");
    this.whose = el("span", { class: "sub" });
    this.parts = el("span", { class: "sub" });
    this.start = el("span", { class: "number" });
    this.uncertain = el("span", { class: "sub" });
    this.end = el("span", { class: "number" });
    this.endUncertain = el("span", { class: "sub" });
    this.length = el("span", { class: "number" });
    this.summary = el("summary");
    this.evidence = el("ul");
    this.details = el("details", { class: "evidence" }, this.summary, this.evidence);
    this.cells = {
      outage: el("td", { role: "cell", class: "c-state" }, this.badge),
      place: withPlace ? el("th", { role: "rowheader", scope: "row" }, this.place, this.sub) : null,
      cause: el("td", { role: "cell" }, this.cause, this.whose, this.parts, this.details),
      start: el("td", { role: "cell" }, this.start, this.uncertain),
      end: el("td", { role: "cell" }, this.end, this.endUncertain),
      length: el("td", { role: "cell" }, this.length),
    };
    this.node = el("tr", { role: "row" }, ...Object.values(this.cells));
  }

  update(outage, place, now) {
    for (const [name, cell] of Object.entries(this.cells))
      if (cell) setAttribute(cell, "data-label", t(`column.${name}`));
    const known = STATES.includes(outage.state) ? outage.state : "unknown";
    setIcon(this.icon, known);
    setAttribute(this.badge, "class", `badge ${known}`);
    setText(this.state, stateWord(outage.state, outage.cause));
    setText(this.place, place[0]);
    setText(this.sub, place[1]);
    // One cause and one side in the headline would put all of it on that side.
    const sides = sidesText(outage.parts);
    setText(this.cause, sides ? t("outages.several") : word("cause", outage.cause) || "—");
    setText(this.whose, sides || word("whose", outage.whose));
    setText(this.start, moment(outage.start_ms, now));
    setText(this.uncertain, uncertainText(outage.start_uncertainty_seconds));
    setText(this.endUncertain, uncertainText(outage.end_uncertainty_seconds));
    setText(this.parts, partsText(outage.parts));
    const open = outage.end_ms === null || outage.end_ms === undefined;
    setText(this.end, open ? t("outages.now") : moment(outage.end_ms, now));
    setAttribute(this.node, "class", open ? "going-on" : null);
    setText(this.length, outage.start_ms === null ? "—" : length((open ? now : outage.end_ms) - outage.start_ms));
    const evidence = Array.isArray(outage.evidence) ? outage.evidence : [];
    this.details.hidden = !evidence.length;
    setText(this.summary, t("outages.evidence", { n: evidence.length }));
    const old = [...this.evidence.children];
    sync(this.evidence, evidence.map((item, i) => {
      const line = old[i] ?? el("li");
      setText(line, evidenceText(item));
      return line;
    }));
  }
}

// Below a minute the fraction may matter; above, it never does.
function spell(uncertain) {
  return uncertain < 60 ? seconds(uncertain) : length(uncertain * 1000);
}

function uncertainText(uncertain) {
  return typeof uncertain === "number" ? t("outages.uncertain", { length: spell(uncertain) }) : "";
}

export class OutageList {
  /** places(outage) → [name, second line], or null to leave the place out. */
  constructor(parent, places) {
    this.places = places;
    this.rows = new Map();
    this.empty = el("p", { class: "empty" });
    this.head = el("tr", { role: "row" });
    this.body = el("tbody", { role: "rowgroup" });
    this.table = el("table", { role: "table", class: "grid outages" },
      el("thead", { role: "rowgroup" }, this.head), this.body);
    this.columns = ["outage", ...(places ? ["place"] : []), "cause", "start", "end", "length"];
    sync(this.head, this.columns.map(() => el("th", { role: "columnheader", scope: "col" })));
    parent.append(this.table, this.empty);
  }

  update(outages, now, none) {
    [...this.head.children].forEach((cell, i) => setText(cell, t(`column.${this.columns[i]}`)));
    const rows = new Map();
    for (const outage of outages) {
      const key = `${outage.device}|${outage.id}`;
      const row = this.rows.get(key) ?? new Row(Boolean(this.places));
      row.update(outage, this.places ? this.places(outage) : ["", ""], now);
      rows.set(key, row);
    }
    this.rows = rows;
    sync(this.body, [...rows.values()].map((row) => row.node));
    this.table.hidden = !outages.length;
    this.empty.hidden = outages.length > 0;
    setText(this.empty, none);
  }
}
