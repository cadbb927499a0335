"use strict";
/* Cards come as the server draws them; this swaps them in, counts ages, and opens a station. */
(() => {
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  const cards = $("cards"), detail = $("detail"), main = document.querySelector("main");
  const wide = matchMedia("(min-width: 1080px)");
  const QUALITY = { 1: "good", 2: "good", 3: "suspect", 4: "failed", 9: "no reading" };
  const CAP = 20000; // readings kept here of an open station

  let dismissed = false; // a person closed the station: don't open one unasked again
  let offset = 0, fixedNow = null; // wall: the server's clock minus ours; newest: the newest reading's time
  let open = null, hours = 24, chosen = null, rows = [], about = null, fetching = null, again = false, chart = null;

  function setNow(ms) {
    if (root.dataset.clock === "newest") fixedNow = ms;
    else offset = ms - Date.now();
  }
  const now = () => fixedNow ?? Date.now() + offset;
  setNow(Number(root.dataset.now));

  const dateTime = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const withYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  const short = (ms) => (Math.abs(now() - ms) > 300 * 864e5 ? withYear : dateTime).format(ms);

  function age(ms) {
    const s = Math.max(0, Math.round((now() - ms) / 1000));
    if (s < 5) return "just now";
    if (s < 90) return s + " s ago";
    if (s < 5400) return Math.round(s / 60) + " min ago";
    if (s < 129600) return Math.round(s / 3600) + " h ago";
    return Math.round(s / 86400) + " days ago";
  }

  function tick() {
    for (const time of cards.querySelectorAll("time.age")) {
      const text = age(Number(time.dataset.ms));
      if (time.textContent !== text) time.textContent = text;
      time.title = withYear.format(Number(time.dataset.ms));
    }
    $("clock").textContent = withYear.format(now());
  }

  function live(state, words) {
    $("live").dataset.live = state;
    const said = $("live").querySelector(".words");
    if (said.textContent !== words) said.textContent = words;
  }

  function count() {
    const numbers = { silent: 0 };
    for (const card of cards.children) {
      const state = card.classList.contains("silent") ? "silent" : card.dataset.state;
      numbers[state] = (numbers[state] || 0) + 1;
    }
    for (const tile of document.querySelectorAll("[data-count]")) {
      const number = numbers[tile.dataset.count] || 0;
      tile.querySelector("b").textContent = number;
      tile.toggleAttribute("data-none", !number);
    }
    const worst = ["danger", "warning", "alert"].find((state) => numbers[state]);
    const name = document.querySelector(".brand h1").textContent;
    document.title = worst ? `(${numbers[worst]} ${worst}) ${name}` : name;
    $("nobody").hidden = cards.children.length > 0;
  }

  function find(key) {
    return [...cards.children].find((card) => card.dataset.key === key);
  }

  function swap(told) {
    const had = document.activeElement?.closest?.(".card")?.dataset.key;
    if (told.whole) {
      const keys = new Set(told.cards.map((card) => card.key));
      for (const card of [...cards.children]) if (!keys.has(card.dataset.key)) card.remove();
    }
    for (const card of told.cards) {
      const holder = document.createElement("template");
      holder.innerHTML = card.html;
      const made = holder.content.firstElementChild;
      const old = find(card.key);
      if (old && old.dataset.state !== made.dataset.state) made.classList.add("fresh");
      if (card.key === open) made.setAttribute("data-open", "");
      if (old) old.replaceWith(made);
      else cards.append(made);
    }
    sort();
    if (had) find(had)?.querySelector(".open").focus({ preventScroll: true });
    count();
  }

  function sort() {
    const name = (card) => card.querySelector(".open").textContent;
    const wanted = [...cards.children].sort((a, b) => a.dataset.rank - b.dataset.rank || name(a).localeCompare(name(b)));
    wanted.forEach((card, i) => { if (cards.children[i] !== card) cards.insertBefore(card, cards.children[i]); });
  }

  function listen() {
    const stream = new EventSource("/api/stream?after=" + root.dataset.place);
    stream.addEventListener("cards", (event) => {
      const told = JSON.parse(event.data);
      root.dataset.place = event.lastEventId;
      setNow(told.now_ms);
      live(told.trouble.length ? "lost" : "live", told.trouble.length ? "Trouble" : "Live");
      $("trouble").hidden = !told.trouble.length;
      $("trouble-words").textContent = told.trouble.join("; ");
      swap(told);
      tick();
      if (open && told.cards.some((card) => card.key === open)) refresh();
      else if (!open && !dismissed && wide.matches && cards.firstElementChild) show(cards.firstElementChild.dataset.key, false);
    });
    stream.onerror = () => {
      live("lost", "Connection lost");
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
  }

  // One station

  function show(key, byHand) {
    for (const card of cards.querySelectorAll("[data-open]")) card.removeAttribute("data-open");
    open = key;
    chosen = null;
    rows = [];
    const card = find(key);
    card.setAttribute("data-open", "");
    detail.hidden = false;
    main.classList.add("split");
    document.body.classList.toggle("detailed", !wide.matches);
    $("detail-title").textContent = card.querySelector(".open").textContent;
    $("detail-words").textContent = "";
    $("settings-link").href = `/stations/${key}/settings`;
    for (const id of ["events", "quantities", "states"]) $(id).replaceChildren();
    $("source").textContent = "";
    if (byHand) $("detail-title").focus({ preventScroll: wide.matches });
    refresh(true);
  }

  function close() {
    const card = find(open);
    open = null;
    detail.hidden = true;
    main.classList.remove("split");
    document.body.classList.remove("detailed");
    card?.removeAttribute("data-open");
    card?.querySelector(".open").focus();
    dismissed = true;
  }

  async function get(path) {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(path);
    return answer.json();
  }

  async function refresh(whole) {
    if (fetching) { again = again || (whole ? "whole" : "more"); return; }
    const key = open, name = chosen, [district, node] = key.split("/");
    const from = now() - hours * 36e5;
    const more = !whole && rows.length > 4 && about.as !== "bars";
    const overlap = more ? rows[rows.length - 4][0] : 0; // the last ones may have got their final flag
    const which = `district=${district}` + (name ? `&name=${encodeURIComponent(name)}` : "");
    fetching = Promise.all([
      get(`/api/stations/${node}/series?${which}&` + (overlap ? `since_ms=${overlap}` : `hours=${hours}`)),
      get(`/api/events?limit=30&node=${node}&district=${district}`),
      get(`/api/stations?node=${node}&district=${district}`),
    ]);
    try {
      const [series, events, all] = await fetching;
      if (key === open && name === chosen && all.stations.length) {
        chosen = series.name;
        take(series, overlap, from);
        draw(all.stations[0], events.events);
      }
    } catch {
      $("chart-words").textContent = "The gateway did not answer; this drawing may be old.";
    }
    fetching = null;
    if (again && open) {
      const next = again === "whole";
      again = false;
      setTimeout(() => refresh(next), next ? 0 : 1500);
    }
  }

  /* What came becomes `rows` of [ms, values, flags], in the unit a person reads. */
  function take(series, overlap, from) {
    let found = [series, ...series.more].map((one) => ({ name: one.name ?? series.name, v: one.v, q: one.q }));
    const silent = (one) => one.v.every((v) => v == null);
    if (!found.every(silent)) found = found.filter((one) => found.length === 1 || !silent(one));
    const names = found.map((one) => one.name), { factor } = series.shown;
    if (overlap && names.join() !== about.names.join()) { again = "whole"; return; }
    const lines = Object.fromEntries(Object.entries(series.lines).map(([name, line]) => [name, line * factor]));
    about = { ...series.shown, key: series.key, label: series.label, names, lines, stretch_ms: series.stretch_ms };
    const came = series.t_ms.map((t, i) => [t, found.map(({ v }) => (v[i] == null ? null : v[i] * factor)), found.map(({ q }) => q[i])]);
    rows = (overlap ? rows.filter((row) => row[0] < overlap && row[0] >= from) : []).concat(came).slice(-CAP);
  }

  const number = (v) => `${v.toFixed(about.decimals)}${about.unit === "°" ? "" : " "}${about.unit}`.trim();
  const nameOf = (name) => {
    const instance = Number(/:(\d+)$/.exec(name)?.[1] ?? 1);
    return /^(panel|module|performance|soiling)_/.test(name) ? `Panel ${instance}` : `${about.label} ${instance}`;
  };

  function draw(station, events) {
    chart ??= Chart.make($("chart"), pointed);
    const to = Math.max(now(), rows.length ? rows[rows.length - 1][0] : 0);
    chart.show(rows, about, to - hours * 36e5, to);
    pointed(null);
    const said = sentence();
    $("chart-words").textContent = said;
    $("chart").setAttribute("aria-label", `${about.label} of ${station.title}. ${said}`);
    const state = station.silent ? `no contact, last known ${station.state_words.en.toLowerCase()}` : station.state_words.en.toLowerCase();
    const since = station.since_ms && station.state !== "unknown" ? ` since ${short(station.since_ms)}` : "";
    $("detail-words").textContent = [state + since, station.label, station.node, station.version && "firmware " + station.version, ...(station.standing || [])].filter(Boolean).join(" · ");
    $("source").textContent = station.source ? "Source: " + station.source : "";
    buttons(station.groups);
    conditions(station.quantities);
    $("events").replaceChildren(...(events.length ? events.map(line) : [plain("Nothing has happened yet.")]));
  }

  /* The drawing in words. */
  function sentence() {
    const usable = rows.flatMap(([, v, q]) => v.filter((value, i) => value != null && q[i] < 4));
    if (!usable.length) return `No usable reading in ${words(hours)}.`;
    if (about.as === "bars") return `${number(usable.reduce((a, b) => a + b, 0))} in ${words(hours)}; each bar is ${stretch(about.stretch_ms)}.`;
    const of = about.names.length > 1 ? ` of ${about.names.length}` : "";
    return `${rows.length} readings${of} in ${words(hours)}: lowest ${number(Math.min(...usable))}, highest ${number(Math.max(...usable))}.`;
  }

  const stretch = (ms) => (ms < 36e5 ? `${ms / 6e4} minutes` : ms < 864e5 ? "an hour" : "a day");

  function span(text, name) {
    const made = document.createElement("span");
    made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  /* One button for each kind that can be drawn; they stay where they are, so that focus does too. */
  function buttons(groups) {
    const box = $("quantities"), old = new Map([...box.children].map((button) => [button.dataset.name, button]));
    const made = groups.map((group) => {
      const button = old.get(group.key) ?? Object.assign(document.createElement("button"), { type: "button" });
      button.dataset.name = group.key;
      button.setAttribute("aria-pressed", String(group.key === about.key));
      if (button.textContent !== group.label + group.text) button.replaceChildren(span(group.label, "q-label"), span(group.text, group.ok ? "q-text" : "q-text none"));
      return button;
    });
    if (made.length !== box.children.length || made.some((button, i) => box.children[i] !== button)) box.replaceChildren(...made);
    box.hidden = made.length < 2;
  }

  /* What is said in words: the lid, each panel's diagnosis, what a newer station says. */
  function conditions(quantities) {
    const several = (q) => quantities.filter((other) => other.key === q.key).length > 1;
    const said = quantities.filter((q) => q.word || q.name.startsWith("unknown:"));
    $("states").replaceChildren(...said.map((q) => {
      const item = document.createElement("li");
      item.dataset.word = q.text;
      item.append(span(several(q) ? `${q.label} ${q.instance}` : q.label), span(q.ok ? q.text : q.quality, "word"));
      return item;
    }));
  }

  const words = (h) => (h > 24 ? h / 24 + " days" : h + " hours");

  function plain(text) {
    const item = document.createElement("li");
    item.className = "plain";
    item.textContent = text;
    return item;
  }

  function line(event) {
    const item = document.createElement("li"), time = document.createElement("time"), text = document.createElement("span");
    time.textContent = event.t_ms == null ? "time not known" : short(event.t_ms);
    text.textContent = event.text;
    if (event.kind === "alarm") text.className = "is-alarm";
    item.append(time, text);
    return item;
  }

  /* The reading under the pointer, else the newest: a sentence, or beside each name when there are several. */
  function pointed(row) {
    row ??= rows.length ? rows[rows.length - 1] : null;
    const several = about.names.length > 1, value = (i) => (row?.[1][i] == null ? "–" : number(row[1][i]));
    const all = several && row && about.many === "sum" ? ` · together ${number(row[1].reduce((a, b) => a + (b ?? 0), 0))}` : "";
    const one = row && (row[1][0] == null ? "no reading" : `${exact(row[1][0])} · ${QUALITY[row[2][0]] ?? ""}`);
    $("at").textContent = row ? short(row[0]) + (several ? all : " · " + one) : "";
    const key = document.querySelector(".key"), marks = [$("key-suspect"), $("key-failed")];
    marks.forEach((mark, i) => { mark.hidden = !rows.some(([, , q]) => q.includes(3 + i)); });
    key.replaceChildren(...about.names.map((name, i) => {
      const item = document.createElement("li"), swatch = span("", `k line s${several ? i % Chart.COLOURS : "-one"}`);
      swatch.setAttribute("aria-hidden", "true");
      item.append(swatch, several ? `${nameOf(name)} ` : about.label);
      if (several) item.append(span(value(i), "k-value"));
      return item;
    }), ...marks);
  }

  /* A level is read to the millimetre. */
  const exact = (v) => (about.key === "level" ? `${v.toFixed(3)} m` : number(v));

  cards.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (card) show(card.dataset.key, true);
  });
  $("close").addEventListener("click", close);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && open) close(); });
  wide.addEventListener("change", () => document.body.classList.toggle("detailed", Boolean(open) && !wide.matches));
  document.querySelector(".ranges").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    hours = Number(button.dataset.hours);
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    refresh(true);
  });

  $("quantities").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    chosen = button.dataset.name;
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
    refresh(true);
  });

  $("zone").textContent = `Times are ${Intl.DateTimeFormat().resolvedOptions().timeZone || "local"} time.`;
  count();
  tick();
  setInterval(tick, 1000);
  listen();
  if (wide.matches && cards.firstElementChild) show(cards.firstElementChild.dataset.key, false);
})();
