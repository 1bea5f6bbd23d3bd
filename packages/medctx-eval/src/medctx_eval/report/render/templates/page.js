"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => { button.textContent = isDark() ? "Light page" : "Dark page"; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); });
  label();
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
  const option = (select, value, text) => { const element = make("option", text); element.value = value; select.append(element); };
  data.cells.forEach((cellName, at) => option(cell, at, cellName));
  const asked = new Set(data.items.flatMap((item) => item.asked.map((entry) => entry.condition)));
  [...data.conditions.entries()].filter(([at]) => asked.has(at)).forEach(([at, names]) => option(condition, at, names[1]));

  const haystack = data.items.map((item) =>
    [item.id, item.exam, item.tags || "", item.question || "", ...(item.options || []).map((entry) => entry[1])].join("\n").toLowerCase());

  const fits = (item, at) => {
    const bit = Number(kind.value), column = cell.value, row = condition.value;
    const words = search.value.trim().toLowerCase();
    if (words && !haystack[at].includes(words)) return false;
    return item.asked.some((entry) => (row === "" || entry.condition === Number(row)) &&
      (bit === 0 ? true : entry.flags.some((flags, number) => (column === "" || number === Number(column)) && flags & bit)));
  };

  const lazily = (title, fill) => {
    const details = make("details");
    details.append(make("summary", title));
    details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) fill(details); });
    return details;
  };

  const answers = (entry, number) => {
    const td = make("td");
    const counted = new Map();
    for (const [letters, verdict] of entry.answers[number]) {
      const answer = (letters ? letters + " " : "") + (data.verdicts[verdict] === "correct" ? "\u2713" : data.verdicts[verdict]);
      counted.set(answer, (counted.get(answer) || 0) + 1);
    }
    td.append([...counted].map(([answer, times]) => (times > 1 ? times + "\u00d7 " : "") + answer).join(", "));
    for (const [word, bit] of KINDS) if (entry.flags[number] & bit) td.append(make("span", word, "badge " + word));
    return td;
  };

  const table = (item) => {
    const scroll = make("div", undefined, "scroll"), whole = make("table", undefined, "answers");
    const head = make("tr"), body = make("tbody"), top = make("thead");
    head.append(make("th", "condition"), make("th", "right", "words"), ...data.cells.map((cellName) => make("th", cellName, "words")));
    for (const entry of item.asked) {
      const row = make("tr");
      const memory = entry.memory ? " (from memory: " + entry.memory + ")" : "";
      const added = item.options && !item.options.some((pair) => pair[0] === entry.gold[0]) ? " (cannot be answered)" : "";
      row.append(make("th", data.conditions[entry.condition][1]), make("td", entry.gold + memory + added), ...data.cells.map((_, number) => answers(entry, number)));
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

  const sources = (entry) => (details) => {
    if (entry.book !== undefined) details.append(make("h4", "Book"), pre(data.books[entry.book]));
    if (entry.replies) data.cells.forEach((cellName, number) => entry.replies[number].forEach((text, at) => {
      if (text) details.append(make("h4", cellName + (entry.replies[number].length > 1 ? ", answer " + (at + 1) : "")), pre(text));
    }));
  };

  const card = (item) => {
    const article = make("article", undefined, "item");
    article.append(make("p", [item.id, item.exam, item.tags].filter(Boolean).join(" \u00b7 ")));
    if (item.question !== undefined) {
      const question = make("div", item.question, "question");
      question.dir = "auto";
      const list = make("ul", undefined, "options");
      for (const [letter, text] of item.options) {
        const right = item.gold.split("+").includes(letter);
        const li = make("li", undefined, right ? "right" : "");
        const words = make("span", text + (right ? " \u2713 right" : ""));
        words.dir = "auto";
        li.append(make("span", letter, "letter"), words);
        list.append(li);
      }
      article.append(question, list);
    }
    article.append(table(item));
    const opened = make("div", undefined, "sources");
    for (const entry of item.asked) {
      const held = [entry.book !== undefined && "Book", entry.replies && "replies"].filter(Boolean).join(" and ");
      if (held) opened.append(lazily(data.conditions[entry.condition][1] + ": " + held, sources(entry)));
    }
    article.append(opened);
    return article;
  };

  let matching = [], drawn = 0;
  const draw = () => {
    place.append(...matching.slice(drawn, drawn + STEP).map(card));
    drawn = Math.min(matching.length, drawn + STEP);
    status.textContent = matching.length + " of " + data.items.length + " items match; " + drawn + " shown";
    more.hidden = drawn >= matching.length;
  };
  const renew = () => {
    matching = data.items.filter(fits);
    drawn = 0;
    place.replaceChildren();
    draw();
  };
  // A report without changes, as of a base alone, shows its items all the same.
  if (!data.items.some((item) => item.asked.some((entry) => entry.flags.some((flags) => flags & 3)))) kind.value = "0";
  [kind, cell, condition].forEach((select) => select.addEventListener("change", renew));
  search.addEventListener("input", renew);
  more.addEventListener("click", draw);
  renew();
})();
