// The board player. Frames are those of the game log (schemas/game.py): bodies follow from frame to frame. Names and
// shouts only ever become text nodes.
"use strict";
(async () => {
  const SVG = "http://www.w3.org/2000/svg", COLOURS = 8, LONGEST = 4000;
  const box = document.getElementById("player");
  if (!box) return;
  const at = (id) => document.getElementById(id);
  const answer = await fetch(box.dataset.game, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const game = await answer.json();
  const boards = unrolled(game.frames);
  const thoughts = new Map(game.thoughts.map((each) => [each.turn, each]));
  let place = Math.max(0, boards.findLastIndex((board) => board.turn <= Number(box.dataset.turn)));
  let timer = 0;

  function pairs(flat) {
    const found = [];
    for (let i = 0; i + 1 < flat.length; i += 2) found.push([flat[i], flat[i + 1]]);
    return found;
  }

  // A body is the new head before the old body less its last cell; where it grew, its last cell stands again.
  function unrolled(frames) {
    const found = [];
    let bodies = new Map(), food = [], hazards = [];
    for (const frame of frames) {
      if (frame.b) bodies = new Map(frame.b.map(([snake, flat]) => [snake, pairs(flat)]));
      else bodies = new Map(frame.s.map(([snake, , length, x, y]) => {
        const body = [[x, y], ...(bodies.get(snake) || []).slice(0, -1)];
        while (body.length < Math.min(length, LONGEST)) body.push(body[body.length - 1]);
        return [snake, body];
      }));
      if (frame.f) food = pairs(frame.f);
      if (frame.z) hazards = pairs(frame.z);
      found.push({
        turn: frame.t, food, hazards, times: new Map(frame.l || []), shouts: new Map(frame.w || []),
        snakes: frame.s.map(([snake, health, , x, y]) => ({ snake, health, body: bodies.get(snake) || [[x, y]] })),
      });
    }
    return found;
  }

  function make(name, attributes, parent, text) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    parent?.append(node);
    return node;
  }

  function element(name, parent, text, look) {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    if (look) node.className = look;
    parent?.append(node);
    return node;
  }

  const corner = ([x, y]) => [x, game.height - 1 - y];

  function drawBoard(board) {
    const svg = make("svg", { class: "board", id: "board", viewBox: `0 0 ${game.width} ${game.height}`, role: "img" });
    for (let y = 0; y < game.height; y++) for (let x = 0; x < game.width; x++)
      make("rect", { class: "cell", x: x + 0.03, y: y + 0.03, width: 0.94, height: 0.94, rx: 0.08 }, svg);
    const layers = new Map();
    for (const cell of board.hazards) layers.set(String(cell), (layers.get(String(cell)) || 0) + 1);
    for (const [key, count] of layers) {
      const [x, y] = corner(key.split(",").map(Number));
      make("rect", { class: "hazard", x: x + 0.03, y: y + 0.03, width: 0.94, height: 0.94, rx: 0.08, opacity: Math.min(0.75, 0.28 + 0.12 * (count - 1)) }, svg);
    }
    for (const cell of board.food) { const [x, y] = corner(cell); make("circle", { class: "food", cx: x + 0.5, cy: y + 0.5, r: 0.24 }, svg); }
    for (const piece of board.snakes) drawSnake(svg, piece);
    drawThought(svg, board);
    const words = board.snakes.map((piece) => `${game.names[piece.snake]} at ${piece.body[0].join(", ")}, length ${piece.body.length}, health ${piece.health}`);
    svg.setAttribute("aria-label", `Turn ${board.turn}: ${words.join(", ") || "no snake lives"}`);
    at("board-here").replaceChildren(svg);
  }

  function drawSnake(svg, piece) {
    const group = make("g", { class: "s" + (piece.snake % COLOURS) }, svg);
    let path = "", before = null;
    for (const cell of piece.body) {
      const [x, y] = corner(cell);
      const joined = before && Math.abs(before[0] - x) + Math.abs(before[1] - y) <= 1;
      path += `${joined ? "L" : "M"}${x + 0.5} ${y + 0.5}${joined ? "" : "h0.001"}`;
      before = [x, y];
    }
    const [x, y] = corner(piece.body[0]);
    make("path", { class: "body", d: path, "stroke-width": 0.6 }, group);
    make("circle", { class: "head", cx: x + 0.5, cy: y + 0.5, r: 0.42 }, group);
    make("circle", { class: "eye", cx: x + 0.5, cy: y + 0.42, r: 0.12 }, group);
  }

  // The move that our snake would choose now, as an arrow from its head.
  function drawThought(svg, board) {
    const thought = thoughts.get(board.turn), mine = board.snakes.find((piece) => piece.snake === game.you);
    const step = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] }[thought?.chosen];
    if (!mine || !step) return;
    const [x, y] = corner(mine.body[0]);
    make("path", { class: "think", d: `M${x + 0.5} ${y + 0.5}l${step[0] * 0.85} ${step[1] * 0.85}` }, svg);
    make("circle", { class: "think", cx: x + 0.5 + step[0], cy: y + 0.5 + step[1], r: 0.18 }, svg);
  }

  function drawSnakes(board) {
    const living = new Map(board.snakes.map((piece) => [piece.snake, piece]));
    const deaths = new Map(game.deaths.map((death) => [death.snake, death]));
    at("snakes").replaceChildren(...game.names.map((name, seat) => {
      const piece = living.get(seat), row = element("tr", null, undefined, `s${seat % COLOURS}${piece ? "" : " gone"}`);
      const cell = element("td", row);
      element("i", cell, "", "swatch");
      element(seat === game.you ? "b" : "span", cell, name);
      if (!piece && deaths.has(seat)) { element("br", cell); element("span", cell, deaths.get(seat).words, "dim"); }
      if (board.shouts.has(seat)) { element("br", cell); element("span", cell, `“${board.shouts.get(seat)}”`); }
      const health = element("td", row);
      if (piece) {
        const bar = make("svg", { class: "health", viewBox: "0 0 100 8", role: "img", "aria-label": "health " + piece.health, preserveAspectRatio: "none" }, health);
        make("rect", { class: "track", width: 100, height: 8, rx: 2 }, bar);
        make("rect", { class: "fill", width: Math.max(0, piece.health), height: 8, rx: 2 }, bar);
        health.append(" " + piece.health);
      }
      element("td", row, piece ? piece.body.length : "", "n");
      element("td", row, piece ? board.times.get(seat) ?? "" : "", "n");
      return row;
    }));
  }

  function drawThoughts(board) {
    const thought = thoughts.get(board.turn), here = at("thoughts");
    if (!thoughts.size) return;
    if (!thought) { here.replaceChildren(element("p", null, "It was not asked about this turn.", "empty")); return; }
    const said = element("p", null, `It played ${thought.played || "–"}, and would choose ${thought.chosen} now: ${thought.depth} turns ahead, ${thought.positions.toLocaleString("en")} positions.`);
    const table = element("table"), head = element("tr", table);
    for (const [words, look] of [["move"], ["score", "n"], ["holds"], ["turns ahead", "n"], ["positions", "n"]]) element("th", head, words, look);
    for (const move of thought.moves) {
      const row = element("tr", table);
      element("td", row, move.move);
      element("td", row, move.value.toFixed(1), "n");
      element("td", row, move.holds ? "yes" : "no");
      element("td", row, move.depth, "n");
      element("td", row, move.positions.toLocaleString("en"), "n");
    }
    here.replaceChildren(said, table);
  }

  function show(next, keepUrl) {
    place = Math.min(boards.length - 1, Math.max(0, next));
    const board = boards[place], link = `${box.dataset.link}&turn=${board.turn}`;
    drawBoard(board);
    drawSnakes(board);
    drawThoughts(board);
    at("scrub").value = board.turn;
    at("turn").textContent = board.turn;
    at("here").href = link;
    if (!keepUrl) history.replaceState(null, "", link);
  }

  function stop() { clearInterval(timer); timer = 0; at("play").textContent = "Play"; history.replaceState(null, "", at("here").href); }

  function play() {
    if (timer) { stop(); return; }
    if (place === boards.length - 1) place = -1;
    at("play").textContent = "Pause";
    timer = setInterval(() => { if (place >= boards.length - 1) stop(); else show(place + 1, true); }, 1000 / Number(at("speed").value));
  }

  function faster(by) {
    const speed = at("speed");
    speed.selectedIndex = Math.min(speed.options.length - 1, Math.max(0, speed.selectedIndex + by));
    if (timer) { stop(); play(); }
  }

  const deeds = { first: () => show(0), back: () => show(place - 1), step: () => show(place + 1), last: () => show(boards.length - 1) };
  for (const [id, deed] of Object.entries(deeds))
    at(id).addEventListener("click", (event) => { event.preventDefault(); if (timer) stop(); deed(); });
  at("play").addEventListener("click", play);
  at("speed").addEventListener("change", () => faster(0));
  at("scrub").addEventListener("input", () => { if (timer) stop(); show(boards.findLastIndex((board) => board.turn <= Number(at("scrub").value))); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select, textarea, input:not([type=range])")) return;
    const keys = { ArrowLeft: deeds.back, ArrowRight: deeds.step, Home: deeds.first, End: deeds.last, "+": () => faster(1), "-": () => faster(-1) };
    if (event.key === " " && !event.target.matches("a, button, summary")) { event.preventDefault(); play(); return; }
    const deed = keys[event.key];
    if (!deed || (event.target.matches("input[type=range]") && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    if (timer && event.key.length > 1) stop();
    deed();
  });
  for (const id of ["play", "scrub", "speed-box", "keys"]) at(id).hidden = false;
  show(place, true);
  document.body.dataset.player = "ready";
})();
