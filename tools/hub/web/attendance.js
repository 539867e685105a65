// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Attendance of the day: how many came by when, school by school, as counts alone.
import { byId, el, setText } from "./dom.js";
import { count, percent } from "./format.js";
import { language, t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const PAGE = 12;
const known = (value) => value !== null && value !== undefined;
const minutes = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
const dial = (at) => `${String(Math.floor(at / 60)).padStart(2, "0")}:${String(at % 60).padStart(2, "0")}`;

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

/** Stairs: nothing is told of what lies between two points. */
function plot(day) {
  const lessons = day.lessons ? minutes(day.lessons) : null;
  const points = day.curve.map((point) => ({ at: minutes(point.until), persons: point.persons }));
  const from = Math.floor(Math.min(points[0].at - 10, lessons ?? Infinity) / 15) * 15;
  const to = Math.ceil(Math.max(points.at(-1).at + 5, (lessons ?? 0) + 10) / 15) * 15;
  const top = day.persons;
  const x = (at) => ((at - from) / (to - from)) * 100;
  const y = (persons) => 100 - (persons / top) * 96;
  let path = `M${x(from)} 100`, height = 0;
  for (const point of points) {
    path += `L${x(point.at)} ${y(height)}L${x(point.at)} ${y(point.persons)}`;
    height = point.persons;
  }
  path += `L100 ${y(height)}`;
  const said = day.curve.map((point) => t("attendance.point", { time: point.until, n: count(point.persons) })).join(", ");
  const svg = shape("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", class: "stairs", role: "img",
    "aria-label": t("attendance.curve", { points: said }) });
  svg.append(shape("path", { d: `${path}L100 100Z`, class: "area" }), shape("path", { d: path, class: "edge" }));
  if (lessons !== null) svg.append(shape("path", { d: `M${x(lessons)} 0V100`, class: "bell" }));
  const title = document.createElementNS(SVG, "title");
  title.textContent = said;
  svg.prepend(title);
  const scale = el("div", { class: "hours", "aria-hidden": "true" },
    el("span", {}, dial(from)), el("span", {}, dial(to)));
  return [svg, scale];
}

function groups(day) {
  const shown = (day.groups ?? []).filter((group) => known(group.persons));
  if (shown.length + day.withheld < 2) return [];
  const items = shown.map((group) => el("li", {}, el("span", {}, group.group), el("b", {}, count(group.persons))));
  if (day.withheld) items.push(el("li", { class: "sub" }, t("attendance.withheld", { n: count(day.withheld) })));
  return [el("ul", { class: "groups" }, ...items)];
}

function headline(day) {
  if (!known(day.persons)) return t("attendance.too_few");
  return t("attendance.persons", { n: count(day.persons) });
}

function onTime(day) {
  if (known(day.on_time_ratio)) return t("attendance.on_time", { percent: percent(day.on_time_ratio), time: day.lessons });
  return day.lessons ? t("attendance.on_time_unknown", { time: day.lessons }) : t("attendance.no_lessons");
}

function card(day) {
  return el("article", { class: "pool attended" },
    el("div", { class: "pool-head" },
      el("h3", {}, day.school_name || day.school, el("span", { class: "sub" }, day.area ?? "")),
      el("span", { class: "sub" }, t(`attendance.basis_${day.basis}`))),
    el("div", { class: "side-head" }, el("span", { class: "figure" }, headline(day)), el("span", { class: "sub" }, onTime(day))),
    ...(day.curve?.length ? plot(day) : []),
    ...groups(day),
    ...(day.unplaced ? [el("p", { class: "sub" }, t("attendance.unplaced", { n: count(day.unplaced) }))] : []));
}

export class Attendance {
  constructor() {
    this.limit = PAGE;
    this.shown = null;
    byId("attendance-more").addEventListener("click", () => {
      this.limit += PAGE;
      const { data, date } = this.shown;
      this.shown = null;
      this.update(data, date);
    });
  }

  /** `data`: undefined while it is asked for, null when that failed. The section is there once there is a kiosk. */
  update(data, date, wanted = true) {
    if (this.shown && this.shown.data === data && this.shown.date === date && this.shown.language === language &&
        this.shown.wanted === wanted) return;
    this.shown = { data, date, language, wanted };
    const days = data?.days ?? [];
    byId("attendance").hidden = !wanted && !days.length;
    setText(byId("attendance-count"), days.length ? t("attendance.count", { n: count(days.length), date: date.split("-").reverse().join("/") }) : "");
    byId("attendance-cards").replaceChildren(...days.slice(0, this.limit).map(card));
    const empty = byId("attendance-empty"), more = byId("attendance-more");
    empty.hidden = days.length > 0;
    setText(empty, data === undefined ? t("loading") : data === null ? t("load_failed") : t("attendance.none"));
    more.hidden = days.length <= this.limit;
    setText(more, t("more", { n: count(Math.min(PAGE, Math.max(0, days.length - this.limit))) }));
  }
}
