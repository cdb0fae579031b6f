// Shows what a cron line comes to while it is typed.
"use strict";
(() => {
  const form = document.getElementById("schedule-form"), box = document.getElementById("preview");
  if (!form) return;
  let timer = 0, asked = 0;

  function say(parent, name, text, look) {
    const node = document.createElement(name);
    node.textContent = text;
    if (look) node.className = look;
    parent.append(node);
    return node;
  }

  async function look() {
    const mine = ++asked, fields = new FormData(form);
    const query = new URLSearchParams(["cron_expression", "timezone", "name"].map((key) => [key, fields.get(key)]));
    const answer = await fetch("/new/schedule/fires?" + query, { headers: { Accept: "application/json" } });
    if (!answer.ok || mine !== asked) return;
    const found = await answer.json();
    const fresh = document.createElement("div");
    say(fresh, "h2", "The next five fires");
    if (found.problem) say(fresh, "p", found.problem, "bad");
    else {
      say(fresh, "p", found.words);
      if (found.warning) say(fresh, "p", found.warning, "warn");
      const list = say(fresh, "ul", "", "plain");
      for (const at of found.fires) { const item = say(list, "li", at + " "); say(item, "span", fields.get("timezone"), "dim"); }
    }
    box.replaceChildren(...fresh.childNodes);
  }

  form.addEventListener("input", (event) => {
    if (!["cron_expression", "timezone", "name"].includes(event.target.name)) return;
    clearTimeout(timer);
    timer = setTimeout(look, 200);
  });
})();
