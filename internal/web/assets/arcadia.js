// What JavaScript adds to pages that work without it: times that count on, copying,
// dialogs in place of confirmation pages, and whether the page is up to date.
const page = document.documentElement;
page.classList.add("js");

// ---- time ----------------------------------------------------------------

// The server's clock counts, not this machine's.
let ahead = Date.parse(document.body.dataset.now) - Date.now();
const now = () => Date.now() + ahead;

function took(ms) {
  if (ms < 50) return "< 0.1 s";
  if (ms < 10000 && ms % 1000) return (ms / 1000).toFixed(1) + " s";
  let left = Math.round(ms / 1000);
  const parts = [];
  for (const [size, name] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) {
    const n = Math.floor(left / size);
    left %= size;
    if (n > 0) parts.push(n + " " + name);
    else if (parts.length) break;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}
const whole = (ms) => Math.floor(ms / 1000) * 1000;

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  if (document.hidden) return;
  const t = now();
  for (const e of document.querySelectorAll("time[data-ago]")) {
    const ms = t - Date.parse(e.dateTime);
    say(e, ms < 1000 ? "just now" : took(whole(ms)) + " ago");
  }
  for (const e of document.querySelectorAll("time[data-in]")) {
    const ms = Date.parse(e.dateTime) - t;
    say(e, ms <= 0 ? "now" : "in " + took(Math.max(whole(ms + 500), 1000)));
  }
  for (const e of document.querySelectorAll("time[data-since]")) {
    say(e, took(Math.max(t - Date.parse(e.dataset.since), 0)));
  }
  for (const axis of document.querySelectorAll(".axis")) {
    const from = +axis.dataset.from, to = +axis.dataset.to;
    const at = (ms) => Math.min(Math.max((100 * (ms - from)) / (to - from), 0), 100);
    for (const line of axis.querySelectorAll("[data-moves]")) {
      line.setAttribute("x1", at(t) + "%");
      line.setAttribute("x2", at(t) + "%");
    }
    for (const bar of axis.querySelectorAll("[data-open]")) {
      bar.setAttribute("width", Math.max(at(t) - at(+bar.dataset.start), 0.4) + "%");
    }
  }
}
setInterval(tick, 250);

// ---- is it up to date? -----------------------------------------------------

const pulse = document.getElementById("pulse");
function state(name, word) {
  if (!pulse) return;
  pulse.dataset.pulse = name;
  say(pulse.querySelector("[data-word]"), word);
}
addEventListener("htmx:sse:after:connection", () => state("live", "Live ·"));
addEventListener("htmx:sse:before:connection", (e) => {
  if (e.detail.connection.attempt > 0) state("away", "Reconnecting ·");
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) state("away", "Paused ·"); // the stream ends; it is taken up again when somebody looks
});
addEventListener("htmx:sse:error", () => state("away", "Reconnecting ·"));

// The first connection is not tried again by the extension.
let tries = 0;
addEventListener("htmx:error", (e) => {
  if (e.target.id !== "feed") return;
  state("away", "Reconnecting ·");
  setTimeout(() => htmx.trigger(e.target, "again"), Math.min(500 * 2 ** tries++, 4000));
});
addEventListener("htmx:after:swap", (e) => {
  const live = document.getElementById("live");
  if (e.target !== live) return;
  const made = live.dataset.page;
  if (made && pulse) {
    ahead = Math.min(ahead, Date.parse(made) - Date.now()) || ahead;
    const clock = pulse.querySelector("[data-clock]");
    clock.dateTime = made;
    say(clock, made.slice(11, 19) + " UTC");
  }
  tick();
});

// What the last request came to is said once: reading the page again does not say it.
const here = new URL(location);
if (here.searchParams.has("did")) {
  here.searchParams.delete("did");
  here.searchParams.delete("undo");
  history.replaceState(history.state, "", here);
}

// ---- copying ---------------------------------------------------------------

document.addEventListener("click", async (e) => {
  const copy = e.target.closest?.("[data-copy]");
  if (!copy) return;
  try {
    await navigator.clipboard.writeText(copy.dataset.copy);
    copy.dataset.done = "";
    say(document.getElementById("said"), "Copied");
    setTimeout(() => delete copy.dataset.done, 1200);
  } catch {
    say(document.getElementById("said"), "The browser does not let the page copy");
  }
});

// ---- dialogs ---------------------------------------------------------------

const dialog = document.getElementById("dialog");
addEventListener("htmx:after:swap", () => {
  if (!dialog.querySelector("#confirm") || dialog.open) return;
  dialog.showModal();
  const first = dialog.querySelector("input:not([type=hidden]), select, textarea") ?? dialog.querySelector(".actions button");
  first?.focus();
});
dialog.addEventListener("close", () => document.getElementById("dialog-body").replaceChildren());
dialog.addEventListener("click", (e) => {
  if (e.target === dialog || e.target.closest("[data-close]")) {
    e.preventDefault();
    dialog.close();
  }
});
// A refusal has a page of its own: it is shown there.
addEventListener("htmx:response:error", (e) => {
  const ask = e.target.closest?.("[data-ask]");
  if (ask) location.href = ask.href;
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (e) => {
  const form = e.target;
  if (!form.matches("[data-once]")) return;
  if (form.dataset.sent) return e.preventDefault();
  form.dataset.sent = "1";
  form.querySelector(".actions button")?.setAttribute("aria-disabled", "true");
});
addEventListener("pageshow", (e) => {
  if (!e.persisted) return;
  for (const form of document.querySelectorAll("[data-sent]")) {
    delete form.dataset.sent;
    form.querySelector(".actions button")?.removeAttribute("aria-disabled");
  }
});

// ---- keys ------------------------------------------------------------------

document.addEventListener("keydown", (e) => {
  if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") {
    e.preventDefault();
    const find = document.querySelector("[data-find]");
    find.focus();
    find.select();
    return;
  }
  // From row to row, while a row has the focus.
  if (e.key !== "ArrowDown" && e.key !== "ArrowUp") return;
  const row = document.activeElement?.closest?.(".row-link");
  if (!row) return;
  const rows = [...document.querySelectorAll(".row-link")];
  const next = rows[rows.indexOf(row) + (e.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    e.preventDefault();
    next.focus();
  }
});
// An open menu closes when the attention goes elsewhere.
document.addEventListener("click", (e) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(e.target)) menu.open = false;
  }
});
