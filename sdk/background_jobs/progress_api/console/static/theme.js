/* Sets the theme before anything is painted; without a choice, the system's holds. */
"use strict";

const THEMES = ["auto", "light", "dark"];

const theme = {
  get() {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto"; // storage can be forbidden
    }
  },
  /** @param {string} name */
  set(name) {
    document.documentElement.dataset.theme = name;
    try {
      localStorage.setItem("theme", name);
    } catch {
      // then it holds for this page only
    }
    dispatchEvent(new Event("themechange"));
  },
  next() {
    theme.set(THEMES[(THEMES.indexOf(theme.get()) + 1) % THEMES.length]);
  },
};

document.documentElement.dataset.theme = theme.get();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
  dispatchEvent(new Event("themechange")),
);
window.theme = theme;
