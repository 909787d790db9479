/** The first view: the user chooses a name. */

import { h, icon } from "./dom.js";
import { complainAboutId } from "./text.js";

/**
 * @param {{user: string, isModerator: boolean, hint: string, enter: (who: {user: string, isModerator: boolean}) => void}} given
 */
export function signIn({ user, isModerator, hint, enter }) {
  const name = h("input", {
    id: "name",
    name: "name",
    value: user,
    placeholder: "alice",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: false,
    maxLength: 64,
    "aria-describedby": "name-hint name-error",
    oninput: () => complain(""),
  });
  const error = h("p", { id: "name-error", class: "error", role: "alert" });
  const moderator = h("input", { type: "checkbox", id: "moderator", checked: isModerator });
  const complain = (/** @type {string} */ text) => {
    error.textContent = text;
    name.setAttribute("aria-invalid", String(text !== ""));
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const wanted = name.value.trim();
    const complaint = complainAboutId(wanted);
    if (complaint === "") return enter({ user: wanted, isModerator: moderator.checked });
    complain(complaint);
    name.focus();
  };
  const view = h(
    "main",
    { class: "sign-in" },
    h(
      "div",
      { class: "sign-in-card" },
      h("div", { class: "wordmark" }, icon("logo"), h("h1", {}, "Hubbub")),
      h(
        "p",
        { class: "lead" },
        "Rooms and direct messages, and nothing gets lost. Open this page in a second window with another name, and talk to yourself.",
      ),
      h(
        "form",
        { noValidate: true, onsubmit: submit },
        h("label", { for: "name" }, "Your name"),
        name,
        h("p", { id: "name-hint", class: "hint" }, "Letters, digits and . _ : -"),
        error,
        h("label", { class: "check", for: "moderator" }, moderator, h("span", {}, "I am a moderator ", h("small", {}, "and may delete messages"))),
        h("button", { class: "primary", type: "submit" }, "Start talking"),
      ),
      hint && h("p", { class: "error", role: "alert" }, hint),
    ),
  );
  return { view, focus: () => name.focus() };
}
