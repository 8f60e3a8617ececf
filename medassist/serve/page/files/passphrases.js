// A dialog that asks for a passphrase, and stays until it is right or was left.

import { Refused } from "./api.js";
import { button, el, replace } from "./nodes.js";

let count = 0;

/**
 * @param {{title: string, says: Node[], fields: [string, string][], does: string,
 *   act: (typed: Record<string, string>) => Promise<unknown>, also?: string}} what
 *   `fields` are names and labels; `also` is the label of another way out
 * @returns {Promise<unknown>} what `act` gave; "also"; `null`: it was left
 */
export function passphrases({ title, says, fields, does, act, also }) {
  return new Promise((resolve) => {
    const id = `passphrase-${count += 1}`;
    let value = null;
    let busy = false;
    const inputs = new Map(fields.map(([name]) => [name, el("input", {
      id: `${id}-${name}`, type: "password", required: true, spellcheck: "false", maxlength: 1024,
      autocomplete: name === "old" ? "off" : "new-password", "aria-describedby": `${id}-problem`,
    })]));
    const problem = el("div", { id: `${id}-problem` });
    const submit = el("button", { type: "submit", class: "primary", text: does });

    const say = (sentence) => replace(problem,
      sentence && el("p", { class: "problem", role: "alert", text: sentence }));
    const empty = (...names) => {
      for (const name of names) if (inputs.has(name)) inputs.get(name).value = "";
      [...inputs.values()].find((one) => !one.value)?.focus();
    };
    const leave = (given) => {
      value = given;
      shown.close();
    };
    const tried = async (event) => {
      event.preventDefault();
      if (busy) return;
      const typed = Object.fromEntries([...inputs].map(([name, { value: said }]) => [name, said]));
      if ("again" in typed && typed.again !== typed.new) {
        say("The two are not the same. Type the new passphrase twice.");
        empty("new", "again");
        return;
      }
      busy = submit.disabled = true;
      replace(problem, el("p", { class: "quiet", role: "status", text: "One moment: the passphrase is made into a key." }));
      try {
        const given = await act(typed);
        empty(...inputs.keys());
        leave(given);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        say(error.message);
        empty(...inputs.keys());
      } finally {
        busy = submit.disabled = false;
      }
    };

    const shown = el("dialog", { "aria-labelledby": id },
      el("h2", { id, text: title }),
      el("form", { class: "secret", onsubmit: tried },
        el("div", { class: "text", role: "group", "aria-label": title }, ...says,
          ...fields.map(([name, label]) => el("div", { class: "field" },
            el("label", { for: `${id}-${name}`, text: label }), inputs.get(name))),
          problem),
        el("div", { class: "row answers" },
          also && button(also, () => leave("also"), { class: "apart-left" }),
          button("Not now", () => leave(null)), submit)));
    shown.addEventListener("cancel", (event) => { if (busy) event.preventDefault(); });
    shown.addEventListener("close", () => {
      shown.remove();
      resolve(value);
    });
    document.body.append(shown);
    shown.showModal();
    inputs.get(fields[0][0]).focus();
  });
}
