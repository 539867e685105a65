// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The hub's answers. Relative addresses: the page also works below a prefix of a reverse proxy.
const BASE = "api/v1/";
const PATIENCE_MS = 10000;

let etag = null;

async function ask(path, headers = {}) {
  const answer = await fetch(BASE + path, {
    headers,
    cache: "no-store", // the browser's cache would answer a 304 as 200
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (!answer.ok && answer.status !== 304) throw new Error(`${path}: HTTP ${answer.status}`);
  return answer;
}

/** The overview, or null when nothing changed since the last one. */
export async function overview() {
  const answer = await ask("overview", etag ? { "If-None-Match": etag } : {});
  if (answer.status === 304) return null;
  const body = await answer.json();
  etag = answer.headers.get("ETag");
  return body;
}

async function whole(path, query) {
  const text = new URLSearchParams(
    Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== ""));
  const answer = await ask(text.size ? `${path}?${text}` : path);
  return answer.json();
}

const list = async (path, query, member) => (await whole(path, query))[member] ?? [];

export const incidents = (query) => list("incidents", query, "incidents");
export const incidentMembers = (incident) => list("incidents", { incident, members: 50000 }, "incidents");
export const outages = (query) => list("outages", query, "outages");
export const day = (date) => list("day", { date }, "lines");
export const tests = (query) => whole("tests", query);
export const speed = (period) => whole("speed", period);
export const attendance = (period) => whole("attendance", period);
export const kiosks = (period) => whole("kiosks", period);
export const anomalies = () => list("anomalies", {}, "anomalies");
export const gaps = () => list("gaps", {}, "gaps");
