// Makes the page live: what the server renders is fetched again when something changes, and laid over what is there.
// Nothing here makes HTML of data. Without this file the page works, and renews itself once a minute.
"use strict";

const POLL_MS = 5000; // between polls while no event comes
const STALE_MS = 15000; // without an answer for so long, nothing here is fresh
const BURST_MS = 150; // changes that come together cost one look
const here = new URL(".", location.origin + location.pathname); // without a name or password of the address
const live = document.getElementById("live");
const stale = document.getElementById("stale");

let ahead = 0; // how far the server's clock is ahead of ours, ms
let heardAt = Date.now();
let lastWord = "";

// Times: shown relative to the server's clock, in the reader's own zone.
const zoned = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const SPANS = [[90, 1, "s"], [5400, 60, "min"], [129600, 3600, "h"], [Infinity, 86400, "days"]];

function span(seconds) {
  const [, unit, name] = SPANS.find(([limit]) => seconds < limit);
  const number = Math.floor(Math.max(0, seconds) / unit);
  return `${number} ${number === 1 && name === "days" ? "day" : name}`;
}

function tick() {
  const now = Date.now() + ahead;
  for (const time of document.querySelectorAll("time[data-tick]")) {
    const at = Date.parse(time.dateTime);
    const told = zoned.format(at);
    const kind = time.dataset.tick;
    const text = kind === "clock" ? told : span((now - at) / 1000) + (kind === "ago" ? " ago" : "");
    if (time.textContent !== text) time.textContent = text;
    if (kind !== "clock" && time.title !== told) time.title = told;
  }
}

function setClock(root) {
  const mark = root.querySelector("[data-now]");
  if (mark) ahead = Number(mark.dataset.now) * 1000 - Date.now();
}

// Lays new content over old, node by node: focus, scrolling and selection stay where nothing changed.
function lay(old, fresh) {
  const known = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
  let place = old.firstChild;
  for (const node of [...fresh.childNodes]) {
    const kept = (node.id && known.get(node.id)) || (place && !place.id && isAlike(place, node) ? place : null);
    if (!kept) {
      if (node.nodeName === "LI" && node.id) node.classList.add("fresh");
      old.insertBefore(node, place);
      continue;
    }
    if (kept === place) place = place.nextSibling;
    else old.insertBefore(kept, place);
    if (kept.nodeType !== Node.ELEMENT_NODE) {
      if (kept.nodeValue !== node.nodeValue) kept.nodeValue = node.nodeValue;
    } else {
      layAttributes(kept, node);
      // A time's text is ours: it goes on.
      if (kept.nodeName !== "TIME" && kept.innerHTML !== node.innerHTML) lay(kept, node);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function isAlike(a, b) {
  return a.nodeName === b.nodeName && !b.id;
}

function layAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    const isTheirs = (name === "title" && old.nodeName === "TIME") || (name === "open" && old.nodeName === "DETAILS");
    if (old.getAttribute(name) !== value && !isTheirs) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    // What a person has opened or closed stays so.
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
}

async function fetched(path) {
  const answer = await fetch(new URL(path, here), { cache: "no-store", signal: AbortSignal.timeout(10000) });
  if (!answer.ok) throw new Error(`the service answers ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html").body;
}

// The live part
const found = document.getElementById("found");
let isLooking = false;
let isWanted = false; // once more, when the look that is under way has ended
let isChanged = false; // what is in the home may be
let dueAt = Infinity;
let waiting = 0;

// A poll that is due sooner stays so: endless changes must not put it off forever.
function want(delay, hasChanged = false) {
  isChanged = isChanged || hasChanged;
  if (Date.now() + delay >= dueAt) return;
  dueAt = Date.now() + delay;
  clearTimeout(waiting);
  waiting = setTimeout(look, delay);
}

async function look() {
  dueAt = Infinity;
  isWanted = isLooking;
  if (isLooking || document.hidden) return;
  isLooking = true;
  try {
    const fresh = await fetched(live.dataset.live);
    heardAt = Date.now();
    setClock(fresh);
    lay(live, fresh);
    setStale("");
    follow();
    if (isChanged) {
      isChanged = false;
      // Rows that cannot be read are no lost connection: the status shows it, and this is tried again.
      await showHome().catch(() => { isChanged = true; });
    }
    document.title = `${word().textContent} · ha-reconcile`;
  } catch (error) {
    setStale(error instanceof TypeError ? "no answer" : error.message);
  }
  isLooking = false;
  tick();
  want(isWanted ? BURST_MS : POLL_MS);
  isWanted = false;
}

async function showHome() {
  const asked = found.dataset.home;
  const fresh = await fetched(asked);
  if (asked === found.dataset.home) lay(found, fresh); // else the user has typed on
}

const unknownIcon = () => document.getElementById("icon-unknown").content.firstElementChild.cloneNode(true);
const word = () => document.getElementById("status-word");

// Old knowledge is never shown as fresh: the word becomes Unknown, and the last one is shown with its time.
function setStale(why) {
  const root = document.documentElement;
  if (!why) {
    delete root.dataset.stale;
    stale.hidden = true;
    lastWord = word().textContent;
    return;
  }
  if ("stale" in root.dataset) return;
  root.dataset.stale = "";
  document.getElementById("status").className = "status unknown";
  word().textContent = "Unknown";
  document.querySelector(".hero > .icon").replaceWith(unknownIcon());
  for (const pill of document.querySelectorAll(".card .pill")) {
    pill.className = "pill unknown";
    pill.replaceChildren(unknownIcon(), "Unknown");
  }
  const then = zoned.format(heardAt);
  document.getElementById("status-sentence").textContent = `Nothing was heard from this service since ${then}. It was then: ${lastWord}.`;
  stale.textContent = `The connection is lost (${why}). Everything below is as of ${then} and may have changed.`;
  stale.hidden = false;
  document.title = "Unknown · ha-reconcile";
}

let stream = null;

function follow() {
  if (stream && stream.readyState !== EventSource.CLOSED) return;
  stream = new EventSource(new URL(live.dataset.stream, here));
  for (const kind of ["change", "reset", "bye"]) stream.addEventListener(kind, () => want(BURST_MS, true));
  stream.onopen = () => want(0, true); // what was missed before it was open
  stream.onerror = () => want(0);
}

function awake() {
  if (document.hidden) {
    // A hidden tab takes no place in the stream.
    if (stream) stream.close();
    return;
  }
  if (Date.now() - heardAt > STALE_MS) setStale("this tab slept");
  follow();
  want(0);
}

// Search as you type
function search(input) {
  const form = input.form;
  let pause = 0;
  input.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(async () => {
      const asked = new URLSearchParams(new FormData(form));
      for (const [name, value] of [...asked]) if (!value) asked.delete(name);
      found.dataset.home = `${input.dataset.search}?${asked}`;
      try {
        await showHome();
        tick();
      } catch {
        form.requestSubmit(); // then the browser says what is wrong
      }
    }, 200);
  });
}

// A time is chosen in the reader's zone, and requested in UTC.
function zone(input) {
  const form = input.form;
  const asked = document.createElement("input");
  asked.type = "hidden";
  asked.name = input.name;
  input.removeAttribute("name");
  form.querySelector(".zone").hidden = true;
  if (input.value) {
    const at = new Date(`${input.value}Z`);
    asked.value = at.toISOString();
    input.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  }
  form.append(asked);
  input.addEventListener("input", () => {
    asked.value = input.value ? new Date(input.value).toISOString() : "";
  });
}

// A command to copy: where the browser allows no clipboard (plain HTTP), it is selected instead.
document.documentElement.classList.add("js");
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const code = button.previousElementSibling;
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected";
  }
});

// A page without a live part is loaded again, but not while a person reads further down or types.
if (document.body.dataset.again) {
  setInterval(() => {
    const isUsed = document.activeElement !== document.body || getSelection().toString();
    if (!document.hidden && !isUsed) location.reload();
  }, document.body.dataset.again * 1000);
}

for (const zone of document.querySelectorAll("[data-zone]")) zone.textContent = zoned.resolvedOptions().timeZone;
setClock(document);
tick();
setInterval(tick, 1000);
for (const input of document.querySelectorAll("[data-search]")) search(input);
for (const input of document.querySelectorAll("[data-utc]")) zone(input);
if (live) {
  lastWord = word().textContent;
  setInterval(() => {
    if (!document.hidden && Date.now() - heardAt > STALE_MS) setStale("no answer");
  }, 1000);
  document.addEventListener("visibilitychange", awake);
  awake();
}
