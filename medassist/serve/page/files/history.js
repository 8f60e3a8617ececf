// What this user has kept: listed, searched, opened, deleted.

import { get, post, remove } from "./api.js";
import { button, el, replace } from "./nodes.js";
import { words } from "./words.js";

const QUIET_MS = 150;
const BY_VERDICT = [["", "any or no verdict"], ...words.CHOICES];
const time = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/**
 * Show the history.
 * @param {import("./records.js").Records} records open ones
 * @param {number | null} here the number of the consultation on the page
 * @param {{deleted: (id: number) => void, deletedAll: () => void, failed: (error: Error) => void}} told
 * @returns {Promise<object | null>} the consultation that is to be opened, or `null`
 */
export function history(records, here, told) {
  return new Promise((resolve) => {
    let chosen = null;
    let lines = [];
    let asking = 0;
    let timer = null;
    const search = el("input", { type: "search", id: "history-search", autocomplete: "off", spellcheck: "false",
      placeholder: "Words in titles, questions and answers" });
    const verdict = el("select", { id: "history-verdict" },
      ...BY_VERDICT.map(([value, text]) => el("option", { value, text })));
    const count = el("p", { class: "quiet", role: "status" });
    const list = el("ul", { class: "kept" });
    const more = button("Show more", () => find(lines.length), { hidden: true });

    const find = async (offset) => {
      const mine = asking += 1;
      try {
        const found = await post("/v1/records/search", {
          text: search.value.trim(), verdict: verdict.value || null, offset,
        });
        if (mine !== asking) return;
        lines = offset ? [...lines, ...found.lines] : found.lines;
        draw(found);
      } catch (error) {
        failed(error);
      }
    };
    const failed = (error) => {
      if (error.status === 401 || error.code === "records_locked") shown.close();
      told.failed(error);
    };
    const draw = ({ total, more: isMore }) => {
      const searched = search.value.trim() || verdict.value;
      count.textContent = lines.length === 0 ? (searched ? "Nothing found." : "Nothing is kept yet.")
        : total === null ? `${lines.length}${isMore ? " or more" : ""} found`
          : `${lines.length === total ? "" : `${lines.length} of `}${total.toLocaleString("en")} kept`;
      replace(list, ...lines.map(line));
      more.hidden = !isMore;
    };
    const line = (one) => {
      const title = one.title || "without a title";
      return el("li", { class: one.id === here ? "here" : "" },
        el("div", { class: "what" },
          button(title, () => open(one.id), { class: "title", "aria-describedby": `kept-${one.id}` }),
          one.snippet.length > 0 && el("p", { class: "snippet" }, ...one.snippet.map(([text, isFound]) => (isFound
            ? el("mark", { class: "fact", text }) : document.createTextNode(text)))),
          el("p", { class: "quiet", id: `kept-${one.id}`, text: about(one) })),
        button("Delete", () => del(one.id, title), { class: "small danger", "aria-label": `Delete ${title}` }));
    };
    const about = (one) => [
      time.format(new Date(one.changed)),
      one.id === here && "on the page",
      one.turns !== 1 && `${one.turns} questions`,
      one.verdicts.map((choice) => words.CHOICES.find(([key]) => key === choice)?.[1]).join(", "),
      one.hidden ? "models hidden" : one.models.join(" and "),
    ].filter(Boolean).join(" · ");

    const open = async (id) => {
      if (id === here) {
        shown.close();
        return;
      }
      try {
        chosen = await get(`/v1/records/consultations/${id}`);
        shown.close();
      } catch (error) {
        failed(error);
      }
    };
    const del = async (id, title) => {
      const texts = id === here ? [title, "It is the one on the page; it goes from there too."] : [title];
      if (!await records.mayDelete(texts)) return;
      try {
        await remove(`/v1/records/consultations/${id}`);
      } catch (error) {
        failed(error);
        return;
      }
      if (id === here) told.deleted(id);
      await find(0);
      search.focus();
    };
    const deleteAll = async () => {
      if (!await records.mayDeleteAll()) return;
      try {
        await remove("/v1/records");
      } catch (error) {
        failed(error);
        return;
      }
      shown.close();
      told.deletedAll();
    };

    const shown = el("dialog", { class: "wide history", "aria-labelledby": "history-title" },
      el("h2", { id: "history-title", text: "Your records" }),
      el("div", { class: "text" },
        el("div", { class: "finder" },
          el("label", { for: "history-search", text: "Search" }), search,
          el("label", { for: "history-verdict", text: "Verdict" }), verdict),
        count, list, more),
      el("div", { class: "row answers" },
        el("span", { class: "row apart-left" },
          button("Change passphrase", () => records.changePassphrase()),
          button("Delete all", deleteAll, { class: "danger" })),
        button("Close", () => shown.close(), { class: "primary" })));
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => find(0), QUIET_MS);
    });
    verdict.addEventListener("change", () => find(0));
    shown.addEventListener("close", () => {
      clearTimeout(timer);
      shown.remove();
      resolve(chosen);
    });
    document.body.append(shown);
    shown.showModal();
    search.focus();
    find(0);
  });
}
