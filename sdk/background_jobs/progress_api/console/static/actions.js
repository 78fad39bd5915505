/** The question before an action that changes an orchestration, and cancelling; rerun.js has the other. */

import { path, post } from "./api.js";
import { h, setText } from "./dom.js";
import { plural } from "./format.js";

/**
 * Ask for a reason and cancel; *onCancelled* is called with the API's answer.
 * @param {string} id
 * @param {number} inProgress
 * @param {(answer: string) => void} onCancelled
 */
export function cancel(id, inProgress, onCancelled) {
  const reason = h("input", {
    id: "reason",
    name: "reason",
    maxlength: 1000,
    autocomplete: "off",
    placeholder: "Wrong month, say",
  });
  ask({
    title: "Cancel this orchestration?",
    text:
      `${plural(inProgress, "instance")} without an outcome will be Errored as Cancelled, and what runs is ` +
      "stopped. This cannot be taken back.",
    field: h("div", { class: "field" }, h("label", { for: "reason" }, "Reason (optional)"), reason),
    no: "Keep it running",
    yes: "Cancel it",
    isGrave: true,
    act: async () => onCancelled((await post(`${path(id)}/cancel`, { reason: reason.value })).found),
  });
}

/** @param {{ title: string, text: string, field?: HTMLElement, no: string, yes: string, isGrave?: boolean, isWide?: boolean, act: () => Promise<void> }} question */
export function ask({ title, text, field, no, yes, isGrave, isWide, act }) {
  const refusal = h("p", { class: "refusal", role: "alert" });
  const confirm = h("button", { type: "submit", class: isGrave ? "grave" : "primary" }, yes);
  /** @type {HTMLDialogElement} */
  const dialog = h(
    "dialog",
    {
      class: isWide ? "question wide" : "question",
      "aria-labelledby": "question",
      onclose: () => dialog.remove(),
    },
    h(
      "form",
      { onsubmit: submit, oninput: () => setText(refusal, "") },
      h("h2", { id: "question" }, title),
      h("p", {}, text),
      field,
      refusal,
      h(
        "div",
        { class: "buttons" },
        h("button", { type: "button", onclick: () => dialog.close() }, no),
        confirm,
      ),
    ),
  );

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    confirm.disabled = true;
    try {
      await act();
      dialog.close();
    } catch (error) {
      setText(refusal, error instanceof Error ? error.message : String(error));
      confirm.disabled = false;
    }
  }

  // Going to another page closes the question.
  addEventListener("hashchange", () => dialog.close(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
}
