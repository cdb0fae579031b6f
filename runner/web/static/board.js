// Boards: read from the frames of a game log (schemas/game.py), and drawn. Names and shouts only ever become text nodes.
const SVG = "http://www.w3.org/2000/svg", COLOURS = 8, LONGEST = 4000;

function pairs(flat) {
  const found = [];
  for (let i = 0; i + 1 < flat.length; i += 2) found.push([flat[i], flat[i + 1]]);
  return found;
}

// Takes one frame after the other and gives the board of each. A body is the new head before the old body less its last
// cell; where it grew, its last cell stands again.
export function follow() {
  let bodies = new Map(), food = [], hazards = [];
  return (frame) => {
    if (frame.b) bodies = new Map(frame.b.map(([snake, flat]) => [snake, pairs(flat)]));
    else bodies = new Map(frame.s.map(([snake, , length, x, y]) => {
      const body = [[x, y], ...(bodies.get(snake) || []).slice(0, -1)];
      while (body.length < Math.min(length, LONGEST)) body.push(body[body.length - 1]);
      return [snake, body];
    }));
    if (frame.f) food = pairs(frame.f);
    if (frame.z) hazards = pairs(frame.z);
    return {
      turn: frame.t, food, hazards, times: new Map(frame.l || []), shouts: new Map(frame.w || []), own: frame.k,
      snakes: frame.s.map(([snake, health, , x, y]) => ({ snake, health, body: bodies.get(snake) || [[x, y]] })),
    };
  };
}

export function make(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent?.append(node);
  return node;
}

export function element(name, parent, text, look) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (look) node.className = look;
  parent?.append(node);
  return node;
}

const MOST_CELLS = 4096; // as in pages/games.py
export const corner = (game, [x, y]) => [x, game.height - 1 - y];

export function drawBoard(game, board, id) {
  const svg = make("svg", { class: "board", id, viewBox: `0 0 ${game.width} ${game.height}`, role: "img" });
  if (game.width * game.height > MOST_CELLS) make("rect", { class: "cell", x: 0, y: 0, width: game.width, height: game.height }, svg);
  else for (let y = 0; y < game.height; y++) for (let x = 0; x < game.width; x++)
    make("rect", { class: "cell", x: x + 0.03, y: y + 0.03, width: 0.94, height: 0.94, rx: 0.08 }, svg);
  const layers = new Map();
  for (const cell of board.hazards) layers.set(String(cell), (layers.get(String(cell)) || 0) + 1);
  for (const [key, count] of layers) {
    const [x, y] = corner(game, key.split(",").map(Number));
    make("rect", { class: "hazard", x: x + 0.03, y: y + 0.03, width: 0.94, height: 0.94, rx: 0.08, opacity: Math.min(0.75, 0.28 + 0.12 * (count - 1)) }, svg);
  }
  for (const cell of board.food) { const [x, y] = corner(game, cell); make("circle", { class: "food", cx: x + 0.5, cy: y + 0.5, r: 0.24 }, svg); }
  for (const piece of board.snakes) drawSnake(game, svg, piece);
  const words = board.snakes.map((piece) => `${game.names[piece.snake]} at ${piece.body[0].join(", ")}, length ${piece.body.length}, health ${piece.health}`);
  svg.setAttribute("aria-label", `Turn ${board.turn}: ${words.join(", ") || "no snake lives"}`);
  return svg;
}

function drawSnake(game, svg, piece) {
  const group = make("g", { class: "s" + (piece.snake % COLOURS) }, svg);
  let path = "", before = null;
  for (const cell of piece.body) {
    const [x, y] = corner(game, cell);
    const joined = before && Math.abs(before[0] - x) + Math.abs(before[1] - y) <= 1;
    path += `${joined ? "L" : "M"}${x + 0.5} ${y + 0.5}${joined ? "" : "h0.001"}`;
    before = [x, y];
  }
  const [x, y] = corner(game, piece.body[0]);
  make("path", { class: "body", d: path, "stroke-width": 0.6 }, group);
  make("circle", { class: "head", cx: x + 0.5, cy: y + 0.5, r: 0.42 }, group);
  make("circle", { class: "eye", cx: x + 0.5, cy: y + 0.42, r: 0.12 }, group);
}

// The rows of the snakes' table; `gone` says of a seat that does not live any more how it ended.
export function snakeRows(game, board, gone) {
  const living = new Map(board.snakes.map((piece) => [piece.snake, piece]));
  return game.names.map((name, seat) => {
    const piece = living.get(seat), row = element("tr", null, undefined, `s${seat % COLOURS}${piece ? "" : " gone"}`);
    const cell = element("td", row);
    element("i", cell, "", "swatch");
    element(seat === game.you ? "b" : "span", cell, name);
    const end = piece ? "" : gone(seat);
    if (end) { element("br", cell); element("span", cell, end, "dim"); }
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
  });
}
