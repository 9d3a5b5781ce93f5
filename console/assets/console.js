// The console's one script. Every page is whole without it: it writes times and numbers as the
// reader does, and keeps what moves by itself up to date.
"use strict";
(() => {
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.title = time.textContent;
        time.textContent = moment.format(at);
      }
    }
  };

  // Replaces a part of the page by the same part of the page as it is now. A part that is not there
  // any more, or that comes from another page, means that the whole page is another one.
  const refresh = async (part) => {
    const from = part.dataset.from || location.href;
    try {
      const answer = await fetch(from, { headers: { accept: "text/html" } });
      if (answer.redirected && new URL(answer.url).pathname === "/console/login") {
        location.assign(answer.url);
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      // The session's cookie may be another one now, and the forms with it.
      const token = page.querySelector("input[name=csrf]");
      if (token) {
        for (const field of document.querySelectorAll("input[name=csrf]")) field.value = token.value;
      }
      if (part.dataset.from) {
        if (page.querySelector("[data-connected]")) location.assign(from);
        else later(part);
        return;
      }
      const next = page.getElementById(part.id);
      if (answer.ok && next && !part.contains(document.activeElement)) {
        localise(next);
        part.replaceWith(next);
        later(next);
        return;
      }
    } catch (_) {
      // The network is away: the part stays as it is, and is asked for again.
    }
    later(part);
  };

  const later = (part) => {
    const seconds = Number(part.dataset.refresh);
    if (seconds > 0) setTimeout(() => (document.hidden ? later(part) : refresh(part)), seconds * 1000);
  };

  localise(document);
  document.querySelectorAll("[data-refresh]").forEach(later);

  // On a narrow screen the list of pages is closed until somebody asks for it.
  const menu = document.querySelector("details.menu");
  if (menu && matchMedia("(max-width: 60rem)").matches) menu.open = false;
})();
