"use strict";
(function () {
  const SHOWN = 12;
  const byId = (id) => document.getElementById(id);
  const search = byId("search"), found = byId("found"), rated = byId("rated"), list = byId("list");
  const sliders = { popularity: byId("popularity"), novelty: byId("novelty") };
  let movies = []; // {item_id, title, year, genres, stars}, the oldest first; stars 0 where not given, -1 not for me
  let readsRatings = false;
  let scale = { lowest: 0.5, highest: 5 }; // of the bundle's ratings; five stars stand for its upper end
  let key = "reeltune-ratings"; // in the browser's store; each catalogue has its own

  // --- Small helpers -------------------------------------------------------------------------------
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // "Godfather, The (1972)" reads "The Godfather"; the year stands apart.
  function reading(title) {
    const name = title.replace(/\s*\(\d{4}\)\s*$/, "");
    const moved = /^(.*), (The|A|An|Le|La|Les|L'|Der|Die|Das|Il|El|Los|Las)( \(.*\))?$/.exec(name);
    if (!moved) return name;
    return moved[2] + (moved[2].endsWith("'") ? "" : " ") + moved[1] + (moved[3] ?? "");
  }

  function titleOf(movie, tag = "span") {
    const made = element(tag, { class: "title" }, reading(movie.title));
    if (movie.year) made.append(" ", element("span", { class: "year" }, String(movie.year)));
    return made;
  }

  async function ask(path, { signal, body } = {}) {
    const options = { signal };
    if (body) {
      Object.assign(options, {
        method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" },
      });
    }
    const response = await fetch(path, options);
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail.map((problem) => problem.msg).join(" "));
    return answer;
  }

  // Runs the newest call only: it waits a moment, and ends the one before it.
  function latest(work, wait) {
    let timer = 0, running = null;
    return () => {
      clearTimeout(timer);
      running?.abort();
      timer = setTimeout(async () => {
        running = new AbortController();
        const { signal } = running;
        try {
          await work(signal);
        } catch (error) {
          if (!signal.aborted) tell(error);
        }
      }, wait);
    };
  }

  function tell(error) {
    const isLost = error instanceof TypeError;
    byId("error").textContent = isLost ? "The service does not answer. Is it still running?" : error.message;
    byId("error").hidden = false;
    list.setAttribute("aria-busy", "false");
  }

  // --- Stars -----------------------------------------------------------------------------------------
  let groups = 0;
  function stars(movie, value, onRate) {
    const form = byId(readsRatings ? "stars" : "seen");
    const made = form.content.firstElementChild.cloneNode(true);
    made.querySelector("legend").textContent = `Rate ${reading(movie.title)}`;
    made.dataset.stars = value;
    groups += 1;
    for (const input of made.querySelectorAll("input")) {
      input.name = `stars-${groups}`;
      input.checked = value !== null && Number(input.value) === (readsRatings ? value : Math.min(value, 0));
      input.addEventListener("change", () => {
        made.dataset.stars = input.value;
        onRate(Number(input.value));
      });
    }
    return made;
  }

  // --- The visitor's movies --------------------------------------------------------------------------
  function store() {
    try {
      localStorage.setItem(key, JSON.stringify(movies));
    } catch { /* the list lives as long as the page */ }
  }

  function restore() {
    try {
      const kept = JSON.parse(localStorage.getItem(key) ?? "[]");
      if (Array.isArray(kept)) movies = kept.filter((movie) => movie?.item_id && movie.title);
    } catch { /* an empty list is a fine beginning */ }
  }

  function add(movie, value) {
    movies = movies.filter((other) => other.item_id !== movie.item_id);
    const { item_id, title, year, genres } = movie;
    movies.push({ item_id, title, year, genres, stars: value });
    say(`${reading(title)} added.`);
    changed();
  }

  const isLeftOut = (movie) => movie.stars < 0;
  const toRating = (stars) => scale.highest === 5 && scale.lowest >= 0.5
    ? stars : scale.lowest + ((stars - 0.5) / 4.5) * (scale.highest - scale.lowest);
  const toStars = (rating) => scale.highest === 5 && scale.lowest >= 0.5
    ? rating : 0.5 + ((rating - scale.lowest) / (scale.highest - scale.lowest)) * 4.5;

  // Moves a movie one place towards the older or newer ones; the newest stands on top.
  function move(movie, step) {
    const from = movies.indexOf(movie), to = from + step;
    if (to < 0 || to >= movies.length) return;
    movies.splice(from, 1);
    movies.splice(to, 0, movie);
    changed();
    const name = step > 0 ? "later" : "earlier";
    rated.querySelector(`[data-id="${CSS.escape(movie.item_id)}"] .${name}`).focus();
    say(`${reading(movie.title)} is number ${to + 1} of ${movies.length} in the order of watching.`);
  }

  function row(movie) {
    const made = element("li", {}, titleOf(movie));
    const remove = element("button", { type: "button", class: "remove", title: "Remove" }, "\u00d7");
    remove.setAttribute("aria-label", `Remove ${reading(movie.title)}`);
    remove.addEventListener("click", () => {
      const after = made.nextElementSibling ?? made.previousElementSibling;
      movies = movies.filter((other) => other !== movie);
      changed();
      const place = after && rated.querySelector(`[data-id="${CSS.escape(after.dataset.id)}"] .remove`);
      (place ?? search).focus();
    });
    const group = stars(movie, movie.stars, (value) => {
      movie.stars = value;
      made.classList.toggle("left-out", isLeftOut(movie));
      store();
      refresh();
    });
    made.dataset.id = movie.item_id;
    made.classList.toggle("left-out", isLeftOut(movie));
    const moves = [["later", 1, "\u2191"], ["earlier", -1, "\u2193"]].map(([name, step, sign]) => {
      const button = element("button", { type: "button", class: `move ${name}`, title: `Watched ${name}` }, sign);
      button.setAttribute("aria-label", `${reading(movie.title)} was watched ${name}`);
      button.addEventListener("click", () => move(movie, step));
      return button;
    });
    made.append(group, ...moves, remove);
    return made;
  }

  function changed() {
    store();
    rated.replaceChildren(...movies.toReversed().map(row));
    byId("under").hidden = movies.length === 0;
    refresh();
  }

  byId("clear").addEventListener("click", () => {
    movies = [];
    changed();
    search.focus();
  });

  // --- Search ----------------------------------------------------------------------------------------
  let choices = [], at = -1;

  function mark(index) {
    at = index;
    for (const [place, option] of Array.from(found.querySelectorAll("[role=option]")).entries()) {
      option.setAttribute("aria-selected", String(place === at));
      if (place === at) option.scrollIntoView({ block: "nearest" });
    }
    if (at >= 0) search.setAttribute("aria-activedescendant", `found-${at}`);
    else search.removeAttribute("aria-activedescendant");
  }

  function close() {
    found.hidden = true;
    choices = [];
    search.setAttribute("aria-expanded", "false");
    mark(-1);
  }

  function pick(index) {
    const movie = choices[index];
    search.value = "";
    close();
    search.focus();
    add(movie, movies.find((other) => other.item_id === movie.item_id)?.stars ?? 0);
  }

  const look = latest(async (signal) => {
    const text = search.value.trim();
    if (!text) return close();
    const answer = await ask(`movies?limit=8&q=${encodeURIComponent(text)}`, { signal });
    choices = answer.movies;
    const options = choices.map((movie, index) => {
      const option = element("li", { role: "option", id: `found-${index}`, "aria-selected": "false" });
      option.append(titleOf(movie), element("br"), element("small", {}, movie.genres.join(", ")));
      option.addEventListener("pointerdown", (event) => event.preventDefault());
      option.addEventListener("click", () => pick(index));
      return option;
    });
    const hint = choices.length === 0 ? "No movie of the catalogue comes near." : "No such title. These come near:";
    if (choices.length === 0 || !answer.is_exact) {
      options.unshift(element("li", { class: "hint", role: "presentation" }, hint));
    }
    found.replaceChildren(...options);
    found.hidden = false;
    search.setAttribute("aria-expanded", "true");
    mark(choices.length ? 0 : -1);
    say(choices.length ? `${choices.length} movies found.` : hint);
  }, 120);

  search.addEventListener("input", look);
  search.addEventListener("blur", close);
  search.addEventListener("keydown", (event) => {
    const n = choices.length;
    if (event.key === "ArrowDown" && n) mark((at + 1) % n);
    else if (event.key === "ArrowUp" && n) mark((at - 1 + n) % n);
    else if (event.key === "Enter" && at >= 0) pick(at);
    else if (event.key === "Escape" && !found.hidden) close();
    else return;
    event.preventDefault();
  });

  // --- Recommendations -------------------------------------------------------------------------------
  let saying = 0;
  function say(text) {
    clearTimeout(saying);
    saying = setTimeout(() => { byId("status").textContent = text; }, 300);
  }

  function line(movie, known) {
    const about = element("div", { class: "what" }, titleOf(movie, "h3"));
    about.append(element("small", {}, movie.genres.join(", ")));
    if (movie.because) {
      const verb = movies.find((other) => other.title === movie.because)?.stars >= 3 ? "liked" : "saw";
      about.append(element("p", { class: "why" }, `because you ${verb} `, element("b", {}, reading(movie.because))));
    }
    const hide = element("button", { type: "button", class: "plain" }, "Not for me");
    hide.setAttribute("aria-label", `${reading(movie.title)} is not for me`);
    hide.addEventListener("click", () => leave(movie, -1));
    const rate = stars(movie, readsRatings ? 0 : null, (value) => leave(movie, value));
    const acts = element("div", { class: "acts" }, rate, ...(readsRatings ? [hide] : []));
    const made = element("li", {}, about, acts);
    made.dataset.id = movie.item_id;
    if (known.size && !known.has(movie.item_id)) made.classList.add("new");
    return made;
  }

  // A movie rated in the list moves to the visitor's own; the focus stays in the list.
  function leave(movie, value) {
    byId("next").focus({ preventScroll: true });
    add(movie, value);
  }

  const recommend = latest(async (signal) => {
    const history = movies.filter((movie) => !isLeftOut(movie));
    byId("empty").hidden = history.length > 0;
    byId("error").hidden = true;
    if (history.length === 0) {
      list.replaceChildren();
      list.setAttribute("aria-busy", "false");
      return;
    }
    const body = {
      history: history.slice(-500).map((movie) => ({
        movie: `id:${movie.item_id}`, ...(readsRatings && movie.stars > 0 ? { rating: toRating(movie.stars) } : {}),
      })),
      exclude: movies.filter(isLeftOut).slice(-500).map((movie) => `id:${movie.item_id}`),
      k: SHOWN,
      explain: true,
      popularity: Number(sliders.popularity.value),
      novelty: Number(sliders.novelty.value),
      genres: byId("genre").value ? [byId("genre").value] : [],
    };
    const answer = await ask("recommend", { signal, body });
    const known = new Set(Array.from(list.children, (item) => item.dataset.id));
    list.replaceChildren(...answer.movies.map((movie) => line(movie, known)));
    list.setAttribute("aria-busy", "false");
    const first = answer.movies[0];
    say(first ? `${answer.movies.length} movies; the first is ${reading(first.title)}.` : "No movie passes.");
  }, 100);

  function refresh() {
    list.setAttribute("aria-busy", "true");
    recommend();
  }

  for (const control of [sliders.popularity, sliders.novelty, byId("genre")]) {
    control.addEventListener("input", refresh);
  }

  // --- An export of another service -----------------------------------------------------------------
  byId("file").addEventListener("change", async (event) => {
    const file = event.target.files[0], note = byId("file-note");
    if (!file) return;
    note.textContent = "Reading \u2026";
    try {
      const response = await fetch(`history?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      const answer = await response.json().catch(() => ({ detail: [{ msg: "The file is too large." }] }));
      if (!response.ok) throw new Error(answer.detail.map((problem) => problem.msg).join(" "));
      const read = new Set(answer.movies.map((movie) => movie.item_id));
      const added = answer.movies.map(({ rating, ...movie }) => ({
        ...movie, stars: rating === null ? 0 : Math.max(1, Math.round(toStars(rating))),
      }));
      movies = [...movies.filter((movie) => !read.has(movie.item_id)), ...added];
      note.textContent = `${read.size} movies taken, ${answer.unknown.length} not in the catalogue. ${answer.notes.join(" ")}`;
      changed();
    } catch (error) {
      note.textContent = error.message;
    }
    event.target.value = "";
  });

  // --- Beginning -------------------------------------------------------------------------------------
  async function begin() {
    try {
      const [health, genres] = await Promise.all([ask("health"), ask("genres")]);
      readsRatings = health.reads_ratings;
      scale = { lowest: health.lowest_rating, highest: health.highest_rating };
      byId("examples").replaceChildren(...health.examples.map((movie) => {
        const button = element("button", { type: "button" }, titleOf(movie));
        button.addEventListener("click", () => add(movie, 0));
        return button;
      }));
      key = `reeltune-ratings-${health.dataset}`;
      sliders.popularity.disabled = !health.has_popularity;
      sliders.novelty.disabled = !health.has_embeddings;
      if (sliders.novelty.disabled) sliders.novelty.title = "This model has no vectors of movies to tell novelty from.";
      byId("about").textContent =
        `reeltune · ${health.n_movies.toLocaleString("en")} movies of ${health.dataset} · ${health.model}`;
      byId("genre").append(...genres.map((name) => element("option", { value: name }, name)));
    } catch (error) {
      tell(error);
    }
    restore();
    byId("ratings-note").textContent = readsRatings
      ? "Your stars enter the scores."
      : "The newest stands on top. What is not for you is left out of your taste and of the list.";
    changed();
  }

  begin();
})();
