// SPDX-FileCopyrightText: The SchoolPulse authors
// SPDX-License-Identifier: Apache-2.0
// The page's words: one flat catalogue per language; Vietnamese unless the reader chose English.
const LANGUAGES = ["vi", "en"];
const KEPT = "schoolpulse.language";

let words = {};
export let language = "vi";

function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null; // storage may be forbidden
  }
}

export function preferred() {
  const chosen = kept();
  return LANGUAGES.includes(chosen) ? chosen : LANGUAGES[0];
}

export async function choose(name) {
  const answer = await fetch(`i18n/${name}.json`);
  if (!answer.ok) throw new Error(`i18n/${name}.json: ${answer.status}`);
  words = await answer.json();
  language = name;
  document.documentElement.lang = name;
  try {
    localStorage.setItem(KEPT, name);
  } catch { /* the choice lasts as long as the page */ }
  translate(document);
}

/** t("more", { n: 3 }); a key without words shows itself, so that it is noticed. */
export function t(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function known(key) {
  return key in words;
}

/** The word for a value of the feed's vocabulary; a value that this page is too old to know shows as it is. */
export function word(kind, value) {
  if (value === null || value === undefined || value === "") return "";
  return words[`${kind}.${value}`] ?? String(value);
}

export function translate(root) {
  for (const node of root.querySelectorAll("[data-i18n]")) node.textContent = t(node.dataset.i18n);
  for (const node of root.querySelectorAll("[data-i18n-label]"))
    node.setAttribute("aria-label", t(node.dataset.i18nLabel));
  for (const node of root.querySelectorAll("[data-i18n-placeholder]")) node.placeholder = t(node.dataset.i18nPlaceholder);
  for (const node of root.querySelectorAll("[data-lang]"))
    node.setAttribute("aria-pressed", String(node.dataset.lang === language));
}
