"use strict";
// Moves through the list, marks and shows chains without loading the page anew. All HTML comes from lidr, which has escaped it.
const reader = document.getElementById("reader");
const narrow = matchMedia("(max-width: 46rem)");
const facets = document.querySelector(".facets");
if (matchMedia("(max-width: 72rem)").matches) facets.open = false;

const item = () => document.getElementById("item");
const hits = () => [...document.querySelectorAll(".hit")];
const said = () => encodeURIComponent(document.querySelector("input[type=search]").value);

async function fetched(address, options) {
  const answer = await fetch(address, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

function tell(words) {
  const place = document.getElementById("said");
  if (place) place.textContent = words;
}

async function show(hit, different = false, push = true) {
  const number = hit.dataset.number;
  try {
    reader.innerHTML = await fetched(`/items/${number}?q=${said()}${different ? "&different=1" : ""}`);
  } catch (error) {
    return tell(error.message);
  }
  for (const other of hits()) {
    other.classList.toggle("on", other === hit);
    other.toggleAttribute("aria-current", other === hit);
  }
  if (push) history.replaceState(null, "", hit.href);
  reader.scrollTop = 0;
  if (!narrow.matches) hit.scrollIntoView({ block: "nearest" });
}

function current() {
  return hits().find(hit => hit.dataset.number === item()?.dataset.number);
}

function move(by) {
  const all = hits(), next = all[all.indexOf(current()) + by];
  if (next) show(next);
  else if (by > 0) document.querySelector("a.more")?.click();
  else if (document.querySelector(".list") && new URLSearchParams(location.search).get("after")) history.back();
}

async function mark(kind, note) {
  const shown = item();
  if (!shown || (kind !== undefined && !shown.dataset.allowed.split(" ").includes(kind))) return;
  const now = kind === undefined ? shown.dataset.mark : shown.dataset.mark === kind ? "" : kind;
  const words = note ?? shown.querySelector("textarea").value;
  try {
    const html = await fetched(`/items/${shown.dataset.number}/mark`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ mark: now, note: words }),
    });
    const hit = current();
    reader.innerHTML = html;
    hit?.querySelector(".badges")?.replaceChildren(...[...item().querySelectorAll(".about .badge")].map(x => x.cloneNode(true)));
    tell("kept");
  } catch (error) {
    tell(error.message);
  }
}

async function chain() {
  const place = document.getElementById("chain"), button = document.querySelector("[data-do=chain]");
  if (!place || !button) return;
  const open = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!open));
  if (open) return place.replaceChildren();
  place.textContent = "The requests are being looked up …";
  try {
    place.innerHTML = await fetched(`/items/${item().dataset.number}/chain`);
  } catch (error) {
    place.textContent = error.message;
  }
  place.scrollIntoView({ block: "start", behavior: "smooth" });
}

function different() {
  const button = document.querySelector("button[data-do=different]"), hit = current();
  if (button && hit) show(hit, button.getAttribute("aria-pressed") !== "true", false);
}

const back = () => document.body.classList.remove("reading");
const deeds = { bad: () => mark("bad"), swap: () => mark("swap"), different, chain, back };

document.addEventListener("click", event => {
  const hit = event.target.closest(".hit");
  if (hit && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    document.body.classList.add("reading");
    show(hit).then(() => { if (narrow.matches) scrollTo(0, 0); });
  }
  const button = event.target.closest("button[data-do]");
  if (button) deeds[button.dataset.do]?.();
});

document.addEventListener("submit", event => {
  if (event.target.dataset.do !== "note") return;
  event.preventDefault();
  mark(undefined);
});

const keys = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1), b: deeds.bad, s: deeds.swap, d: different, c: chain,
  n: () => document.querySelector("#item textarea")?.focus(), "/": () => document.querySelector("input[type=search]").focus(),
  "?": () => document.getElementById("keys").showModal(), Escape: back,
};

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, dialog")) {
    if (event.key === "Escape") event.target.blur();
    else if (event.key === "Enter" && event.target.matches("textarea") && !event.shiftKey) { event.preventDefault(); event.target.blur(); mark(undefined); }
    return;
  }
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

const reading = document.getElementById("reading");
if (reading) setInterval(async () => {
  const state = JSON.parse(await fetched("/state"));
  reading.querySelector("span").textContent = state.items.toLocaleString("en");
  if (!state.reading && !document.activeElement.matches("textarea")) location.reload();
}, 1000);
