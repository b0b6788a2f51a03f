// Keeps a page current. When the server has something new, the page is fetched again and what is
// marked with data-live is changed where it differs. Nodes stay where they can, and with them the
// focus, the selection, what is scrolled, opened or typed.
"use strict";
(() => {
  const root = document.documentElement, events = document.currentScript.dataset.events;
  const connection = document.getElementById("connection");
  let source, later, busy = false, again = false;

  const say = (state, text) => {
    root.dataset.connection = state;
    if (connection.textContent !== text) connection.textContent = text;
  };

  // What a node is about: its id, a row's first link, a fold's heading.
  const key = (node) => {
    if (node.nodeType !== 1) return "";
    if (node.id) return node.id;
    if (node.localName === "details") return node.querySelector("summary")?.textContent ?? "";
    return node.localName === "tr" ? node.querySelector("a[href]")?.getAttribute("href") ?? "" : "";
  };

  const attributes = (old, now) => {
    for (const a of [...old.attributes]) {
      if (!now.hasAttribute(a.name) && a.name !== "open") old.removeAttribute(a.name);
    }
    for (const a of now.attributes) {
      if (old.getAttribute(a.name) !== a.value && a.name !== "open") old.setAttribute(a.name, a.value);
    }
  };

  // Whether somebody has typed something that is not sent yet.
  const typed = (node) => node.nodeType === 1 && [...node.querySelectorAll("input")].some((field) => field.value !== field.defaultValue);

  const children = (old, now) => {
    const rest = new Set(old.childNodes);
    let place = old.firstChild;
    for (const next of [...now.childNodes]) {
      const same = [...rest].find((n) => n.nodeName === next.nodeName && key(n) === key(next));
      if (!same) {
        old.insertBefore(next, place);
        continue;
      }
      rest.delete(same);
      if (same === place) place = same.nextSibling;
      else old.insertBefore(same, place);
      change(same, next);
    }
    for (const gone of rest) if (!typed(gone)) gone.remove();
  };

  const change = (old, now) => {
    if (old.isEqualNode(now)) return;
    if (old.nodeType !== 1) {
      old.nodeValue = now.nodeValue;
      return;
    }
    attributes(old, now);
    children(old, now);
  };

  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focused = document.activeElement;
      for (const old of document.querySelectorAll("[data-live]")) {
        const now = page.getElementById(old.id);
        if (now) change(old, now);
      }
      if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
      document.title = page.title;
      root.dataset.snapshot = page.documentElement.dataset.snapshot;
      say("live", "· live");
    } catch {
      say("lost", "· connection lost, this page may be old");
    }
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  };

  const stop = () => {
    clearTimeout(later);
    source?.close();
  };

  const start = () => {
    stop();
    source = new EventSource(events);
    source.onmessage = (event) => {
      if (event.data === root.dataset.snapshot) say("live", "· live");
      else setTimeout(refresh, Math.random() * 500); // not all at once
    };
    source.onerror = () => {
      say("lost", "· connection lost, this page may be old");
      if (source.readyState === EventSource.CLOSED) later = setTimeout(start, 15000);
    };
  };

  // A page that nobody sees takes no connection: a browser has six for all of them.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  if (!document.hidden) start();
})();
