// The turns as they stand on the page, brought up to date while answers are written.

import { built, button, el, replace } from "./nodes.js";
import { words } from "./words.js";

const MOST_WARNINGS = 4;
/** A sentence with `{name}` replaced by what `values` has of that name. */
const filled = (sentence, values) => sentence.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const plural = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

/** The name of the model that wrote a kept answer; empty: it was not kept. */
function writtenBy({ provenance }) {
  const { model = "", adapter } = provenance ?? {};
  return adapter && !model.includes(adapter) ? `${model} + ${adapter.replace(/\.gguf$/, "")}` : model;
}

export class TurnView {
  /**
   * @param {import("./consultation.js").Turn} turn
   * @param {number} number from 1
   * @param {object} does what its buttons do
   */
  constructor(turn, number, consultation, does) {
    this.turn = turn;
    this.consultation = consultation;
    this.does = does;
    this.flags = el("div", { class: "flags" });
    this.trouble = el("div", { class: "trouble" });
    this.panes = new Map([...turn.sides.keys()].map((side) => [
      side, new PaneView(turn, number, side, consultation, does),
    ]));
    this.foot = el("footer");
    const id = `question-${number}`;
    this.element = el("article", { class: "turn", "aria-labelledby": id },
      el("h2", { id, text: `Question ${number}` }),
      el("div", { class: "question", dir: "auto", text: turn.question }),
      this.flags, this.trouble,
      el("div", { class: `panes of-${this.panes.size}` },
        ...[...this.panes.values()].map((pane) => pane.element)),
      this.foot);
    this.reasons = new Set();
    this.choice = null;
    this.drawn = {};
  }

  /** Draw `part` anew where `now`, what it depends on, has changed. */
  #where(part, now, draw) {
    const key = JSON.stringify(now);
    if (this.drawn[part] === key) return;
    this.drawn[part] = key;
    draw();
  }

  update() {
    const { turn, consultation } = this;
    const isLast = consultation.lastTurn === turn;
    this.#where("flags", [turn.flags, turn.notes, turn.flagsRead], () => this.#drawFlags());
    this.#where("trouble", [turn.tooLong, turn.queue, turn.over, isLast, turn.leftOut,
      [...turn.sides.values()].map(({ answers }) => [answers.length, answers.at(-1)?.failure])], () => this.#drawTrouble(isLast));
    for (const pane of this.panes.values()) pane.update();
    this.#where("foot", [turn.over, turn.answered, turn.verdicts, turn.apart ?? [], isLast,
      consultation.hidden, consultation.over, this.choice, [...this.reasons]],
    () => this.#drawFoot(isLast));
  }

  #drawFlags() {
    const { turn } = this;
    const notes = turn.notes.map((text) => el("p", { class: "note", text }));
    if (!turn.flags.length) {
      replace(this.flags, ...notes);
      return;
    }
    if (turn.flagsRead) {
      const titles = turn.flags.map(({ title }) => title).join("; ");
      replace(this.flags, ...notes, el("details", { class: "flag read" },
        el("summary", {}, el("b", { text: words.RED_FLAG }), ` ${titles} ${words.MARKED_AS_READ}`),
        ...turn.flags.map((flag) => this.#flag(flag))));
      return;
    }
    replace(this.flags, ...notes, el("section", { class: "flag", role: "alert", "aria-label": words.RED_FLAGS },
      ...turn.flags.map((flag) => this.#flag(flag)),
      el("div", { class: "row" },
        el("p", { class: "quiet", text: words.ABOUT_FLAGS }),
        button(words.MARK_AS_READ, () => {
          turn.flagsRead = true;
          this.does.read();
        }))));
  }

  #flag(flag) {
    // Of a flag that was kept, the words that raised it are not known any more.
    const why = flag.words
      ? `${filled(words.RAISED_BY, { words: flag.words.map((word) => `“${word}”`).join(", ") })}. ${filled(words.RULE, flag)}`
      : `Rule ${flag.id}. Source: ${flag.source}`;
    return el("div", { class: "one-flag" },
      el("p", {}, el("strong", { class: "sign", text: words.RED_FLAG }), " ",
        el("strong", { text: flag.title })),
      el("p", { text: flag.text }),
      el("details", {}, el("summary", { text: "Why this is shown" }),
        el("p", { class: "quiet", text: why })));
  }

  #drawTrouble(isLast) {
    const { turn, does } = this;
    const said = [];
    if (turn.queue?.loading) said.push(el("p", { class: "note", text: "The models are being loaded; then this is asked." }));
    else if (turn.queue) {
      const { position, eta_s: seconds } = turn.queue;
      said.push(el("p", { class: "note",
        text: `${plural(position, "question")} before yours, about ${Math.ceil(seconds)} s.` }));
    }
    if (turn.leftOut) said.push(el("p", { class: "note", text: words.LEFT_OUT }));
    for (const { side, tokens, fits } of turn.tooLong) {
      const excess = filled(words.DOES_NOT_FIT, {
        letter: side, tokens: tokens.toLocaleString("en"), fits: fits.toLocaleString("en"),
      });
      said.push(el("p", { class: "problem", text: `${excess} Nothing was run and nothing was cut.` }));
    }
    if (turn.failed && isLast) {
      const sentence = turn.tooLong.length ? "" : turn.last([...turn.sides.keys()][0]).failure;
      if (sentence) said.push(el("p", { class: "problem", text: sentence }));
      said.push(el("div", { class: "row" },
        turn.tooLong.length && this.consultation.turns.some((one) => one !== turn && !one.leftOut)
          ? button("Leave out the oldest turn and ask again", () => does.leaveOut())
          : false,
        !turn.tooLong.length && button("Try again", () => does.again()),
        button([...turn.sides.values()][0].answers.length > 1 ? "Back to the answers before"
          : "Take the question back", () => does.takeBack())));
    }
    replace(this.trouble, ...said);
  }

  #drawFoot(isLast) {
    const { turn, does, consultation } = this;
    if (!turn.over) {
      replace(this.foot);
      return;
    }
    const tools = [];
    if (turn.answered) {
      const apart = turn.apart?.length ? `≠ ${turn.apart.join(", ")}` : "";
      tools.push(button(words.DIFFERENCES, () => does.differences(turn), { class: "tool" }));
      if (apart) tools.push(el("span", { class: "apart", text: apart }));
    }
    if (isLast && consultation.over && !turn.failed) {
      tools.push(button("Ask again", () => does.again(),
        { class: "tool", title: "Both answer the same question anew; these answers are kept" }));
    }
    replace(this.foot, tools.length > 0 && el("div", { class: "row tools" }, ...tools), this.#verdict());
  }

  #verdict() {
    const { turn, consultation } = this;
    const given = turn.verdicts.at(-1);
    if (!turn.answered) return null;
    const said = given && el("p", { class: "given", role: "note" },
      el("b", { text: "Verdict: " }), this.#inWords(given));
    if (given?.blind) return el("div", { class: "verdict" }, said);
    const choose = (choice) => {
      this.choice = this.choice === choice ? null : choice;
      this.update();
      this.foot.querySelector(`[data-choice="${choice}"]`)?.focus();
    };
    const choices = words.CHOICES.map(([choice, label]) => button(label, () => choose(choice), {
      "data-choice": choice, "aria-pressed": this.choice === choice, class: "choice-button",
    }));
    const reasons = words.REASONS.map((reason) => button(reason, () => {
      if (!this.reasons.delete(reason)) this.reasons.add(reason);
      this.update();
      this.foot.querySelector(`[data-reason="${reason}"]`)?.focus();
    }, { "data-reason": reason, "aria-pressed": this.reasons.has(reason), class: "chip-button" }));
    return el("div", { class: "verdict", role: "group", "aria-label": words.WHICH_IS_BETTER }, said,
      el("p", { class: "ask", text: given ? "Another verdict takes its place:" : words.WHICH_IS_BETTER }),
      el("div", { class: "row choices" }, ...choices),
      this.choice && el("div", { class: "row reasons" },
        el("span", { class: "quiet", text: words.WHY }), ...reasons,
        button(consultation.hidden ? "Give it, and show the names" : "Give it", () => {
          const verdict = { choice: this.choice, reasons: [...this.reasons] };
          this.choice = null;
          this.reasons.clear();
          this.does.judge(turn, verdict);
        }, { class: "primary" })));
  }

  #inWords({ choice, blind, reasons }) {
    const [, label] = words.CHOICES.find(([one]) => one === choice);
    const model = "AB".includes(choice) && !this.consultation.hidden
      ? ` (${this.consultation.label(choice)} model)` : "";
    const why = reasons.length ? `; for ${reasons.join(", ")}` : "";
    const how = blind ? ", given while names were hidden" : ", names known";
    return `${label}${model}${how}${why}`;
  }
}

class PaneView {
  constructor(turn, number, side, consultation, does) {
    Object.assign(this, { turn, side, consultation, does });
    const id = `pane-${number}-${side}`;
    this.title = el("h3", { id });
    this.status = el("span", { class: "state" });
    this.stop = button("Stop", () => does.stop(side), { class: "small", hidden: true, "aria-label": `Stop ${side}` });
    this.thought = el("details", { class: "thought", hidden: true });
    this.read = el("div", { class: "drawn", dir: "auto" });
    this.rest = el("div", { class: "as-written", dir: "auto" });
    this.body = el("div", { class: "answer" }, this.read, this.rest);
    this.review = el("div", { class: "review" });
    this.foot = el("div", { class: "pane-foot" });
    this.element = el("section", { class: "pane", "data-side": side, "aria-labelledby": id },
      el("header", {}, this.title, el("div", { class: "row" }, this.status, this.stop)),
      this.thought, this.body, this.review, this.foot);
    this.drawn = {};
  }

  #where(part, now, draw) {
    const key = JSON.stringify(now);
    if (this.drawn[part] === key) return;
    this.drawn[part] = key;
    draw();
  }

  update() {
    const { turn, side, consultation } = this;
    const answer = turn.shown(side);
    const held = turn.sides.get(side);
    const { hidden } = consultation;
    const model = hidden ? null : consultation.model(side);
    const pane = hidden ? "" : consultation.label(side);
    const name = (turn.wasKept && !hidden && writtenBy(answer)) || model?.name;
    this.element.dataset.pane = pane;
    this.element.setAttribute("aria-busy", String(!answer.over));
    this.#where("title", [hidden, pane, name], () => replace(this.title,
      el("span", { class: "letter", text: side }),
      el("span", { class: "role", text: hidden ? words.NAME_HIDDEN : pane }),
      name && el("span", { class: "model", text: name, title: name })));
    this.status.textContent = this.#state(answer);
    this.status.classList.toggle("works", !answer.over);
    this.stop.hidden = answer.over || turn.sides.size < 2 || turn.id === null;
    this.#drawThought(answer);
    const blocks = answer.blocks ?? answer.begun?.blocks ?? null;
    if (this.blocks !== blocks) {
      this.blocks = blocks;
      replace(this.read, ...built(blocks ?? []));
    }
    const rest = answer.blocks ? "" : answer.text.slice(answer.begun?.length ?? 0).trimStart();
    if (this.rest.textContent !== rest) this.rest.textContent = rest;
    this.body.classList.toggle("empty", !answer.text && !answer.over);
    this.#where("review", [answer.over, answer.notices], () => this.#drawReview(answer));
    this.#where("foot", [answer.over, answer.ending, answer.failure, held.shown,
      held.answers.length, hidden, turn.over], () => this.#drawFoot(answer, held, hidden));
  }

  #state(answer) {
    const { hidden } = this.consultation;
    if (hidden) return answer.over ? "" : "being answered";
    switch (answer.state) {
      case "waiting": return "waits";
      case "reading": {
        const { done, total } = answer.read;
        return total ? `reading ${Math.floor((100 * done) / total)} %` : "reading";
      }
      case "writing":
        return answer.text ? `writing, ${plural(answer.tokens, "token")}` : "thinking";
      default:
        if (answer.failure) return words.NOT_WHOLE;
        return answer.ending === "end" ? words.WHOLE : words.NOT_WHOLE;
    }
  }

  #drawThought(answer) {
    const has = answer.thought.trim() !== "" && !this.consultation.hidden;
    this.thought.hidden = !has;
    if (!has) return;
    this.#where("thought", [answer.thought, answer.text === "", answer.over], () => {
      const tokens = plural(answer.thoughtTokens, "token");
      const { open } = this.thought;
      replace(this.thought,
        el("summary", { text: answer.text || answer.over ? `thought for ${tokens}` : `thinking, ${tokens}` }),
        el("div", { class: "as-written", text: answer.thought.trim() }));
      this.thought.open = open;
    });
  }

  #drawReview(answer) {
    if (!answer.over || !answer.notices.length) {
      replace(this.review);
      return;
    }
    // What is said last is always of the sources.
    const warnings = answer.notices.slice(0, -1);
    const line = (text) => el("li", {}, el("b", { text: words.CHECK }), text);
    const more = warnings.slice(MOST_WARNINGS);
    replace(this.review,
      warnings.length > 0 && el("ul", { class: "warnings", "aria-label": "To check" },
        ...warnings.slice(0, MOST_WARNINGS).map(line)),
      more.length > 0 && el("details", {},
        el("summary", { text: `and ${plural(more.length, "more warning")}` }),
        el("ul", { class: "warnings" }, ...more.map(line))),
      el("p", { class: "sources", text: answer.notices.at(-1) }));
  }

  #drawFoot(answer, held, hidden) {
    const said = [];
    if (answer.failure) {
      // Said once above the panes, where both have failed of the same.
      if (!this.turn.failed || answer !== this.turn.last(this.side)) said.push(answer.failure);
    } else if (answer.over && answer.ending === "stopped") {
      said.push(answer.text ? words.STOPPED : words.STOPPED_EARLY);
    } else if (answer.over && answer.ending === "length") {
      said.push(hidden ? "… cut off at its limit"
        : `… cut off at ${plural(answer.figures.tokens_written - answer.thoughtTokens, "token")}`);
    } else if (answer.over && !answer.text.trim()) {
      said.push(answer.thought.trim() && !hidden ? words.ENDED_THINKING : words.ENDED_SILENT);
    }
    const { tok_per_s: speed, ttft_s: first } = answer.figures;
    if (!hidden && answer.over) {
      if (speed) said.push(`${speed.toFixed(1)} tok/s`);
      if (first !== null && first !== undefined) said.push(`TTFT ${first.toFixed(2)} s`);
    }
    const inside = [el("span", { class: "quiet", text: said.join(" · ") })];
    if (held.answers.length > 1 && this.turn.over) {
      const turnTo = (place) => {
        held.shown = (place + held.answers.length) % held.answers.length;
        this.does.shownChanged(this.turn);
      };
      inside.push(el("span", { class: "which" },
        button("‹", () => turnTo(held.shown - 1), { class: "small", "aria-label": `Earlier answer of ${this.side}` }),
        el("span", { text: `answer ${held.shown + 1} of ${held.answers.length}` }),
        button("›", () => turnTo(held.shown + 1), { class: "small", "aria-label": `Later answer of ${this.side}` })));
    }
    if (answer.over && answer.text.trim()) {
      inside.push(button("Copy", () => this.does.copy(answer.text), { class: "small", "aria-label": `Copy the answer of ${this.side}` }));
    }
    replace(this.foot, ...inside);
  }
}
