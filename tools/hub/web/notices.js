// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// What should not be there: messages set aside, anomalies, gaps. Each panel shows itself only when it has something.
import { byId, el, setText, setAttribute, sync } from "./dom.js";
import { count, moment } from "./format.js";
import { t, word } from "./i18n.js";

/** A small table whose rows are texts; patched, never rebuilt. */
class Texts {
  constructor(parent, columns) {
    this.columns = columns;
    this.heads = columns.map(() => el("th", { role: "columnheader", scope: "col" }));
    this.body = el("tbody", { role: "rowgroup" });
    parent.append(el("table", { role: "table", class: "grid texts" },
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...this.heads)), this.body));
  }

  update(rows) {
    this.heads.forEach((head, i) => setText(head, t(`column.${this.columns[i]}`)));
    const old = [...this.body.children];
    sync(this.body, rows.map((texts, i) => {
      const row = old[i] ?? el("tr", { role: "row" }, ...texts.map(() => el("td", { role: "cell" })));
      texts.forEach((text, column) => {
        setText(row.children[column], text);
        setAttribute(row.children[column], "data-label", t(`column.${this.columns[column]}`));
      });
      return row;
    }));
  }
}

export class Notices {
  constructor() {
    this.aside = new Texts(byId("aside-list"), ["reason", "count", "last", "topic", "text"]);
    this.anomalies = new Texts(byId("anomaly-list"), ["time", "kind", "board", "text"]);
    this.gaps = new Texts(byId("gap-list"), ["board", "records", "state", "reason"]);
  }

  update({ set_aside: aside = [], anomalies: counts = {} }, anomalies, gaps, now) {
    byId("aside").hidden = !aside.length;
    this.aside.update(aside.map((a) => [
      word("fault", a.fault), count(a.count), moment(a.last_ms, now), a.last_topic ?? "", a.last_reason ?? ""]));

    const kinds = Object.entries(counts).filter(([, n]) => n > 0);
    byId("anomalies").hidden = !kinds.length && !anomalies.length;
    const chips = byId("anomaly-counts");
    const old = [...chips.children];
    sync(chips, kinds.map(([kind, n], i) => {
      const chip = old[i] ?? el("li");
      setText(chip, `${word("anomaly", kind)}: ${count(n)}`);
      return chip;
    }));
    this.anomalies.update(anomalies.map((a) => [
      moment(a.at_ms, now), word("anomaly", a.kind), a.device ?? "", a.text ?? ""]));

    byId("gaps").hidden = !gaps.length;
    this.gaps.update(gaps.map((g) => [
      g.device ?? "", `${word("class", g.class)} ${g.from}…${g.to}`, word("gap", g.status), word("gap_reason", g.reason)]));
  }
}
