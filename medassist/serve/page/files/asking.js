// One question on its way: from the stream of the server into the answers.

import { get, post, Refused, remove, stream } from "./api.js";

const OUTCOMES = {
  cut_off: "the server's time for an answer was over",
  failed: "the server could not answer this",
  left: "the connection to the server broke off",
  too_long: "not asked: it does not fit",
};
const BETWEEN_LOOKS_MS = 1000;

export class Asking {
  #leaving = new AbortController();
  #stopped = false;

  /**
   * @param {import("./consultation.js").Consultation} consultation whose last turn is asked
   * @param {{changed: () => void, said: (sentence: string) => void}} shown
   */
  constructor(consultation, shown) {
    this.consultation = consultation;
    this.turn = consultation.lastTurn;
    this.shown = shown;
    this.id = null;
  }

  async run() {
    try {
      await this.#untilLoaded();
      // What leaves this computer was shown to the user first, who decided on it.
      const decided = this.consultation.setup.leaves ? { "Medassist-Identifiers": "keep" } : {};
      const events = stream("/v1/compare", this.consultation.request(), this.#leaving.signal, decided);
      for await (const [name, data] of events) {
        this.#take(name, data);
        this.shown.changed();
      }
      this.#end("the connection to the server broke off");
    } catch (error) {
      if (!(error instanceof Refused) && !this.#leaving.signal.aborted) throw error;
      this.#end(this.#stopped ? "" : error.message);
      if (error instanceof Refused && error.status === 401) throw error;
    } finally {
      this.shown.changed();
    }
  }

  /** Nobody waits for it any more: the server stops by itself. */
  leave() { this.#leaving.abort(); }

  /** Stop what is written, or what one side writes. What there is stays. */
  async stop(side = null) {
    if (this.id === null) {
      this.#stopped = true;
      this.#leaving.abort();
      return;
    }
    const pane = side ? `?pane=${this.consultation.label(side)}` : "";
    try {
      await remove(`/v1/compare/${this.id}${pane}`);
    } catch (error) {
      // It has ended meanwhile: that is what was wanted.
      if (error.status !== 404) this.shown.said(error.message);
    }
  }

  async #untilLoaded() {
    for (;;) {
      const { status } = await health();
      if (status !== "loading") return;
      this.turn.queue = { loading: true };
      this.shown.changed();
      await new Promise((resolve) => { setTimeout(resolve, BETWEEN_LOOKS_MS); });
      if (this.#leaving.signal.aborted) throw new DOMException("stopped", "AbortError");
    }
  }

  #of(label) { return this.turn.last(this.consultation.side(label)); }

  #take(name, data) {
    const { turn, consultation } = this;
    const answer = data.pane ? this.#of(data.pane) : null;
    switch (name) {
      case "red_flags":
        this.id = turn.id = data.id;
        if (consultation.hidden) consultation.drawnBy = data.id;
        turn.flags = data.red_flags ?? [];
        turn.notes = [data.not_checked, data.language_notice].filter(Boolean);
        turn.queue = null;
        break;
      case "queue":
        turn.queue = data;
        break;
      case "reading":
        turn.queue = null;
        answer.state = "reading";
        answer.read = data;
        break;
      case "written":
        turn.queue = null;
        answer.state = "writing";
        if (data.restart) {
          answer.text = "";
          answer.begun = null;
        }
        answer.text += data.text;
        answer.thought += data.thought;
        answer.tokens = data.tokens;
        answer.thoughtTokens = data.thought_tokens;
        this.#drawBeginning(answer);
        break;
      case "answered":
        answer.state = "over";
        answer.text = data.text;
        answer.thought = data.thought ?? "";
        answer.ending = data.stop_reason;
        answer.notices = data.notices;
        answer.figures = data;
        answer.thoughtTokens = data.thought_tokens ?? 0;
        break;
      case "too_long":
        turn.tooLong.push({ side: consultation.side(data.pane), ...data });
        break;
      case "error":
        this.#end(data.error.message);
        break;
      case "done":
        this.#done(data);
        break;
    }
  }

  #done({ outcome, notices, provenance }) {
    for (const [label, said] of Object.entries(notices)) this.#of(label).notices = said;
    for (const side of this.turn.sides.keys()) {
      const answer = this.turn.last(side);
      if (provenance) answer.provenance = provenance[this.consultation.label(side)] ?? null;
      if (answer.over) continue;
      if (outcome === "stopped" || outcome === "answered") {
        answer.state = "over";
        answer.ending = "stopped";
      } else {
        answer.fail(OUTCOMES[outcome] ?? outcome);
      }
    }
  }

  #end(sentence) {
    for (const side of this.turn.sides.keys()) {
      const answer = this.turn.last(side);
      if (sentence) {
        answer.fail(sentence);
      } else if (!answer.over) {
        answer.state = "over";
        answer.ending = "stopped";
      }
    }
    this.turn.queue = null;
  }

  /** Have the paragraphs that are whole drawn while the next one is written. */
  async #drawBeginning(answer) {
    const length = answer.text.lastIndexOf("\n\n");
    if (length <= (answer.begun?.length ?? 0) || answer.isDrawn) return;
    const text = answer.text.slice(0, length);
    answer.isDrawn = true; // one at a time: the models need the processor
    try {
      const { blocks } = await post("/v1/page/blocks", { text });
      if (answer.text.startsWith(text)) answer.begun = { length, blocks };
    } catch { /* it stays as it was written */ } finally {
      answer.isDrawn = false;
    }
    this.shown.changed();
  }
}

/** Have the answers of `turn` that are over read as Markdown, their doses marked, and compared. */
export async function drawAnswers(turn) {
  const answers = [...turn.sides.values()].flatMap((held) => held.answers);
  await Promise.all(answers.map(async (answer) => {
    if (!answer.over || !answer.text.trim() || answer.blocks) return;
    try {
      answer.blocks = (await post("/v1/page/blocks", { text: answer.text })).blocks;
    } catch { /* it stays as it was written */ }
  }));
  if (!turn.answered) return;
  const [a, b] = ["A", "B"].map((side) => turn.shown(side).text);
  try {
    turn.apart = (await post("/v1/page/differences", { a, b })).apart;
  } catch { /* the button asks again */ }
}

/** How the models are: it needs no token. */
export async function health() {
  try {
    return await get("/health");
  } catch (error) {
    if (error.status === 503) {
      const answer = await fetch("/health", { cache: "no-store", credentials: "omit" });
      return answer.json();
    }
    throw error;
  }
}
