// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// One day of one line as a strip of segments. The pointer or the arrow keys read it, piece by piece.
import { byId, el, setAttribute, setText, sync } from "./dom.js";
import { dayStart, hourMinute, length } from "./format.js";
import { t, word } from "./i18n.js";

const DAY_MS = 24 * 3600 * 1000;
export const STATES = ["down", "degraded", "unknown", "up"];

/** What a piece is coloured by: whose trouble it was. As many as an eye tells apart; the words name the cause itself. */
const KINDS = {
  isp: "provider", isp_access: "provider", isp_core: "provider", captive_portal: "account",
  international: "part", ipv4: "part", ipv6: "part", mtu: "part", dns: "dns",
  cable: "school", address: "school", gateway: "school",
  power: "board", reboot: "board", agent: "board", switched_off: "off",
};
/** [state, kind] in the order of the legend. */
export const LEGEND = [
  ["up", ""], ["down", "provider"], ["down", "account"], ["degraded", "part"], ["degraded", "dns"],
  ["unknown", "school"], ["unknown", "board"], ["unknown", "off"], ["unknown", ""],
];

/** A line that cannot be measured for a reason that is known is not simply unknown. */
export function stateWord(state, cause) {
  return state === "unknown" && KINDS[cause] ? t("state.unmeasured") : word("state", state);
}

function pieceClass(segment) {
  const state = STATES.includes(segment.state) ? segment.state : "unknown";
  const kind = state === "up" ? "" : KINDS[segment.cause] ?? "";
  return ["seg", state, kind].filter(Boolean).join(" ");
}

/** Milliseconds per state within the day: { up: 1000, … }. */
export function totals(segments) {
  const sums = {};
  for (const s of segments) sums[s.state] = (sums[s.state] ?? 0) + (s.to_ms - s.from_ms);
  return sums;
}

export function totalsText(segments) {
  const sums = totals(segments);
  const said = STATES.filter((state) => sums[state] >= 1000)
    .map((state) => t("detail.total", { state: word("state", state), length: length(sums[state]) }));
  return said.length ? said.join(", ") : t("detail.no_data");
}

export class DayStrip {
  constructor() {
    this.node = el("div", { class: "strip", role: "img", tabindex: "0" });
    this.segments = [];
    this.chosen = -1;
    this.node.addEventListener("pointermove", (event) => this.#atPointer(event));
    this.node.addEventListener("pointerdown", (event) => this.#atPointer(event));
    this.node.addEventListener("pointerleave", hideTip);
    this.node.addEventListener("blur", () => this.#leave());
    this.node.addEventListener("keydown", (event) => this.#key(event));
  }

  update(place, date, segments) {
    const start = dayStart(date);
    const end = start + DAY_MS;
    this.segments = (segments ?? [])
      .map((s) => ({ ...s, from_ms: Math.max(s.from_ms, start), to_ms: Math.min(s.to_ms, end) }))
      .filter((s) => s.to_ms > s.from_ms);
    this.start = start;
    setAttribute(this.node, "aria-label",
      t("strip.label", { place, date, totals: totalsText(this.segments) }));
    const old = [...this.node.children];
    sync(this.node, this.segments.map((segment, i) => {
      const piece = old[i] ?? el("i");
      setAttribute(piece, "class", pieceClass(segment));
      const left = `${((segment.from_ms - start) / DAY_MS) * 100}%`;
      const width = `${((segment.to_ms - segment.from_ms) / DAY_MS) * 100}%`;
      if (piece.style.left !== left) piece.style.left = left;
      if (piece.style.width !== width) piece.style.width = width;
      return piece;
    }));
  }

  #describe(at) {
    const i = this.segments.findIndex((s) => at >= s.from_ms && at < s.to_ms);
    const s = this.segments[i];
    if (!s) return { i, text: `${hourMinute(at)} ${t("strip.none")}` };
    const to = s.to_ms === this.start + DAY_MS ? "24:00" : hourMinute(s.to_ms);
    const cause = word("cause", s.cause);
    const text = t("strip.segment", { from: hourMinute(s.from_ms), to, state: stateWord(s.state, s.cause) });
    return { i, text: `${text} (${length(s.to_ms - s.from_ms)})${cause ? ` · ${cause}` : ""}` };
  }

  #atPointer(event) {
    const box = this.node.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    showTip(this.#describe(this.start + share * (DAY_MS - 1)).text, event.clientX, box);
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") this.#leave();
    if (!step || !this.segments.length) return;
    event.preventDefault();
    this.chosen = Math.min(this.segments.length - 1, Math.max(0, this.chosen + step));
    const s = this.segments[this.chosen];
    const middle = (s.from_ms + s.to_ms) / 2;
    const box = this.node.getBoundingClientRect();
    const said = this.#describe(middle).text;
    showTip(said, box.left + ((middle - this.start) / DAY_MS) * box.width, box);
    setText(byId("announcer"), said);
  }

  #leave() {
    this.chosen = -1;
    hideTip();
  }
}

export function showTip(text, x, box) {
  const tip = byId("tip");
  setText(tip, text);
  tip.hidden = false;
  const half = tip.offsetWidth / 2;
  const left = Math.min(document.documentElement.clientWidth - half - 6, Math.max(half + 6, x));
  tip.style.left = `${left}px`;
  const above = box.top - tip.offsetHeight - 8;
  tip.style.top = `${above > 4 ? above : box.bottom + 8}px`;
}

export function hideTip() {
  byId("tip").hidden = true;
}
