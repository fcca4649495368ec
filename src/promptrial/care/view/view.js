"use strict";
// Puts what the server says of a run into the page whenever that changes. The server escapes every text.
(() => {
  const RETRY_MS = 5000;
  const place = document.getElementById("live");
  const lost = document.getElementById("lost");
  const address = document.body.dataset.events;
  let source = null;

  /** Replace the blocks that have changed; the others keep their focus and their scroll position. */
  function show(html) {
    const made = document.createElement("template");
    made.innerHTML = html;
    const fresh = [...made.content.children];
    const old = [...place.children];
    fresh.forEach((block, at) => {
      if (at >= old.length) place.append(block);
      else if (old[at].outerHTML !== block.outerHTML) old[at].replaceWith(block);
    });
    old.slice(fresh.length).forEach((block) => block.remove());
    document.body.dataset.seen = String(Number(document.body.dataset.seen || 0) + 1);
  }

  function leave() {
    if (source) source.close();
    source = null;
  }

  function follow() {
    if (source || document.hidden) return; // browsers open few connections to one server: a hidden tab holds none
    source = new EventSource(address);
    source.addEventListener("live", (event) => {
      lost.hidden = true;
      show(JSON.parse(event.data));
    });
    source.addEventListener("error", () => {
      lost.hidden = false;
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      leave();
      setTimeout(follow, RETRY_MS);
    });
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : follow()));
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", follow);
  follow();
})();
