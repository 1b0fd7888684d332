// What makes the webmail pleasant: every page works without it.
// Keyboard shortcuts, several messages chosen at once, drafts saved while
// typing, completion of addresses, frames as high as their mail.
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (selector, from = document) => from.querySelector(selector);
  const press = (selector) => {
    const target = one(selector);
    if (target) target.click();
    return !!target;
  };
  root.classList.add("with-script");

  // ---- Lists ----
  // Not the conversation below a message: there j and k lead to other messages.
  const rows = all("form > .messages > li");
  const boxOf = (row) => one("input[type=checkbox]", row);
  const chooseAll = one("#all");
  let lastChosen = -1;

  function showChosen() {
    const chosen = rows.filter((row) => boxOf(row)?.checked).length;
    if (chooseAll) {
      chooseAll.checked = chosen > 0 && chosen === rows.length;
      chooseAll.indeterminate = chosen > 0 && chosen < rows.length;
    }
    const told = one("#chosen");
    if (told) told.textContent = chosen ? `${chosen} selected` : "";
  }

  chooseAll?.addEventListener("change", () => {
    for (const row of rows) boxOf(row).checked = chooseAll.checked;
    showChosen();
  });
  rows.forEach((row, index) => {
    boxOf(row)?.addEventListener("click", (event) => {
      if (event.shiftKey && lastChosen >= 0) {
        const [from, to] = [lastChosen, index].sort((a, b) => a - b);
        for (let at = from; at <= to; at++) boxOf(rows[at]).checked = event.target.checked;
      }
      lastChosen = index;
      showChosen();
    });
  });
  for (const box of all("form > .messages .pick input, #all"))
    box.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
  if (rows.length) window.addEventListener("pageshow", showChosen);

  const current = () => rows.findIndex((row) => row.contains(document.activeElement));

  function step(by) {
    if (!rows.length) return press(by > 0 ? "[rel=next]" : "[rel=prev]");
    const at = current();
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
    if (next >= 0 && next < rows.length) one("a", rows[next]).focus();
    return true;
  }

  // The action of a list concerns what is chosen, else the row in focus.
  function act(name) {
    const button = one(`button[name=do][value=${name}]`);
    if (!button) return false;
    if (rows.length && !rows.some((row) => boxOf(row)?.checked)) {
      const at = current();
      if (at < 0) return false;
      boxOf(rows[at]).checked = true;
    }
    button.click();
    return true;
  }

  function toggle() {
    const at = current();
    if (at >= 0) boxOf(rows[at])?.click();
    return at >= 0;
  }

  // What has been said once is not said again by a reload.
  const here = new URL(location);
  if (here.searchParams.has("said")) {
    for (const name of ["said", "undo", "last", "from"]) here.searchParams.delete(name);
    history.replaceState(null, "", here);
  }

  // New mail shows by itself on the first page of a list, as long as somebody
  // is there; the list is left alone while he is about to do something with it.
  // Whoever has gone is logged out in time.
  const LOOK_MS = 60000, AWAY_MS = 600000;
  let touched = Date.now(), looked = touched;
  const state = (page) => page.title + all("[name=m]", page).map((box) => box.value + box.closest("li")?.className);
  async function look() {
    if (document.hidden || Date.now() - touched > AWAY_MS || Date.now() - looked < LOOK_MS) return;
    looked = Date.now();
    const answer = await fetch(here, { redirect: "error" });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (state(page) === seen) return;
    document.title = page.title;
    if (!all("[name=m]:checked").length && !typing(document.activeElement) && current() < 0 && !help?.open) location.reload();
  }
  const seen = state(document);
  if (one("#all") && !here.searchParams.has("c")) {
    for (const name of ["pointermove", "keydown", "scroll"]) document.addEventListener(name, () => { touched = Date.now(); }, { passive: true });
    setInterval(() => look().catch(() => {}), LOOK_MS / 4);
    document.addEventListener("visibilitychange", () => { touched = Date.now(); look().catch(() => {}); });
  }

  // What cannot be undone is asked for.
  for (const button of all("button[data-ask]"))
    button.addEventListener("click", (event) => { if (!window.confirm(button.dataset.ask)) event.preventDefault(); });

  // ---- Times in the reader's own zone ----
  const now = new Date();
  for (const time of all("time[datetime]")) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    const how = time.dataset.full !== undefined ? { dateStyle: "full", timeStyle: "short" }
      : date.toDateString() === now.toDateString() ? { timeStyle: "short" }
        : date.getFullYear() === now.getFullYear() ? { day: "numeric", month: "short" }
          : { day: "numeric", month: "short", year: "numeric" };
    time.title = date.toLocaleString();
    time.textContent = date.toLocaleString([], how);
  }

  // ---- Keys ----
  const help = one("#keys");
  let prefix = "";
  const keys = {
    j: () => step(1), k: () => step(-1), o: () => current() >= 0 && (one("a", rows[current()]).click(), true),
    x: toggle, "#": () => act("delete"), Delete: () => act("delete"), "!": () => act("junk"), s: () => act("flag"),
    m: () => act("read"), U: () => act("unread"), u: () => press("[data-key=u]"),
    r: () => press("[data-key=r]"), a: () => press("[data-key=a]"), f: () => press("[data-key=f]"),
    c: () => press("[data-key=c]"), n: () => press("[rel=next]"), p: () => press("[rel=prev]"),
    z: () => press("button[value=undo]"),
    "/": () => (one("#q")?.focus(), true),
    "?": () => (help && !help.open && help.showModal(), !!help),
    "g i": () => press("[data-key=gi]"), "g d": () => press("[data-key=gd]"),
    "g s": () => press("[data-key=gs]"), "g m": () => press("[data-key=gm]"),
  };
  const wanted = () => localStorage.getItem("keys") !== "off";
  const typing = (target) => target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (!wanted() || help?.open) return;
    const name = prefix + event.key;
    prefix = "";
    if (name === "g") prefix = "g ";
    else if (keys[name]?.()) event.preventDefault();
  }
  document.addEventListener("keydown", onKey);
  const choice = one("#keys-on");
  if (choice) {
    choice.checked = wanted();
    choice.addEventListener("change", () => localStorage.setItem("keys", choice.checked ? "on" : "off"));
  }

  // ---- HTML mail in its frame ----
  for (const frame of all("iframe.mail")) {
    const told = one("#target");
    const arrange = () => {
      const inner = frame.contentDocument;
      if (!inner?.body) return;
      const need = () => Math.min(Math.max(inner.body.scrollHeight, inner.body.offsetHeight) + 40, 20000);
      const observer = new ResizeObserver(() => fit());
      // Mail that is as high as its frame, and more, would grow without end.
      const fit = () => {
        const height = need();
        frame.style.height = `${height}px`;
        if (need() > height) observer.disconnect();
      };
      observer.observe(inner.body);
      fit();
      inner.addEventListener("keydown", onKey);
      const tell = (event) => {
        const link = event.target.closest?.("a[href]");
        if (!told) return;
        told.hidden = !link;
        told.textContent = link ? link.href : "";
      };
      for (const name of ["mouseover", "mouseout", "focusin", "focusout"])
        inner.addEventListener(name, (event) => tell(name.endsWith("out") ? { target: {} } : event));
    };
    frame.addEventListener("load", arrange);
    if (frame.contentDocument?.readyState === "complete") arrange();
  }

  // ---- Writing ----
  const form = one("form.compose");
  if (form) {
    const saved = one("#saved");
    const files = one("input[type=file]", form);
    let timer = 0, saving = null, changed = false, checked = false, leaving = false, out = "";

    function typed() {
      const body = new FormData(form);
      body.delete("file");
      return body;
    }
    const post = () => fetch("/draft", { method: "POST", body: typed(), redirect: "manual", signal: AbortSignal.timeout(20000) });
    // Whether the server would take it: what is wrong, or nothing. After another
    // login, in another tab, forms get its token.
    async function ready() {
      const answer = await fetch("/help", { redirect: "manual", signal: AbortSignal.timeout(20000) });
      if (answer.type === "opaqueredirect") return "You are logged out: log in in another tab, then go on here";
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const token = one("[name=csrf]", page)?.value;
      if (token) for (const input of all("[name=csrf]")) input.value = token;
      return token ? "" : "The server does not take it now: try again";
    }
    async function send() {
      if (out) out = await ready();
      let answer = out ? null : await post();
      if (answer?.status === 403) {
        out = await ready();
        if (!out) answer = await post();
      }
      if (out) {
        changed = true;
        return `Draft not saved yet. ${out}`;
      }
      if (!answer.ok) return `Draft not saved (${answer.status}): copy your text before you leave`;
      const told = await answer.json();
      if (told.sent) return "This message has been sent already: what you type now is not saved";
      form.elements.draft.value = told.draft;
      // Who comes back to this page finds the draft, not an empty form.
      history.replaceState(null, "", `/compose?draft=${told.draft}&compose=${form.elements.compose.value}`);
      return `Draft saved at ${new Date().toLocaleTimeString([], { timeStyle: "short" })}${files.files.length ? ", without the files that you have chosen: press Save draft" : ""}`;
    }
    // Nothing is ever saved twice at once: each save takes the place of the one
    // before, whose key it has to know.
    function save() {
      clearTimeout(timer);
      timer = 0;
      if (saving || leaving) return;
      changed = false;
      saving = send().catch(() => {
        changed = true;
        return "Draft not saved: the server cannot be reached; trying again";
      }).then((told) => {
        saved.textContent = told;
        saving = null;
        if (changed) later(out ? 15000 : 2500);
      });
    }
    function later(ms = 2500) {
      changed = true;
      if (!timer && !saving && !leaving) timer = setTimeout(save, ms);
    }
    form.addEventListener("input", (event) => { if (event.target.type !== "file") later(); });
    form.addEventListener("submit", (event) => {
      const button = event.submitter;
      if (leaving) return event.preventDefault();
      // The server would not even read it.
      if (button?.value !== "discard" && bytesChosen() > files.dataset.most) {
        event.preventDefault();
        saved.textContent = "The files are too large to go: choose fewer";
        return;
      }
      if (saving) {
        event.preventDefault();
        saving.then(() => form.requestSubmit(button));
        return;
      }
      if (button?.value === "save" && !files.files.length) {
        event.preventDefault();
        return save();
      }
      // A form that is sent to nowhere would be lost.
      if (!checked) {
        event.preventDefault();
        ready().catch(() => "The server cannot be reached: try again").then((wrong) => {
          saved.textContent = wrong;
          checked = !wrong;
          if (checked) form.requestSubmit(button);
        });
        return;
      }
      checked = false;
      leaving = true;
      clearTimeout(timer);
      timer = 0;
      // Who has stopped it meanwhile goes on here; what has been sent is not
      // sent twice.
      setTimeout(() => { leaving = false; }, 10000);
    });
    window.addEventListener("pageshow", () => { leaving = false; });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.defaultPrevented) return;
      if (event.ctrlKey || event.metaKey) one("button[value=send]", form).click();
      else if (event.target.matches("input[type=text]")) event.preventDefault();
    });
    // Who goes away while something is not saved: it is sent behind him, unless
    // an earlier save is under way, whose draft it could not replace. Files
    // that were chosen only go with a button.
    window.addEventListener("beforeunload", (event) => {
      if (!leaving && ((changed && saving) || files.files.length)) event.preventDefault();
    });
    window.addEventListener("pagehide", () => {
      if (changed && !saving && !leaving) navigator.sendBeacon("/draft", typed());
      changed = false;
    });
    // Files chosen later come to those chosen before.
    let chosen = [];
    const bytesChosen = () => chosen.reduce((total, file) => total + file.size, 0);
    const clear = one("#files-clear");
    function showFiles() {
      const sum = new DataTransfer();
      for (const file of chosen) sum.items.add(file);
      files.files = sum.files;
      const bytes = bytesChosen();
      one("#files-told").textContent = chosen.length ? `${chosen.map((file) => file.name).join(", ")}: ${bytes < 1048576 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`}` : "";
      if (bytes > files.dataset.most) one("#files-told").textContent += `, which is too much: ${Math.floor(files.dataset.most / 1048576)} MB can go at most`;
      clear.hidden = !chosen.length;
    }
    files.addEventListener("change", () => {
      for (const file of files.files)
        if (!chosen.some((other) => other.name === file.name && other.size === file.size)) chosen.push(file);
      showFiles();
    });
    clear.addEventListener("click", () => { chosen = []; showFiles(); files.focus(); });
    form.elements.zone.value = -new Date().getTimezoneOffset();
    const text = one("textarea", form);
    if (text.dataset.top !== undefined) text.setSelectionRange(0, 0);
    for (const input of all("input[data-complete]", form)) complete(input);
  }

  // A list of addresses under the input: the pattern of a combobox (ARIA 1.2).
  function complete(input) {
    const list = document.createElement("ul");
    let offers = [], at = -1, asked = 0;
    list.className = "offers";
    list.id = `${input.id}-offers`;
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Known addresses");
    for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-controls", list.id],
      ["aria-autocomplete", "list"], ["autocomplete", "off"]]) input.setAttribute(name, value);
    input.after(list);

    const start = () => {
      let quoted = false, from = 0;
      const text = input.value.slice(0, input.selectionStart);
      for (let index = 0; index < text.length; index++) {
        if (text[index] === "\"") quoted = !quoted;
        if (text[index] === "," && !quoted) from = index + 1;
      }
      return from;
    };
    function show(found) {
      const pointed = offers[at];
      offers = found;
      at = -1;
      list.replaceChildren(...offers.map((offer, index) => {
        const item = document.createElement("li");
        item.textContent = offer;
        item.id = `${list.id}-${index}`;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", "false");
        item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(index); });
        return item;
      }));
      list.hidden = !offers.length;
      input.setAttribute("aria-expanded", String(!list.hidden));
      input.removeAttribute("aria-activedescendant");
      // What was pointed to before the answer to the next letter came still is.
      if (offers.includes(pointed)) point(offers.indexOf(pointed));
    }
    function point(index) {
      at = index;
      all("li", list).forEach((item, number) => item.setAttribute("aria-selected", String(number === at)));
      input.setAttribute("aria-activedescendant", `${list.id}-${at}`);
    }
    function take(index) {
      const from = start(), end = input.selectionStart;
      const before = input.value.slice(0, from) + (from ? " " : "") + offers[index] + ", ";
      input.value = before + input.value.slice(end).replace(/^[\s,]+/, "");
      input.setSelectionRange(before.length, before.length);
      show([]);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
    input.addEventListener("input", async () => {
      const word = input.value.slice(start(), input.selectionStart).trim();
      const mine = ++asked;
      if (word.length < 1) return show([]);
      try {
        const answer = await fetch(`/contacts?q=${encodeURIComponent(word)}`, { redirect: "error" });
        if (mine === asked) show(answer.ok ? await answer.json() : []);
      } catch { if (mine === asked) show([]); }
    });
    input.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        point((at + (event.key === "ArrowDown" ? 1 : offers.length - 1) + (at < 0 && event.key === "ArrowUp" ? 1 : 0)) % offers.length);
      } else if ((event.key === "Enter" || event.key === "Tab") && at >= 0) {
        event.preventDefault();
        take(at);
      } else if (event.key === "Escape") {
        event.preventDefault();
        show([]);
      }
    });
    input.addEventListener("blur", () => { asked++; show([]); });
  }
})();
