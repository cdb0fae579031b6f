// Keeps an open page up to date, and tells the server the reader's time zone. Without it every page works, and shows
// the moment at which it was loaded.
"use strict";
(() => {
  const LEAST_GAP_MS = 700, IDLE_MS = 30000, END = 1e9;  // of a log: Infinity would be its top
  const state = document.getElementById("link");
  let busy = false, again = false, last = 0, timer = 0;

  function tellZone() {
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!zone || document.cookie.split("; ").includes("zone=" + zone)) return false;
    document.cookie = "zone=" + zone + "; Path=/; Max-Age=31536000; SameSite=Strict";
    return true;
  }

  function isBeingUsed(area) {
    const active = document.activeElement;
    return area.contains(active) && active.matches("input, select, textarea");
  }

  // Puts the new content of an area in place of the old; keeps the focus, what is folded open, and scrolled logs.
  function replace(area, fresh) {
    if (area.innerHTML === fresh.innerHTML || isBeingUsed(area)) return;
    const focused = area.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...area.querySelectorAll("details[open][id]")].map((item) => item.id);
    const scrolled = [...area.querySelectorAll("pre[id]")].map((item) => [
      item.id, item.scrollTop + item.clientHeight >= item.scrollHeight - 4 ? END : item.scrollTop,
    ]);
    area.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, top] of scrolled) { const log = document.getElementById(id); if (log) log.scrollTop = top; }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  async function refresh(timesToo) {
    if (busy) { again = true; return; }
    busy = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const area of document.querySelectorAll(timesToo ? "[data-live], [data-zone], #foot" : "[data-live]")) {
          const fresh = page.getElementById(area.id);
          if (fresh) replace(area, fresh);
        }
        document.dispatchEvent(new Event("refreshed"));
      }
    } catch { /* the event stream tells when the server is back */ }
    busy = false;
    if (again) { again = false; soon(); }
  }

  function soon() {
    if (timer || document.hidden) return;
    timer = setTimeout(() => { timer = 0; refresh(false); }, Math.max(0, last + LEAST_GAP_MS - Date.now()));
  }

  function watch() {
    if (!document.querySelector("[data-live]")) return;
    const stream = new EventSource("/events");
    stream.addEventListener("open", () => { state.textContent = "live"; state.className = ""; });
    stream.addEventListener("changed", soon);
    stream.addEventListener("error", () => {
      state.textContent = "connection lost, shown as of " + new Date(last || Date.now()).toLocaleTimeString();
      state.className = "lost";
      if (stream.readyState === EventSource.CLOSED) setTimeout(watch, 3000);
    });
    document.addEventListener("visibilitychange", soon);
  }

  for (const log of document.querySelectorAll("pre.log")) log.scrollTop = log.scrollHeight;
  if (tellZone()) refresh(true);
  watch();
  setInterval(soon, IDLE_MS);
})();
