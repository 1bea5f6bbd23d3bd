"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = isDark() ? "Light page" : "Dark page"; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  name();
})();
(() => {
  // The item browser. Whatever comes from an exam or a model enters the page as text nodes only.
  const source = document.getElementById("browser-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const KINDS = [["gained", 1], ["lost", 2], ["flipped", 4]];
  const STEP = 10;
  const place = document.getElementById("browser");
  const status = document.getElementById("browser-count");
  const more = document.getElementById("browser-more");
  const [kind, cell, condition, search] = ["kind", "cell", "condition", "search"].map((id) => document.getElementById("browser-" + id));

  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const option = (select, value, text) => { const one = make("option", text); one.value = value; select.append(one); };
  data.cells.forEach((one, at) => option(cell, at, one));
  const asked = new Set(data.items.flatMap((item) => item.s.map((seat) => seat.c)));
  [...data.conditions.entries()].filter(([at]) => asked.has(at)).forEach(([at, one]) => option(condition, at, one[1]));

  const haystack = data.items.map((item) =>
    [item.i, item.x, item.t || "", item.q || "", ...(item.o || []).map((one) => one[1])].join("\n").toLowerCase());

  const fits = (item, at) => {
    const bit = Number(kind.value), column = cell.value, row = condition.value;
    const words = search.value.trim().toLowerCase();
    if (words && !haystack[at].includes(words)) return false;
    return item.s.some((seat) => (row === "" || seat.c === Number(row)) &&
      (bit === 0 ? true : seat.k.some((flags, own) => (column === "" || own === Number(column)) && flags & bit)));
  };

  const lazily = (title, fill) => {
    const details = make("details");
    details.append(make("summary", title));
    details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) fill(details); });
    return details;
  };

  const answers = (seat, own) => {
    const td = make("td");
    const counted = new Map();
    for (const [letters, verdict] of seat.a[own]) {
      const said = (letters ? letters + " " : "") + (data.verdicts[verdict] === "correct" ? "\u2713" : data.verdicts[verdict]);
      counted.set(said, (counted.get(said) || 0) + 1);
    }
    td.append([...counted].map(([said, times]) => (times > 1 ? times + "\u00d7 " : "") + said).join(", "));
    for (const [word, bit] of KINDS) if (seat.k[own] & bit) td.append(make("span", word, "badge " + word));
    return td;
  };

  const table = (item) => {
    const scroll = make("div", undefined, "scroll"), whole = make("table", undefined, "answers");
    const head = make("tr"), body = make("tbody"), top = make("thead");
    head.append(make("th", "condition"), make("th", "right", "words"), ...data.cells.map((one) => make("th", one, "words")));
    for (const seat of item.s) {
      const row = make("tr");
      const memory = seat.m ? " (from memory: " + seat.m + ")" : "";
      const added = item.o && !item.o.some((one) => one[0] === seat.g[0]) ? " (cannot be answered)" : "";
      row.append(make("th", data.conditions[seat.c][1]), make("td", seat.g + memory + added), ...data.cells.map((_, own) => answers(seat, own)));
      body.append(row);
    }
    top.append(head);
    whole.append(top, body);
    scroll.append(whole);
    return scroll;
  };

  const pre = (text) => {
    const element = make("pre", text);
    element.dir = "auto";
    return element;
  };

  const behind = (seat) => (details) => {
    if (seat.b !== undefined) details.append(make("h4", "Book"), pre(data.books[seat.b]));
    if (seat.r) data.cells.forEach((one, own) => seat.r[own].forEach((text, at) => {
      if (text) details.append(make("h4", one + (seat.r[own].length > 1 ? ", answer " + (at + 1) : "")), pre(text));
    }));
  };

  const card = (item) => {
    const article = make("article", undefined, "item");
    article.append(make("p", [item.i, item.x, item.t].filter(Boolean).join(" \u00b7 ")));
    if (item.q !== undefined) {
      const question = make("div", item.q, "question");
      question.dir = "auto";
      const list = make("ul", undefined, "options");
      for (const [letter, text] of item.o) {
        const right = item.g.split("+").includes(letter);
        const li = make("li", undefined, right ? "right" : "");
        const words = make("span", text + (right ? " \u2713 right" : ""));
        words.dir = "auto";
        li.append(make("span", letter, "letter"), words);
        list.append(li);
      }
      article.append(question, list);
    }
    article.append(table(item));
    const opened = make("div", undefined, "behind");
    for (const seat of item.s) {
      const held = [seat.b !== undefined && "book", seat.r && "replies"].filter(Boolean).join(" and ");
      if (held) opened.append(lazily(data.conditions[seat.c][1] + ": " + held, behind(seat)));
    }
    article.append(opened);
    return article;
  };

  let found = [], drawn = 0;
  const draw = () => {
    place.append(...found.slice(drawn, drawn + STEP).map(card));
    drawn = Math.min(found.length, drawn + STEP);
    status.textContent = found.length + " of " + data.items.length + " items match; " + drawn + " shown";
    more.hidden = drawn >= found.length;
  };
  const renew = () => {
    found = data.items.filter(fits);
    drawn = 0;
    place.replaceChildren();
    draw();
  };
  [kind, cell, condition].forEach((one) => one.addEventListener("change", renew));
  search.addEventListener("input", renew);
  more.addEventListener("click", draw);
  renew();
})();
