// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The live page: asks the hub every two seconds whether anything changed, and shows what did.
import * as api from "./api.js";
import { Attendance } from "./attendance.js";
import { byId, el, icon, setAttribute, setText, sync } from "./dom.js";
import { LEGEND, STATES, hideTip } from "./daystrip.js";
import { clock, count, dayOf, dayStart, plain } from "./format.js";
import { choose, language, preferred, t, word } from "./i18n.js";
import { Kiosks } from "./kiosks.js";
import { IncidentList } from "./incidents.js";
import { Notices } from "./notices.js";
import { Evidence, PERIODS, periodOf } from "./speed.js";
import { OutageList } from "./outages.js";
import { LineTable, keyOf, placeOf } from "./table.js";

const POLL_MS = 2000;
const HIDDEN_POLL_MS = 15000; // nobody looks
const SLOW_MS = 5000;         // lists follow a change at once, but a stream of changes not more often than this
const PAGE = 200;             // rows rendered at a time
const OUTAGES = 50;
const TESTS = 500;            // of one line
const DAY_MS = 24 * 3600 * 1000;
const SPEED_MS = 60000;       // evidence of a whole province is not gathered more often than this
const SORTS = ["state", "since", "place", "area", "provider", "heard"];

const page = {
  overview: null,
  received: 0,       // performance.now() of the last word from the hub
  failures: 0,
  filter: null,      // a state, or null
  query: "",
  sort: "state",
  date: null,        // null: today, also when midnight passes
  limit: { lines: PAGE, boards: PAGE, outages: OUTAGES },
  open: new Set(),   // keys of rows with open details
  details: new Map(),
  tests: new Map(),  // speed tests, by key, of the open ones
  testsAsked: new Map(),
  speed: undefined,  // evidence; null: it could not be had
  period: "days",
  day: new Map(),
  attended: { date: null, days: undefined, kiosks: undefined }, // of one date
  dayShown: null,
  incidents: [],
  outages: [],
  anomalies: [],
  gaps: [],
  byKey: new Map(),
  states: new Map(), // what was announced
};

let lines, boards, incidents, outages, notices, evidence, attendance, kiosks;
// Of the hub's clock. While nothing is taken in, what is shown stays as of the last word of the boards.
const running = () => page.overview?.hub?.ingest === "running";
const now = () => (page.overview?.as_of_ms ?? Date.now()) + (running() ? performance.now() - page.received : 0);
const date = () => page.date ?? dayOf(now());

// ---- choosing and ordering -----------------------------------------------------------------------------

const weight = (line) => (STATES.indexOf(line.state) + STATES.length) % STATES.length;
const collator = new Intl.Collator("vi", { numeric: true, sensitivity: "base" });
const by = {
  state: (a, b) => weight(a) - weight(b) || (b.since_ms ?? 0) - (a.since_ms ?? 0),
  since: (a, b) => (b.since_ms ?? 0) - (a.since_ms ?? 0),
  place: () => 0,
  area: (a, b) => collator.compare(a.area ?? "", b.area ?? ""),
  provider: (a, b) => collator.compare(a.provider ?? "", b.provider ?? ""),
  heard: (a, b) => (a.last_heard_ms ?? 0) - (b.last_heard_ms ?? 0),
};

function place(a, b) {
  return collator.compare(placeOf(a).join(" "), placeOf(b).join(" ")) || collator.compare(keyOf(a), keyOf(b));
}

function matches(line, wanted) {
  if (page.filter && line.state !== page.filter) return false;
  if (!wanted.length) return true;
  line.plain ??= plain([line.school_name, line.school, line.site_name, line.site, line.area, line.provider, line.line,
    line.device].filter(Boolean).join(" "));
  return wanted.every((part) => line.plain.includes(part));
}

function chosen(all) {
  const wanted = plain(page.query).split(/\s+/).filter(Boolean);
  return all.filter((line) => matches(line, wanted)).sort((a, b) => by[page.sort](a, b) || place(a, b));
}

// ---- showing -------------------------------------------------------------------------------------------

const tiles = new Map();

function makeTiles() {
  for (const state of ["all", "up", "degraded", "down", "unknown"]) {
    const tile = {
      number: el("span", { class: "figure" }, "–"),
      label: el("span", { class: "label" }),
      hint: el("span", { class: "sub" }),
    };
    tile.node = el("button", { type: "button", class: `tile ${state}`, "data-state": state, onclick: () => {
      page.filter = state === "all" || page.filter === state ? null : state;
      page.limit.lines = PAGE;
      show();
      remember();
    } }, el("span", { class: "tile-head" }, state === "all" ? null : icon(state), tile.label), tile.number, tile.hint);
    tiles.set(state, tile);
    byId("tiles").append(tile.node);
  }
}

function showTiles(counts, all) {
  for (const [state, tile] of tiles) {
    setText(tile.number, count(state === "all" ? all : counts[state] ?? 0));
    setText(tile.label, state === "all" ? t("tiles.all") : word("state", state));
    setText(tile.hint, state === "all" ? t("tiles.all_hint") : t(`state_hint.${state}`));
    setAttribute(tile.node, "aria-pressed", String((page.filter ?? "all") === state));
    tile.node.classList.toggle("some", state !== "all" && (counts[state] ?? 0) > 0);
  }
}

function showMore(button, hidden, name) {
  button.hidden = hidden <= 0;
  setText(button, t("more", { n: count(Math.min(PAGE, Math.max(hidden, 0))) }));
  button.dataset.limit = name;
}

function showLines() {
  const all = page.overview.lines ?? [];
  const registered = all.filter((line) => line.registered);
  const strangers = all.filter((line) => !line.registered);
  const wanted = chosen(registered);
  const view = { now: now(), date: date(), day: page.day, open: page.open, details: page.details, tests: page.tests, keptRatio: page.speed?.kept_ratio,
    sort: page.sort };
  lines.update(wanted.slice(0, page.limit.lines), view, t("lines.title"));
  setText(byId("lines-count"), t("lines.count", { shown: count(wanted.length), all: count(registered.length) }));
  showMore(byId("lines-more"), wanted.length - page.limit.lines, "lines");
  const empty = byId("lines-empty");
  empty.hidden = wanted.length > 0;
  setText(empty, registered.length ? t("lines.no_match") : t("lines.none"));

  byId("boards").hidden = !strangers.length;
  strangers.sort(place);
  boards.update(strangers.slice(0, page.limit.boards), { ...view, sort: null }, t("boards.title"));
  setText(byId("boards-count"), t("boards.count", { n: count(strangers.length) }));
  showMore(byId("boards-more"), strangers.length - page.limit.boards, "boards");
  showTiles(page.overview.counts ?? {}, registered.length);
}

function showOutages() {
  incidents.update(page.incidents, now());
  outages.update(page.outages, now(), t("outages.none"));
  setText(byId("outages-count"), page.outages.length ? t("outages.count", { n: count(page.outages.length) }) : "");
  // A full answer means that there may be more.
  showMore(byId("outages-more"), page.outages.length >= page.limit.outages ? OUTAGES : 0, "outages");
}

function showFresh() {
  const live = page.failures === 0 && page.overview ? "on" : page.failures ? "off" : "wait";
  byId("fresh").dataset.live = live;
  setText(byId("live-word"), t(`live.${live}`));
  const time = page.overview?.as_of_ms ? clock(page.overview.as_of_ms) : "";
  setText(byId("as-of"), time ? t("as_of", { time }) : "");
  const banner = byId("banner");
  const ingest = page.overview?.hub?.ingest;
  let text = "";
  if (live === "off") text = page.overview ? t("banner.lost", { time }) : t("banner.never");
  else if (ingest && ingest !== "running") text = t("banner.ingest", { reason: word("ingest", ingest) });
  setText(banner, text);
  banner.hidden = !text;
}

function show() {
  if (!page.overview) return;
  hideTip();
  showLines();
  showOutages();
  evidence.update(page.speed, page.period);
  showAttendance();
  notices.update(page.overview, page.anomalies, page.gaps, now());
  showLegend();
  showControls();
  showFresh();
  const hub = page.overview.hub ?? {};
  setText(byId("foot"), t("foot", { version: hub.version ?? "", epoch: hub.epoch || "–" }));
}

function showAttendance() {
  if (!page.overview) return;
  const told = page.attended;
  attendance.update(told.days, told.date ?? date(), Boolean(told.kiosks?.kiosks?.length));
  const boards = new Map((page.overview.lines ?? []).filter((line) => line.device).map((line) => [line.device, keyOf(line)]));
  kiosks.update(told.kiosks, told.date ?? date(), (device) => page.day.get(boards.get(device)), now());
}

function showLegend() {
  const legend = byId("legend");
  const old = [...legend.children];
  sync(legend, LEGEND.map(([state, kind], i) => {
    const item = old[i] ?? el("li", {}, el("i", { class: `seg ${state} ${kind}`.trim() }), el("span"));
    setText(item.lastChild, t(`legend.${kind || state}`));
    return item;
  }));
}

function showControls() {
  const select = byId("sort");
  if (!select.options.length) for (const name of SORTS) select.append(el("option", { value: name }));
  for (const option of select.options) setText(option, t(`sort.${option.value}`));
  select.value = page.sort;
  const input = byId("date");
  if (document.activeElement !== input) input.value = date();
  input.max = dayOf(now());
  byId("day-after").disabled = date() >= dayOf(now());
}

function announce() {
  const changed = [];
  for (const line of page.overview.lines ?? []) {
    const key = keyOf(line);
    if (page.states.has(key) && page.states.get(key) !== line.state) changed.push(line);
    page.states.set(key, line.state);
  }
  if (!changed.length) return;
  const one = (line) => t("announce.one", { place: placeOf(line).filter(Boolean).join(", "), state: word("state", line.state) });
  setText(byId("announcer"),
    changed.length <= 3 ? changed.map(one).join(". ") : t("announce.many", { n: changed.length }));
}

// ---- asking --------------------------------------------------------------------------------------------

/** Runs `ask` now, or once more after the present run, at most every SLOW_MS; a failure keeps what is shown. */
function calm(ask, then = show) {
  let running = false, again = false, last = -Infinity, timer = null;
  return function run(at_once = false) {
    if (running) return void (again = true);
    const wait = at_once ? 0 : last + SLOW_MS - performance.now();
    if (wait > 0) return void (timer ??= setTimeout(() => { timer = null; run(); }, wait));
    running = true;
    ask().then(then, () => {}).finally(() => {
      running = false;
      last = performance.now();
      if (again) { again = false; run(); }
    });
  };
}

const askDay = calm(async () => {
  const wanted = date();
  const answer = await api.day(wanted);
  if (wanted !== date()) return askDay(true);
  page.day = new Map(answer.map((line) => [keyOf(line), line.segments]));
  page.dayShown = wanted;
});

let attendedAsked = -Infinity;
const askAttendance = calm(async () => {
  const wanted = date();
  const period = { from: wanted, to: dayOf(dayStart(wanted) + DAY_MS) };
  attendedAsked = performance.now();
  const old = page.attended.date === wanted ? page.attended : {};
  const [days, all] = await Promise.all([api.attendance(period).catch(() => old.days ?? null),
    api.kiosks(period).catch(() => old.kiosks ?? null)]);
  if (wanted !== date()) return askAttendance(true);
  const same = (a, b) => (JSON.stringify(a) === JSON.stringify(b) ? a : b); // what is the same is not drawn again
  page.attended = { date: wanted, days: same(old.days, days), kiosks: same(old.kiosks, all) };
}, showAttendance);

const askOutages = calm(async () => {
  [page.incidents, page.outages] = await Promise.all([api.incidents({ limit: OUTAGES }).catch(() => page.incidents),
    api.outages({ limit: page.limit.outages })]);
});

const askNotices = calm(async () => {
  [page.anomalies, page.gaps] = await Promise.all([api.anomalies(), api.gaps()]);
});

async function askDetail(key) {
  const line = page.byKey.get(key);
  if (!line) return;
  const query = line.registered
    ? { school: line.school, site: line.site, line: line.line, limit: 20 }
    : { device: line.device, limit: 20 };
  const asked = [keep(page.details, key, api.outages(query))];
  // Weeks of tests are not read again for each outage elsewhere.
  const age = performance.now() - (page.testsAsked.get(key)?.at ?? -Infinity);
  if (age > SPEED_MS || page.testsAsked.get(key).speed_ms !== line.speed_ms) {
    page.testsAsked.set(key, { at: performance.now(), speed_ms: line.speed_ms });
    asked.push(keep(page.tests, key, api.tests({ ...query, line: line.line, limit: TESTS })));
  }
  await Promise.all(asked);
}

/** A failure leaves what was there. */
async function keep(map, key, answer) {
  try {
    const value = await answer;
    if (JSON.stringify(value) !== JSON.stringify(map.get(key))) map.set(key, value);
  } catch {
    if (!map.get(key)) map.set(key, null);
    page.testsAsked.delete(key);
  }
}

let speedAsked = -Infinity, speedSeen = null;
const askSpeed = calm(async () => {
  const wanted = page.period;
  speedAsked = performance.now();
  const answer = await api.speed(periodOf(wanted, now())).catch(() => page.speed ?? null);
  if (wanted !== page.period) return askSpeed(true);
  page.speed = answer;
});

/** Again when a test has come since. */
function followSpeed() {
  const newest = Math.max(...(page.overview.lines ?? []).map((line) => line.speed_ms ?? 0), 0);
  if (newest === speedSeen || performance.now() - speedAsked < SPEED_MS) return;
  speedSeen = newest;
  askSpeed(true);
}

const askDetails = calm(async () => {
  await Promise.all([...page.open].map(askDetail));
});

function askLists(at_once) {
  askDay(at_once);
  if (at_once || performance.now() - attendedAsked > SPEED_MS) askAttendance(at_once);
  askOutages(at_once);
  askNotices(at_once);
  if (page.open.size) askDetails(at_once);
}

async function poll() {
  try {
    const answer = await api.overview();
    const first = page.overview === null;
    const back = page.failures > 0;
    if (answer === null && running()) page.overview.as_of_ms = now(); // what is here is true as of now
    if (answer) page.overview = answer;
    page.received = performance.now();
    page.failures = 0;
    if (answer) {
      page.byKey = new Map((answer.lines ?? []).map((line) => [keyOf(line), line]));
      announce();
      show();
    }
    if (answer || back) askLists(first || back);
  } catch (error) {
    page.failures++;
    console.info(`schoolpulse: ${error.message}`);
  }
  showFresh();
}

let timer = null;
async function turn() {
  clearTimeout(timer);
  await poll();
  const wait = document.hidden ? HIDDEN_POLL_MS : Math.min(POLL_MS * 2 ** Math.min(page.failures, 2), 8000);
  clearTimeout(timer);
  timer = setTimeout(turn, wait);
}

// Times pass without news, too; and at midnight "today" is another day.
function second() {
  if (!page.overview || document.hidden) return;
  if (page.failures === 0) {
    lines.tick(now());
    boards.tick(now());
    showOutages();
  }
  if (page.failures === 0) followSpeed();
  if (page.failures === 0 && page.dayShown && page.dayShown !== date()) { askDay(true); askAttendance(true); }
  showFresh();
}

// ---- what the reader does --------------------------------------------------------------------------------

function toggle(line) {
  const key = keyOf(line);
  if (page.open.delete(key)) {
    page.details.delete(key);
    page.tests.delete(key);
    page.testsAsked.delete(key);
  }
  else {
    page.open.add(key);
    askDetail(key).then(show);
  }
  show();
}

function remember() {
  const kept = new URLSearchParams();
  if (page.filter) kept.set("state", page.filter);
  if (page.query) kept.set("q", page.query);
  if (page.sort !== "state") kept.set("sort", page.sort);
  if (page.date) kept.set("date", page.date);
  if (page.period !== "days") kept.set("period", page.period);
  history.replaceState(null, "", kept.size ? `#${kept}` : location.pathname + location.search);
}

function recall() {
  const kept = new URLSearchParams(location.hash.slice(1));
  page.filter = STATES.includes(kept.get("state")) ? kept.get("state") : null;
  page.query = kept.get("q") ?? "";
  page.sort = SORTS.includes(kept.get("sort")) ? kept.get("sort") : "state";
  page.period = PERIODS.includes(kept.get("period")) ? kept.get("period") : "days";
  page.date = Number.isFinite(dayStart(kept.get("date"))) ? kept.get("date") : null;
  byId("search").value = page.query;
}

function sortBy(name) {
  page.sort = name;
  show();
  remember();
}

function goTo(day) {
  const today = dayOf(now());
  page.date = day && day < today ? day : null;
  page.day = new Map();
  byId("date").value = date();
  show();
  askDay(true);
  askAttendance(true);
  remember();
}

const dayBeside = (days) => goTo(dayOf(dayStart(date()) + days * DAY_MS));

function listen() {
  byId("search").addEventListener("input", (event) => {
    page.query = event.target.value;
    page.limit.lines = PAGE;
    show();
    remember();
  });
  byId("sort").addEventListener("change", (event) => sortBy(event.target.value));
  byId("date").addEventListener("change", (event) => goTo(event.target.value));
  byId("day-before").addEventListener("click", () => dayBeside(-1));
  byId("day-after").addEventListener("click", () => dayBeside(1));
  for (const button of document.querySelectorAll(".more")) {
    button.addEventListener("click", () => {
      const name = button.dataset.limit;
      page.limit[name] += name === "outages" ? OUTAGES : PAGE;
      if (name === "outages") askOutages(true);
      show();
    });
  }
  for (const button of document.querySelectorAll("[data-lang]")) {
    button.addEventListener("click", async () => {
      if (button.dataset.lang === language) return;
      await choose(button.dataset.lang).catch(() => {});
      show();
      showFresh();
    });
  }
  document.addEventListener("visibilitychange", () => document.hidden || turn());
  document.addEventListener("scroll", hideTip, { passive: true });
}

async function start() {
  recall();
  await choose(preferred());
  makeTiles();
  showTiles({}, 0);
  for (const tile of tiles.values()) setText(tile.number, "–");
  lines = new LineTable(byId("table"), { onToggle: toggle, onSort: sortBy });
  boards = new LineTable(byId("boards-table"), { place: "board", onToggle: toggle });
  incidents = new IncidentList(byId("incidents"), byId("incidents-list"), byId("incidents-count"));
  outages = new OutageList(byId("outages-list"), (outage) => {
    const key = keyOf(outage);
    const line = page.byKey.get(key);
    return line ? placeOf(line) : placeOf(outage);
  });
  evidence = new Evidence((name) => {
    page.period = name;
    page.speed = undefined;
    show();
    askSpeed(true);
    remember();
  });
  attendance = new Attendance();
  kiosks = new Kiosks();
  notices = new Notices();
  listen();
  setInterval(second, 1000);
  await turn();
}

start();
