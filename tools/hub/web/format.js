// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// Times and lengths as people read them. The country has one zone, +07:00, whatever the reader's machine says.
import { t } from "./i18n.js";

const ZONE = "Asia/Ho_Chi_Minh";
const parts = new Intl.DateTimeFormat("en-GB", {
  timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});

function split(ms) {
  return Object.fromEntries(parts.formatToParts(ms).map((part) => [part.type, part.value]));
}

export function clock(ms) {
  const p = split(ms);
  return `${p.hour}:${p.minute}:${p.second}`;
}

export function hourMinute(ms) {
  const p = split(ms);
  return `${p.hour}:${p.minute}`;
}

/** "2026-11-21": the day in which that moment lies. */
export function dayOf(ms) {
  const p = split(ms);
  return `${p.year}-${p.month}-${p.day}`;
}

export function dayStart(day) {
  return Date.parse(`${day}T00:00:00+07:00`);
}

/** "08:15:02" on the reference day, else "08:15:02 21/11" or "08:15:02 21/11/2025". */
export function moment(ms, now) {
  if (ms === null || ms === undefined) return "—";
  const p = split(ms);
  const text = `${p.hour}:${p.minute}:${p.second}`;
  if (dayOf(ms) === dayOf(now)) return text;
  return p.year === split(now).year ? `${text} ${p.day}/${p.month}` : `${text} ${p.day}/${p.month}/${p.year}`;
}

/** The two largest units: "3 giờ 05 phút". */
export function length(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const two = (n) => String(n).padStart(2, "0");
  if (seconds < 60) return t("length.seconds", { s: seconds });
  if (minutes < 60) return t("length.minutes", { m: minutes, s: two(seconds % 60) });
  if (hours < 24) return t("length.hours", { h: hours, m: two(minutes % 60) });
  return t("length.days", { d: Math.floor(hours / 24), h: hours % 24 });
}

/** Small lengths with the precision they have: "± 0,5 giây". */
export function seconds(value) {
  const digits = value < 10 && value % 1 ? 1 : 0;
  return t("length.seconds", { s: value.toFixed(digits).replace(".", t("decimal")) });
}

export function milliseconds(value) {
  return `${String(Math.round(value * 1e4) / 10).replace(".", t("decimal"))} ms`;
}

/** "94,2 Mbit/s"; a tenth is told below a hundred. */
export function mbps(value, unit = true) {
  if (value === null || value === undefined) return "—";
  const text = count(value.toFixed(value < 100 && value % 1 ? 1 : 0)).replace(/\.(?=\d$)/, t("decimal"));
  return unit ? `${text}\u00a0Mbit/s` : text;
}

export function percent(ratio) {
  const digits = Math.abs(ratio * 100 - Math.round(ratio * 100)) < 0.05 ? 0 : 1;
  return `${(ratio * 100).toFixed(digits).replace(".", t("decimal"))}\u00a0%`;
}

/** "21/11" */
export function dayMonth(ms) {
  const p = split(ms);
  return `${p.day}/${p.month}`;
}

export function ago(ms, now) {
  if (ms === null || ms === undefined) return t("never");
  const past = Math.max(0, now - ms);
  return past < 5000 ? t("just_now") : t("ago", { length: length(past) });
}

export function count(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, t("thousands"));
}

/** For searching: without case and diacritics, đ as d. */
export function plain(text) {
  return String(text).toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/đ/g, "d");
}
