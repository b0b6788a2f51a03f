// Keeps the page current: asks for the version once a second, and when it has
// grown, fetches the page and replaces only what is different. Without this
// script the page reloads itself.
"use strict";
(() => {
  let version = document.body.dataset.version;
  const regions = ["channels", "messages", "thread"];
  const atEnd = (el) => el.scrollHeight - el.scrollTop - el.clientHeight < 80;
  const toEnd = (el) => { el.scrollTop = el.scrollHeight; };

  // patch makes the children of old those of fresh, and leaves equal ones alone.
  function patch(old, fresh) {
    const known = new Map(Array.from(old.children, (c) => [c.id, c]));
    let place = old.firstElementChild;
    for (const next of Array.from(fresh.children)) {
      const had = known.get(next.id);
      known.delete(next.id);
      if (had && had.outerHTML === next.outerHTML) {
        if (had === place) place = place.nextElementSibling;
        else old.insertBefore(had, place);
        continue;
      }
      const copy = document.importNode(next, true);
      if (had === place && had) place = had.nextElementSibling;
      if (had) had.replaceWith(copy);
      else old.insertBefore(copy, place);
    }
    for (const gone of known.values()) gone.remove();
  }

  async function refresh() {
    const page = await (await fetch(location.href, { cache: "no-store" })).text();
    const doc = new DOMParser().parseFromString(page, "text/html");
    for (const id of regions) {
      const old = document.getElementById(id), fresh = doc.getElementById(id);
      if (!old || !fresh || old.innerHTML === fresh.innerHTML) continue;
      const follow = atEnd(old);
      patch(old, fresh);
      if (follow && id !== "channels") toEnd(old);
    }
    version = doc.body.dataset.version;
  }

  async function tick() {
    try {
      if (!document.hidden) {
        const now = await (await fetch("/-/version", { cache: "no-store" })).json();
        if (String(now.version) !== version) await refresh();
      }
    } catch {
      // The stand-in is gone or starting again; the next tick will tell.
    }
    setTimeout(tick, 1000);
  }

  // A menu is sent as soon as something is chosen.
  document.addEventListener("change", (e) => { if (e.target.matches(".menu select") && e.target.value) e.target.form.requestSubmit(); });

  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target) target.scrollIntoView({ block: "center" });
  else for (const id of ["messages", "thread"]) { const el = document.getElementById(id); if (el) toEnd(el); }
  setTimeout(tick, 1000);
})();
