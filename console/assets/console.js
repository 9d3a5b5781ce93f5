// The console's one script. Every page is whole without it: it writes times and numbers as the
// reader does, and keeps what moves by itself up to date.
"use strict";
(() => {
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const number = new Intl.NumberFormat();
  const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

  // What an org says stays as it is: its texts are isolated, and ours are not.
  const OF_ORG = "bdi, code, [dir], time, script, textarea, select";

  // Numbers whose thousands are apart, and percentages, as the reader writes them.
  const numbers = (root) => {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      if (!/\d/.test(text.data) || text.parentElement.closest(OF_ORG)) continue;
      const written = text.data
        .replace(/(\d+(?:\.\d+)?) %/g, (_, share) => percent.format(share / 100))
        .replace(/\d{1,3}(?:\u202f\d{3})+/g, (count) => number.format(count.replaceAll("\u202f", "")));
      if (written !== text.data) text.data = written;
    }
  };

  const localise = (root) => {
    numbers(root);
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

  localise(document.body);
  document.querySelectorAll("[data-refresh]").forEach(later);

  // On a narrow screen the list of pages is closed until somebody asks for it.
  const menu = document.querySelector("details.menu");
  if (menu && matchMedia("(max-width: 60rem)").matches) menu.open = false;
})();
