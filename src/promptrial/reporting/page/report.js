"use strict";
// The items of a report: a list that shows only what is on the screen, filters, search, and one item with its answers.
(() => {
  const ROW = 44;
  const MOST_WORDS = 600;
  const $ = (id) => document.getElementById(id);
  const CLEAR = { outcome: "", query: "", measure: "" };
  const state = { items: [], shown: [], trial: 0, contrast: 0, sort: "order", at: -1, ...CLEAR };
  const sources = [...document.querySelectorAll("script[data-packed]")];
  const loaded = [];
  let data;

  // Items of a trial are unpacked when they are first asked for.
  async function load(source) {
    const letters = atob(source.textContent.trim());
    const packed = new Uint8Array(letters.length);
    for (let at = 0; at < letters.length; at++) packed[at] = letters.charCodeAt(at);
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const value = JSON.parse(await new Response(stream).text());
    value.passages = value.items.flatMap((item) => (item.w === undefined ? [] : [item.w])); // each stands where it came first
    return value;
  }

  // --- what is shown ---------------------------------------------------------------------------------------------

  const text = (item) => {
    if (item.text === undefined) {
      const answers = item.a.flat().map((answer) => answer[0] || answer[1] || "");
      item.text = [item.i, item.q, ...item.g, ...answers].join("\n").toLowerCase();
    }
    return item.text;
  };

  // Texts for the search are put together while nothing else is to be done.
  function index(items, from = 0) {
    const rest = (deadline) => {
      let at = from;
      while (at < items.length && deadline.timeRemaining() > 1) text(items[at++]);
      if (at < items.length) index(items, at);
    };
    if (window.requestIdleCallback) window.requestIdleCallback(rest);
  }

  const outcome = (item) => data.outcomes[item.o[state.contrast]] || "";

  // What else can be asked of an item, beside what became of it.
  const marks = {
    abstained: (item) => (item.s[data.abstention] || []).some((score) => score > 0),
    truncated: (item) => item.a.some((answers) => answers.some((answer) => answer[2] === "length")),
  };

  const passes = (item) => {
    const mark = marks[state.outcome];
    if (mark ? !mark(item) : state.outcome && outcome(item) !== state.outcome) return false;
    if (state.measure) {
      const [name, side, bound] = state.measure;
      const scores = item.s[name] || [];
      if (!scores.some((score) => score !== null && (side === "above" ? score > bound : score < bound))) return false;
    }
    return !state.query || text(item).includes(state.query);
  };

  // How much better the score of the treatment is than that of the control.
  const change = (item) => {
    const scores = item.s[data.judge];
    const [control, treatment] = data.contrasts[state.contrast] || [0, 1];
    const raised = scores && scores[control] !== null && scores[treatment] !== null ? scores[treatment] - scores[control] : 0;
    return data.lower ? -raised : raised;
  };

  const orders = {
    order: (a, b) => a.n - b.n,
    worst: (a, b) => change(a) - change(b) || a.n - b.n,
    best: (a, b) => change(b) - change(a) || a.n - b.n,
    longest: (a, b) => length(b) - length(a) || a.n - b.n,
  };
  const length = (item) => Math.max(0, ...item.a.flat().map((answer) => (answer[0] || "").length));

  function refresh(keep) {
    const current = state.shown[state.at];
    state.shown = state.items.filter(passes);
    if (state.sort !== "order") state.shown.sort(orders[state.sort]);
    $("found").textContent = `${state.shown.length.toLocaleString("en")} of ${state.items.length.toLocaleString("en")} items`;
    $("rows").style.height = `${state.shown.length * ROW}px`;
    for (const chip of document.querySelectorAll("#outcomes button"))
      chip.setAttribute("aria-pressed", String(chip.value === state.outcome));
    const at = keep && current ? state.shown.indexOf(current) : 0;
    select(Math.max(0, at), false);
    draw();
  }

  function draw() {
    const list = $("list"), rows = $("rows");
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
    const last = Math.min(state.shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 4);
    rows.replaceChildren(...state.shown.slice(first, last).map((item, place) => row(item, first + place)));
  }

  function row(item, at) {
    const button = element("button", { type: "button" });
    button.style.top = `${at * ROW}px`;
    if (at === state.at) button.setAttribute("aria-current", "true");
    const what = data.marks[outcome(item)] || "";
    button.append(
      element("span", { className: "id" }, `${what} ${item.n} \u00B7 ${item.i}${data.temps.length > 1 ? ` at ${item.t}` : ""}`),
      element("span", {}, item.q),
    );
    button.addEventListener("click", () => select(at, true));
    return button;
  }

  function element(name, properties, content) {
    const made = Object.assign(document.createElement(name), properties);
    if (content !== undefined) made.append(...[content].flat());
    return made;
  }

  // --- one item --------------------------------------------------------------------------------------------------

  function select(at, focus) {
    state.at = state.shown.length > 0 ? Math.min(at, state.shown.length - 1) : -1;
    const place = $("item");
    if (state.at < 0) {
      place.replaceChildren(element("p", {}, "No item passes these filters. Press Esc to show all of them."));
      return remember();
    }
    const item = state.shown[state.at];
    place.replaceChildren(...described(item));
    const list = $("list"), top = state.at * ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
    draw();
    if (focus) {
      place.focus({ preventScroll: true });
      place.scrollIntoView({ block: "nearest" });
    }
    remember();
  }

  function* described(item) {
    yield element("h3", {}, `${item.i}`);
    const facts = [data.words[outcome(item)], `item ${item.n}`, `data set ${item.d}`];
    if (data.temps.length > 1) facts.push(`temperature ${item.t}`);
    yield element("p", { className: "small" }, facts.filter(Boolean).join(" \u00B7 "));
    for (const turn of item.m || []) yield element("p", { className: "small" }, `${turn[0]}: ${turn[1]}`);
    yield element("p", {}, element("b", {}, item.q));
    if (item.c && item.c.length > 0) yield element("ol", { type: "A" }, item.c.map((choice) => element("li", {}, choice)));
    if (item.p >= 0) yield passage(data.passages[item.p], item);
    yield element("p", {}, [element("b", {}, "Gold: "), item.g.length > 0 ? item.g.join(" | ") : item.u ? data.noanswer : data.nogold]);
    const base = (data.contrasts[state.contrast] || [0])[0];
    const control = first(item.a[base]);
    yield element("div", { className: "arms" }, item.a.map((answers, arm) => column(item, arm, answers, arm === base ? null : control)));
  }

  const first = (answers) => (answers.length === 1 ? answers[0][0] : null);

  function passage(words, item) {
    const box = element("div", { className: "passage", tabIndex: 0 });
    const low = words.toLowerCase();
    const gold = item.g.find((each) => each && low.includes(each.toLowerCase()));
    if (gold) {
      const at = low.indexOf(gold.toLowerCase());
      box.append(words.slice(0, at), element("mark", {}, words.slice(at, at + gold.length)), words.slice(at + gold.length));
    } else box.append(words);
    if (words.length < 400) return box;
    return element("details", { open: Boolean(gold) && words.length < 2000 }, [element("summary", {}, "Passage"), box]);
  }

  function column(item, arm, answers, control) {
    const file = data.files[data.arms[arm]];
    const box = element("section", { className: "arm" }, element("h4", {}, file ? `${data.arms[arm]} (${file})` : data.arms[arm]));
    if (answers.length === 0) box.append(element("p", { className: "small" }, "No answer was received."));
    for (const [answer, error, finish, sent, written, reasoning] of answers) {
      const shown = element("div", { className: "answer", tabIndex: 0 });
      if (answer === null) shown.append(element("span", { className: "bad" }, error || "no text"));
      else if (control !== null && answers.length === 1) shown.append(...compared(control, answer));
      else shown.append(answer);
      box.append(shown);
      const tokens = written === null ? "" : `${sent === null ? "" : `${sent} tokens in, `}${written} out`;
      const ended = finish === "length" ? "cut off at the token limit" : finish && finish !== "stop" ? `ended by ${finish}` : "";
      const facts = [tokens, ended].filter(Boolean).join(" \u00B7 ");
      if (facts) box.append(element("p", { className: "small" }, facts));
      if (reasoning) box.append(element("details", {}, [element("summary", {}, "Reasoning"), element("pre", {}, reasoning)]));
    }
    const scores = Object.entries(item.s).map(([name, of]) => [name, of[arm]]).filter(([, score]) => score !== null);
    const said = scores.map(([name, score]) => `${data.scorers[name]} ${number(score)}`);
    if (said.length > 0) box.append(element("p", { className: "scores small" }, said.join(" \u00B7 ")));
    // [judges
    for (const [at, answer] of answers.entries())
      for (const [name, verdict, reason] of answer[6] || []) {
        const of = answers.length > 1 ? `Answer ${at + 1}, reason` : "Reason";
        box.append(element("details", {}, [element("summary", {}, `${of} for ${data.scorers[name]} ${verdict}`), element("pre", {}, reason)]));
      }
    // judges]
    return box;
  }

  const number = (value) => String(Math.round(value * 1000) / 1000);

  // The words that an answer has and the control has not, and the reverse: the longest common subsequence of words.
  function compared(before, after) {
    const a = before.split(/(\s+)/u), b = after.split(/(\s+)/u);
    if (a.length > MOST_WORDS || b.length > MOST_WORDS) return [after];
    const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        table[i][j] = a[i] === b[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    const parts = [];
    const put = (kind, word) => {
      const last = parts.at(-1);
      if (last && last.kind === kind) last.words += word;
      else parts.push({ kind, words: word });
    };
    let i = 0, j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) { put("", a[i]); i++; j++; }
      else if (j >= b.length || (i < a.length && table[i + 1][j] >= table[i][j + 1])) put("del", a[i++]);
      else put("ins", b[j++]);
    }
    return parts.map((part) => (part.kind ? element(part.kind, {}, part.words) : part.words));
  }

  // --- filters, keys, address -------------------------------------------------------------------------------------

  const ADDRESS = ["trial", "contrast", "outcome", "query", "measure", "sort", "item"];
  let remembers = false; // until a reader chose something, the address stays as it is

  function remember() {
    if (!remembers) return;
    $("wrong").textContent = "";
    const item = state.shown[state.at];
    const said = {
      trial: state.trial ? state.trial + 1 : "", contrast: state.contrast ? state.contrast + 1 : "", outcome: state.outcome,
      query: state.query, measure: state.measure && state.measure.join(" "), sort: state.sort === "order" ? "" : state.sort,
      item: item ? item.n : "",
    };
    const place = new URLSearchParams(ADDRESS.filter((key) => said[key] !== "").map((key) => [key, said[key]]));
    try { history.replaceState(null, "", `#${place}`); } catch { /* a browser that allows few changes: links lag behind */ }
  }

  const MOST_SHOWN = 40; // letters of what an address asks for and the page does not have

  async function recall() {
    const said = new URLSearchParams(location.hash.slice(1));
    if (!ADDRESS.some((key) => said.has(key))) return false;
    const wrong = [];
    const asked = (key, words, known, otherwise) => {
      const value = said.get(key) || "";
      if (value === "" || known(value)) return value || otherwise;
      wrong.push(`${words} ${value.slice(0, MOST_SHOWN)}`);
      return otherwise;
    };
    const place = (key, n) => asked(key, `no ${key}`, (value) => /^\d+$/u.test(value) && value > 0 && value <= n, "1") - 1;
    await open(place("trial", sources.length));
    state.outcome = asked("outcome", "unknown filter", (value) => Object.hasOwn(data.words, value), "");
    state.query = (said.get("query") || "").toLowerCase();
    state.sort = asked("sort", "unknown order", (value) => Object.hasOwn(orders, value), "order");
    state.contrast = place("contrast", data.contrasts.length);
    const isBound = (value) => {
      const [name, side, bound] = value.split(" ");
      return Object.hasOwn(data.scorers, name) && ["above", "below"].includes(side) && Number.isFinite(Number.parseFloat(bound));
    };
    const [name, side, bound] = asked("measure", "unknown score", isBound, "").split(" ");
    state.measure = name ? [name, side, Number.parseFloat(bound)] : "";
    $("query").value = said.get("query") || "";
    $("sort").value = state.sort;
    $("contrast").value = state.contrast;
    $("measure").value = state.measure ? `${name} ${side}` : "";
    if (state.measure) $("bound").value = bound;
    counts();
    refresh(false);
    const numbered = (item) => String(item.n) === said.get("item");
    const at = state.shown.findIndex(numbered);
    if (at >= 0) select(at, false);
    else if (said.get("item")) asked("item", state.items.some(numbered) ? "these filters hide item" : "no item", () => false, "");
    $("wrong").textContent = wrong.length > 0 ? `This link does not match this page: ${wrong.join("; ")}.` : "";
    $("browser").scrollIntoView({ block: "start" });
    return true;
  }

  const next = (what, step) => {
    for (let at = state.at + step; at >= 0 && at < state.shown.length; at += step)
      if (outcome(state.shown[at]) === what) return select(at, true);
  };

  const keys = {
    j: () => select(state.at + 1, true),
    k: () => select(Math.max(0, state.at - 1), true),
    f: () => next("fixed", 1),
    b: () => next("broken", 1),
    "/": () => $("query").focus(),
    "?": () => $("help").showModal(),
    Escape: () => {
      Object.assign(state, CLEAR);
      $("query").value = "";
      $("measure").value = "";
      refresh(true);
    },
  };

  function listen() {
    $("list").addEventListener("scroll", draw, { passive: true });
    window.addEventListener("resize", draw);
    window.addEventListener("hashchange", recall);
    const chosen = () => { remembers = true; };
    for (const kind of ["click", "input", "change", "keydown"]) $("browser").addEventListener(kind, chosen, { capture: true });
    $("trial").addEventListener("change", async (event) => {
      await open(Number(event.target.value));
      Object.assign(state, { contrast: 0 });
      counts();
      refresh(false);
    });
    $("outcomes").addEventListener("click", (event) => {
      const chip = event.target.closest("button");
      if (chip) { state.outcome = state.outcome === chip.value ? "" : chip.value; refresh(true); }
    });
    $("query").addEventListener("input", (event) => { state.query = event.target.value.toLowerCase(); refresh(true); });
    $("sort").addEventListener("change", (event) => { state.sort = event.target.value; refresh(true); });
    $("contrast").addEventListener("change", (event) => { state.contrast = Number(event.target.value); counts(); refresh(true); });
    $("measure").addEventListener("change", measured);
    $("bound").addEventListener("input", measured);
    document.addEventListener("keydown", (event) => {
      const typing = event.target.matches("input, select, textarea");
      if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape") || $("help").open) return;
      if (Object.hasOwn(keys, event.key)) { remembers = true; event.preventDefault(); if (typing) event.target.blur(); keys[event.key](); }
    });
    $("close").addEventListener("click", () => $("help").close());
    $("keys").addEventListener("click", () => $("help").showModal());
  }

  function measured() {
    const [name, side] = $("measure").value.split(" ");
    const bound = Number.parseFloat($("bound").value);
    state.measure = name && Number.isFinite(bound) ? [name, side, bound] : "";
    refresh(true);
  }

  function counts() {
    const found = {};
    for (const item of state.items) {
      const what = outcome(item);
      found[what] = (found[what] || 0) + 1;
      for (const [name, mark] of Object.entries(marks)) if (mark(item)) found[name] = (found[name] || 0) + 1;
    }
    found[""] = state.items.length;
    for (const chip of document.querySelectorAll("#outcomes button")) {
      const n = found[chip.value] || 0;
      chip.textContent = `${data.words[chip.value]} ${n.toLocaleString("en")}`;
      chip.hidden = n === 0;
    }
  }

  async function open(trial) {
    loaded[trial] ??= await load(sources[trial]);
    if (data === loaded[trial]) return;
    data = loaded[trial];
    Object.assign(state, { trial, items: data.items, contrast: 0 });
    $("trial").value = trial;
    $("contrast").replaceChildren(...data.contrasts.map(([a, b], n) => element("option", { value: n }, `${data.arms[b]} against ${data.arms[a]}`)));
    $("contrast").parentElement.hidden = data.contrasts.length < 2;
    const any = element("option", { value: "" }, "any");
    const sides = ([name, label]) => ["above", "below"].map((side) => element("option", { value: `${name} ${side}` }, `${label} ${side}`));
    $("measure").replaceChildren(any, ...Object.entries(data.scorers).flatMap(sides));
    state.measure = "";
    index(data.items);
  }

  async function start() {
    if (sources.length === 0) return;
    if (typeof DecompressionStream === "undefined") {
      $("found").textContent = "This browser is too old to unpack the items; those that changed are listed below.";
      document.body.classList.add("old");
      return;
    }
    $("trial").replaceChildren(...sources.map((source, n) => element("option", { value: n }, source.dataset.trial)));
    $("trial").parentElement.hidden = sources.length < 2;
    listen();
    if (!(await recall())) {
      await open(0);
      counts();
      refresh(false);
    }
    document.body.dataset.ready = "yes";
  }
  start();
})();
