// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Kiosks: how each is, its day as a strip above that of its board's line, and why it was not up in school time.
import { byId, el, icon, setText } from "./dom.js";
import { DayStrip } from "./daystrip.js";
import { count, hourMinute, length, moment, percent } from "./format.js";
import { known as worded, language, t, word } from "./i18n.js";

const PAGE = 12;
const ORDER = ["down", "unknown", "degraded", "up"];
/** Reasons for which the kiosk cannot help it. */
const OURS = ["clock", "journal", "not_allowed", "no_permission", "no_interface", "busy", "start", "waiting"];
const known = (value) => value !== null && value !== undefined;

function placeText(kiosk) {
  return [kiosk.school_name || kiosk.school, kiosk.kiosk].join(" · ");
}

function causeText(gap) {
  const cause = word("kiosk_cause", gap.cause);
  if (!gap.detail) return cause;
  if (gap.cause === "line") return `${cause}: ${word("cause", gap.detail)}`;
  if (!worded(`kiosk_reason.${gap.detail}`)) return cause;
  const reason = t(`kiosk_reason.${gap.detail}`);
  return OURS.includes(gap.detail) ? reason : `${cause}: ${reason}`;
}

function gaps(kiosk) {
  if (!kiosk.gaps.length) return [];
  const items = kiosk.gaps.map((gap) => el("li", {}, t("kiosks.gap", { from: hourMinute(gap.from_ms), to: hourMinute(gap.to_ms),
    length: length(gap.to_ms - gap.from_ms), cause: causeText(gap) })));
  return [el("p", { class: "strong" }, t("kiosks.gaps")), el("ul", { class: "gap-list" }, ...items)];
}

function clockText(seconds) {
  const off = Math.abs(seconds);
  if (off < 2) return t("kiosks.clock_right");
  return t(seconds > 0 ? "kiosks.clock_fast" : "kiosks.clock_slow", { length: length(off * 1000) });
}

function facts(kiosk, now) {
  const list = [];
  if (known(kiosk.heard_ms)) list.push(t("kiosks.heard", { time: moment(kiosk.heard_ms, now) }));
  if (known(kiosk.clock_error_seconds)) list.push(clockText(kiosk.clock_error_seconds));
  if (known(kiosk.records) && known(kiosk.capacity))
    list.push(t("kiosks.records", { n: count(kiosk.records), all: count(kiosk.capacity) }));
  if (kiosk.backlog) list.push(t("kiosks.backlog", { n: count(kiosk.backlog) }));
  if (kiosk.refused) list.push(t("kiosks.refused", { n: count(kiosk.refused) }));
  if (kiosk.total_days) list.push(t("kiosks.total", { counted: count(kiosk.counted), taken: count(kiosk.taken) }));
  if (kiosk.model || kiosk.firmware) list.push([kiosk.model, kiosk.firmware].filter(Boolean).join(" "));
  return el("p", { class: "counts" }, list.join(" · "));
}

/** A reason that is no cause of a line's is not told by the strip. */
function plain(segments) {
  return (segments ?? []).map((s) => ({ ...s, cause: worded(`cause.${s.cause}`) ? s.cause : "" }));
}

function strip(label, place, date, segments) {
  const day = new DayStrip();
  day.update(`${place}, ${label}`, date, segments);
  return el("div", { class: "named-strip" }, el("span", { class: "sub" }, label), day.node);
}

function card(kiosk, date, segments, now) {
  const state = ORDER.includes(kiosk.state) ? kiosk.state : "unknown";
  const up = known(kiosk.availability) ? t("kiosks.up", { percent: percent(kiosk.availability) }) : t("kiosks.no_timetable");
  const strips = [strip(t("kiosks.strip"), placeText(kiosk), date, plain(kiosk.segments))];
  if (segments) strips.push(strip(t("kiosks.line"), placeText(kiosk), date, segments));
  return el("article", { class: "pool kiosk" },
    el("div", { class: "pool-head" },
      el("h3", {}, kiosk.school_name || kiosk.school, el("span", { class: "sub" }, kiosk.kiosk)),
      el("span", { class: "sub" }, up),
      el("span", { class: `badge ${state}` }, icon(state), el("span", {}, t(`kiosk_state.${state}`)))),
    el("div", { class: "strips" }, ...strips,
      el("div", { class: "named-strip" }, el("span"), el("div", { class: "hours", "aria-hidden": "true" },
        ...[0, 6, 12, 18, 24].map((hour) => el("span", {}, String(hour).padStart(2, "0")))))),
    facts(kiosk, now),
    ...gaps(kiosk));
}

export class Kiosks {
  constructor() {
    this.limit = PAGE;
    this.shown = null;
    byId("kiosks-more").addEventListener("click", () => {
      this.limit += PAGE;
      const shown = this.shown;
      this.shown = null;
      this.update(shown.data, shown.date, shown.dayOf, shown.now);
    });
  }

  /** `dayOf(device)`: the day of that board's line. Told anew only when there is something else to tell. */
  update(data, date, dayOf, now) {
    const list = [...(data?.kiosks ?? [])].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
    const days = JSON.stringify(list.slice(0, this.limit).map((kiosk) => dayOf(kiosk.device)?.length ?? 0));
    byId("kiosks").hidden = !list.length;
    if (this.shown && this.shown.data === data && this.shown.days === days && this.shown.language === language) return;
    this.shown = { data, date, dayOf, now, days, language };
    const ratio = data?.attendance_automation_ratio;
    setText(byId("kiosks-count"), t("kiosks.count", { n: count(list.length) }));
    setText(byId("kiosks-ratio"), ratio ? t("kiosks.automation", { yes: count(ratio.yes), no: count(ratio.no),
      unknown: count(ratio.unknown), share: percent(ratio.healthy_share) }) : "");
    byId("kiosks-cards").replaceChildren(...list.slice(0, this.limit).map((kiosk) => card(kiosk, date, dayOf(kiosk.device), now)));
    const more = byId("kiosks-more");
    more.hidden = list.length <= this.limit;
    setText(more, t("more", { n: count(Math.min(PAGE, Math.max(0, list.length - this.limit))) }));
  }
}
