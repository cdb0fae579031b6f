// The board player of one game.
import { corner, drawBoard, element, follow, make, snakeRows } from "./board.js";

const box = document.getElementById("player");
const at = (id) => document.getElementById(id);
const answer = await fetch(box.dataset.game, { headers: { Accept: "application/json" } });
if (answer.ok) play(await answer.json());

function play(game) {
  const boards = game.frames.map(follow());
  const thoughts = new Map(game.thoughts.map((each) => [each.turn, each]));
  const deaths = new Map(game.deaths.map((death) => [death.snake, death.words]));
  let place = Math.max(0, boards.findLastIndex((board) => board.turn <= Number(box.dataset.turn)));
  let timer = 0;

  // The move that our snake would choose now, as an arrow from its head.
  function drawThought(svg, board) {
    const thought = thoughts.get(board.turn), mine = board.snakes.find((piece) => piece.snake === game.you);
    const step = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] }[thought?.chosen];
    if (!mine || !step) return;
    const [x, y] = corner(game, mine.body[0]);
    make("path", { class: "think", d: `M${x + 0.5} ${y + 0.5}l${step[0] * 0.85} ${step[1] * 0.85}` }, svg);
    make("circle", { class: "think", cx: x + 0.5 + step[0], cy: y + 0.5 + step[1], r: 0.18 }, svg);
  }

  function drawThoughts(board) {
    const thought = thoughts.get(board.turn), here = at("thoughts");
    if (!thoughts.size) return;
    if (!thought) { here.replaceChildren(element("p", null, "It was not asked about this turn.", "empty")); return; }
    const said = element("p", null, `It played ${thought.played || "–"}, and would choose ${thought.chosen} now: ${thought.depth} turn${thought.depth === 1 ? "" : "s"} ahead, ${thought.positions.toLocaleString("en")} positions.`);
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

  // What it thought when it moved: its own log tells. A search values its best move exactly, the others from above.
  function drawOwn(board) {
    const here = at("own"), own = board.own;
    if (!here) return;
    if (!own) { here.replaceChildren(element("p", null, "It was not asked on this turn, or had no answer of its own.", "empty")); return; }
    const short = (value) => Math.abs(value) >= 1000 ? value.toFixed(0) : Number(value.toPrecision(4)).toString();
    const ahead = own.d ? `: ${own.d} turn${own.d === 1 ? "" : "s"} ahead, ${own.n.toLocaleString("en")} positions` : "";
    const word = own.m.charAt(0).toUpperCase() + own.m.slice(1);
    const said = element("p", null, `${word}, ${short(own.v)}${ahead}, answered in ${own.ms.toFixed(1)} ms.`);
    const table = element("table"), head = element("tr", table);
    element("th", head, "move");
    element("th", head, "score", "n");
    own.s.forEach(([move, value], place) => {
      const row = element("tr", table);
      element("td", row, move);
      element("td", row, (own.d && place ? "at most " : "") + short(value), "n");
    });
    here.replaceChildren(said, ...(own.s.length ? [table] : []));
  }

  function show(next, keepUrl) {
    place = Math.min(boards.length - 1, Math.max(0, next));
    const board = boards[place], link = `${box.dataset.link}&turn=${board.turn}`;
    const svg = drawBoard(game, board, "board");
    drawThought(svg, board);
    at("board-here").replaceChildren(svg);
    at("snakes").replaceChildren(...snakeRows(game, board, (seat) => deaths.get(seat) || ""));
    drawThoughts(board);
    drawOwn(board);
    at("scrub").value = board.turn;
    at("turn").textContent = board.turn;
    at("here").href = link;
    if (!keepUrl) history.replaceState(null, "", link);
  }

  function stop() { clearInterval(timer); timer = 0; at("play").textContent = "Play"; history.replaceState(null, "", at("here").href); }

  function run() {
    if (timer) { stop(); return; }
    if (place === boards.length - 1) place = -1;
    at("play").textContent = "Pause";
    timer = setInterval(() => { if (place >= boards.length - 1) stop(); else show(place + 1, true); }, 1000 / Number(at("speed").value));
  }

  function faster(by) {
    const speed = at("speed");
    speed.selectedIndex = Math.min(speed.options.length - 1, Math.max(0, speed.selectedIndex + by));
    if (timer) { stop(); run(); }
  }

  const deeds = { first: () => show(0), back: () => show(place - 1), step: () => show(place + 1), last: () => show(boards.length - 1) };
  for (const [id, deed] of Object.entries(deeds))
    at(id).addEventListener("click", (event) => { event.preventDefault(); if (timer) stop(); deed(); });
  at("play").addEventListener("click", run);
  at("speed").addEventListener("change", () => faster(0));
  at("scrub").addEventListener("input", () => { if (timer) stop(); show(boards.findLastIndex((board) => board.turn <= Number(at("scrub").value))); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("select, textarea, input:not([type=range])")) return;
    const keys = { ArrowLeft: deeds.back, ArrowRight: deeds.step, Home: deeds.first, End: deeds.last, "+": () => faster(1), "-": () => faster(-1) };
    if (event.key === " " && !event.target.matches("a, button, summary")) { event.preventDefault(); run(); return; }
    const deed = keys[event.key];
    if (!deed || (event.target.matches("input[type=range]") && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    if (timer && event.key.length > 1) stop();
    deed();
  });
  for (const id of ["play", "scrub", "speed-box", "keys"]) at(id).hidden = false;
  show(place, true);
  document.body.dataset.player = "ready";
}
