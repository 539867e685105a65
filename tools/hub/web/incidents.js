// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Regional incidents: one fault, one row, however many schools it has. Their schools are asked for when somebody looks.
import { incidentMembers } from "./api.js";
import { el, setAttribute, setText, sync } from "./dom.js";
import { count, length, moment } from "./format.js";
import { t, word } from "./i18n.js";

const SHOWN_MS = 24 * 3600 * 1000; // what is over stays in sight for so long

const area = (path) => (path ?? "").split("/").reverse().join(", ");

function where(incident) {
  if (incident.scope === "hop") return t("incidents.hop", { hop: incident.hop, provider: incident.provider ?? "" });
  if (incident.scope === "provider_area") return t("incidents.provider_area", { provider: incident.provider, area: area(incident.area) });
  return incident.scope === "provider" ? incident.provider : area(incident.area);
}

class Row {
  constructor() {
    this.cause = el("span", { class: "strong" });
    this.told = el("span", { class: "sub" });
    this.where = el("span", { class: "strong" });
    this.summary = el("summary");
    this.list = el("ul");
    this.details = el("details", { class: "evidence", ontoggle: () => { if (this.details.open) this.ask(); } }, this.summary, this.list);
    this.boards = el("span", { class: "number" });
    this.away = el("span", { class: "sub" });
    this.start = el("span", { class: "number" });
    this.end = el("span", { class: "number" });
    this.length = el("span", { class: "number" });
    this.cells = {
      incident: el("td", { role: "cell", class: "c-state" }, this.cause, this.told),
      where: el("th", { role: "rowheader", scope: "row" }, this.where, this.details),
      boards: el("td", { role: "cell" }, this.boards, this.away),
      start: el("td", { role: "cell" }, this.start),
      end: el("td", { role: "cell" }, this.end),
      length: el("td", { role: "cell" }, this.length),
    };
    this.node = el("tr", { role: "row" }, ...Object.values(this.cells));
  }

  async ask() {
    const seen = this.changed;
    if (this.asked === seen) return;
    this.asked = seen;
    try {
      const [incident] = await incidentMembers(this.id);
      const names = [...new Set((incident?.members ?? []).map((member) => member.school_name ?? member.device))];
      sync(this.list, names.map((name) => el("li", {}, name)));
    } catch {
      this.asked = undefined;
    }
  }

  update(incident, now) {
    this.id = incident.id;
    this.changed = incident.changed_ms;
    for (const [name, cell] of Object.entries(this.cells)) setAttribute(cell, "data-label", t(`column.${name}`));
    const lasts = incident.to_ms === null || incident.to_ms === undefined;
    setText(this.cause, word("incident", incident.cause));
    const told = incident.cause === "power" ? incident.told_power : incident.told_line;
    setText(this.told, incident.cause === "unknown" ? t("incidents.untold") : t("incidents.told", { n: count(told) }));
    setText(this.where, where(incident));
    setText(this.summary, t("incidents.schools"));
    setText(this.boards, t("incidents.boards", { n: count(incident.boards), of: count(Math.max(incident.boards, incident.of_boards)) }));
    setText(this.away, incident.away ? t("incidents.away", { n: count(incident.away) }) : t("incidents.back"));
    setText(this.start, moment(incident.from_ms, now));
    setText(this.end, lasts ? t("outages.now") : moment(incident.to_ms, now));
    setText(this.length, length((lasts ? now : incident.to_ms) - incident.from_ms));
    setAttribute(this.node, "class", lasts ? "going-on" : null);
    if (this.details.open) this.ask();
  }
}

export class IncidentList {
  constructor(section, parent, counter) {
    this.section = section;
    this.counter = counter;
    this.rows = new Map();
    this.columns = ["incident", "where", "boards", "start", "end", "length"];
    this.head = el("tr", { role: "row" }, ...this.columns.map(() => el("th", { role: "columnheader", scope: "col" })));
    this.body = el("tbody", { role: "rowgroup" });
    parent.append(el("table", { role: "table", class: "grid outages incidents" }, el("thead", { role: "rowgroup" }, this.head), this.body));
  }

  update(incidents, now) {
    const lasts = (incident) => incident.to_ms === null || incident.to_ms === undefined;
    const shown = incidents.filter((incident) => lasts(incident) || now - incident.to_ms < SHOWN_MS);
    this.section.hidden = !shown.length;
    [...this.head.children].forEach((cell, i) => setText(cell, t(`column.${this.columns[i]}`)));
    setText(this.counter, t("incidents.count", { n: count(shown.filter(lasts).length) }));
    const rows = new Map();
    for (const incident of shown) {
      const row = this.rows.get(incident.id) ?? new Row();
      row.update(incident, now);
      rows.set(incident.id, row);
    }
    this.rows = rows;
    sync(this.body, [...rows.values()].map((row) => row.node));
  }
}
