"use strict";
// Keys for the page on which answers are labelled: each presses a button or follows a link that the page has.
(() => {
  const LINKS = { j: "a[rel=next]", k: "a[rel=prev]" };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.target instanceof HTMLInputElement) return; // what is typed there is a label
    const buttons = [...document.querySelectorAll("button[data-key]")];
    const pressed =
      buttons.find((button) => button.dataset.key === event.key) ||
      (event.key in LINKS && document.querySelector(LINKS[event.key]));
    if (!pressed || (event.key === "Enter" && event.target !== document.body)) return;
    event.preventDefault();
    pressed.click();
  });
})();
