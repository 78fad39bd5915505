/** What changes an orchestration, each after a question: cancel, and rerun. */

import { path, post } from "./api.js";
import { h, say } from "./dom.js";
import { plural } from "./format.js";

/** Ask for a reason and cancel; *told* is called with what the API found. */
export function cancel(id, inProgress, told) {
  const reason = h("input", {
    id: "reason",
    name: "reason",
    maxlength: 1000,
    autocomplete: "off",
    placeholder: "Wrong month, say",
  });
  ask({
    title: "Cancel this orchestration?",
    says:
      `${plural(inProgress, "instance")} without an outcome will be Errored as Cancelled, and what runs is ` +
      "stopped. This cannot be taken back.",
    field: h("div", { class: "field" }, h("label", { for: "reason" }, "Reason (optional)"), reason),
    no: "Keep it running",
    yes: "Cancel it",
    isGrave: true,
    act: async () => told((await post(`${path(id)}/cancel`, { reason: reason.value })).found),
  });
}

/** Ask, run failures or all instances again, and go to the new orchestration. */
export function rerun(id, only, instances) {
  ask({
    title:
      only === "failed"
        ? `Run ${plural(instances, "failed instance")} again?`
        : `Run all ${plural(instances, "instance")} again?`,
    says: "A new orchestration starts with their params, and names this one as its parent.",
    no: "Leave it",
    yes: "Run again",
    act: async () => {
      const started = await post(`${path(id)}/rerun`, { only });
      location.hash = `#/orchestrations/${started.orchestration_id}`;
    },
  });
}

function ask({ title, says, field, no, yes, isGrave, act }) {
  const refusal = h("p", { class: "refusal", role: "alert" });
  const confirm = h("button", { type: "submit", class: isGrave ? "grave" : "primary" }, yes);
  const dialog = h(
    "dialog",
    { class: "question", "aria-labelledby": "question", onclose: () => dialog.remove() },
    h(
      "form",
      { onsubmit: submit },
      h("h2", { id: "question" }, title),
      h("p", {}, says),
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

  async function submit(event) {
    event.preventDefault();
    confirm.disabled = true;
    try {
      await act();
      dialog.close();
    } catch (error) {
      say(refusal, error.message);
      confirm.disabled = false;
    }
  }

  // Whoever goes back or elsewhere has answered.
  addEventListener("hashchange", () => dialog.close(), { once: true });
  document.body.append(dialog);
  dialog.showModal();
}
