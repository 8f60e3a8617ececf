// Questions that the page asks of its user, each in a dialog of the browser's own.

import { button, el } from "./nodes.js";
import { words } from "./words.js";

let count = 0;

/**
 * Show a dialog.
 * @param {string} title
 * @param {Node[]} inside
 * @param {{label: string, value: unknown, kind?: string}[]} answers
 * @param {{wide?: boolean, must?: boolean}} [how] `must`: it is not left without an answer
 * @returns {Promise<unknown>} the value of the answer; `null`: it was left
 */
export function asked(title, inside, answers, { wide = false, must = false } = {}) {
  return new Promise((resolve) => {
    const id = `dialog-${count += 1}`;
    let value = null;
    const shown = el("dialog", { class: wide ? "wide" : "", "aria-labelledby": id },
      el("h2", { id, text: title }),
      el("div", { class: "scrolls text", tabindex: "0", role: "group", "aria-label": title },
        ...inside),
      el("div", { class: "row answers" }, ...answers.map((one) => button(one.label, () => {
        value = one.value;
        shown.close();
      }, { class: one.kind ?? "" }))));
    shown.addEventListener("cancel", (event) => { if (must) event.preventDefault(); });
    shown.addEventListener("close", () => {
      shown.remove();
      resolve(value);
    });
    document.body.append(shown);
    shown.showModal();
    shown.querySelector("button.primary")?.focus();
  });
}

/** Close what is open, as if it had been left. */
export function closeDialogs() {
  for (const shown of document.querySelectorAll("dialog")) shown.close();
}

export function intendedUse({ title, paragraphs }, answersFrom) {
  const said = paragraphs.map((text) => el("p", { text }));
  if (answersFrom) {
    said.push(el("p", { class: "strong",
      text: `On this page the answers come from ${answersFrom}: what you write is sent there.` }));
  }
  return asked(title, said, [
    { label: "Leave", value: false },
    { label: words.UNDERSTOOD, value: true, kind: "primary" },
  ], { must: true });
}

/** What may tell who the patient is: `replace`, `keep`, or `null`. */
export function identifiers(found, does) {
  const kinds = found.kinds.map((kind) => el("section", {},
    el("h3", {}, kind.name, el("span", { class: "quiet", text: ` becomes ${kind.mark}` })),
    el("ul", { class: "found" }, ...kind.places.map((place) => el("li", {},
      el("span", { class: "quiet", text: place.before }),
      el("mark", { class: "identifier", text: place.text }),
      el("span", { class: "quiet", text: place.after }),
      place.note && el("em", { class: "quiet", text: ` ${place.note}` }))))));
  return asked(found.title, [
    found.language && el("p", { class: "warning", text: found.language }),
    el("p", { text: found.about }),
    ...kinds,
    found.more > 0 && el("p", { text: `and ${found.more} more` }),
  ].filter(Boolean), [
    { label: "Back", value: null, kind: "primary" },
    { label: `Keep and ${does}`, value: "keep" },
    ...(found.kinds.length ? [{ label: `Replace all and ${does}`, value: "replace" }] : []),
  ]);
}

/** Which form to export in: `{form, thoughts}`, or `null`. */
export async function exportForm(thinks) {
  const forms = [["markdown", "Markdown", "to read and to edit"],
    ["html", "HTML", "to read and to print, as PDF too"], ["json", "JSON", "for programs"]];
  const radios = forms.map(([value, name, what], place) => el("label", { class: "choice" },
    el("input", { type: "radio", name: "form", value, checked: place === 0 }),
    el("span", {}, el("b", { text: name }), ` ${what}`)));
  const thoughts = el("input", { type: "checkbox" });
  const chosen = await asked(words.EXPORT, [
    el("p", { text: `${words.WHAT_IS_IN_IT}.` }),
    el("p", { class: "draft", text: words.DRAFT }),
    el("fieldset", {}, el("legend", { text: "Format" }), ...radios),
    thinks && el("label", { class: "choice" }, thoughts, el("span", { text: words.WITH_THOUGHTS })),
  ].filter(Boolean), [
    { label: "Back", value: null },
    { label: "Export", value: true, kind: "primary" },
  ]);
  if (!chosen) return null;
  const form = radios.map((one) => one.querySelector("input")).find((one) => one.checked).value;
  return { form, thoughts: thoughts.checked };
}

/** The two answers held against each other. */
export function differences(found, names) {
  const cell = (pieces, name) => el("td", { "data-name": name },
    ...(pieces === null
      ? [el("em", { class: "quiet", text: words.NOTHING_LIKE_IT })]
      : pieces.map(([text, kind]) => (kind
        ? el("mark", { class: kind === "words" ? "words" : "fact", text })
        : document.createTextNode(text)))));
  const table = (caption, rows) => el("table", { class: "differences" },
    el("caption", { text: caption }),
    el("thead", {}, el("tr", {},
      ...names.map((text) => el("th", { scope: "col", text })))),
    el("tbody", {}, ...rows.map((row) => el("tr", { class: row.same ? "same" : "" },
      cell(row.a, names[0]), cell(row.b, names[1])))));
  const facts = found.facts.map(({ head, rows }) => table(`${head} (${rows.length})`,
    rows.map((place) => found.rows[place])));
  return asked(words.DIFFERENCES, [
    el("p", { class: "quiet", text: found.summary }),
    ...(facts.length ? facts : [el("p", { text: words.NONE_DIFFERS })]),
    table(words.BY_SENTENCE, found.rows),
  ], [{ label: "Back to the answers", value: null, kind: "primary" }], { wide: true });
}
