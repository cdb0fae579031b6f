// The game that is being played, on the page of games: told by `/games/live` as it is played, shown at a speed to follow.
import { drawBoard, element, follow, snakeRows } from "./board.js";

const TURN_MS = 100, BEHIND = 60, AGAIN_MS = 5000;
const at = (id) => document.getElementById(id);
const games = new Map();
let chosen = "", paused = false, stream = null;

const read = { tuner: "Tuner", tournament: "Tournament", play: "ouroboros play", training: "Network's games" };

function hear(event) {
  const told = JSON.parse(event.data);
  if (told.game) {
    const place = Math.floor((told.age_s * 1000) / TURN_MS);
    games.set(told.source, { ...told.game, you: -1, next: follow(), boards: [], place, causes: null });
    if (!paused || !chosen) chosen = told.source;
    drawSources();
  }
  const game = games.get(told.source);
  if (!game) return;
  for (const frame of told.frames) game.boards.push(game.next(frame));
  if (told.causes) game.causes = told.causes;
}

function drawSources() {
  at("live-sources").replaceChildren(...[...games.keys()].map((source) => {
    const button = element("button", null, read[source] || source, source === chosen ? "main" : "");
    button.type = "button";
    button.setAttribute("aria-pressed", source === chosen);
    button.addEventListener("click", () => { chosen = source; drawSources(); });
    return button;
  }));
  at("live-sources").hidden = games.size < 2;
}

// One turn on; two where it has fallen far behind a game that goes on.
function step() {
  const game = games.get(chosen);
  if (!game || !game.boards.length || paused || document.hidden) return;
  const last = game.boards.length - 1;
  game.place = Math.min(last, game.place + (last - game.place > BEHIND && !game.causes ? 2 : 1));
  draw(game);
}

function draw(game) {
  const board = game.boards[game.place], over = game.causes && game.place === game.boards.length - 1;
  if (game.drawn === board && game.over === over) return;
  game.drawn = board;
  game.over = over;
  const size = `${game.width}×${game.height}`, map = ["", "standard", game.ruleset].includes(game.map) ? "" : `, map ${game.map}`;
  at("live-about").textContent = `${game.about}. ${game.ruleset}${map}, ${size}`;
  at("live-turn").textContent = `Turn ${board.turn}${over ? ", over" : ""}`;
  at("live-board").replaceChildren(drawBoard(game, board, "live-drawing"));
  at("live-snakes").replaceChildren(...snakeRows(game, board, (seat) => (game.causes?.[seat] || "").replaceAll("-", " ")));
  at("live-none").hidden = true;
  at("live-game").hidden = false;
  document.body.dataset.live = `${game.game_id} ${board.turn}`;
}

function listen() {
  if (stream) return;
  stream = new EventSource("/games/live");
  stream.addEventListener("live", hear);
  stream.addEventListener("open", () => { at("live-lost").hidden = true; });
  stream.addEventListener("error", () => {
    at("live-lost").hidden = false;
    if (stream?.readyState === EventSource.CLOSED) { leave(); setTimeout(listen, AGAIN_MS); }
  });
}

function leave() { stream?.close(); stream = null; }

// Nobody looks at a hidden page: then nothing is told of games at all.
document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
at("live-pause").addEventListener("click", () => {
  paused = !paused;
  at("live-pause").textContent = paused ? "Go on" : "Pause";
});
at("live-controls").hidden = false;
setInterval(step, TURN_MS);
listen();
