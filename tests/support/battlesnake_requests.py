"""Requests of the official API, for tests."""

STANDARD = {
    "foodSpawnChance": 15,
    "minimumFood": 1,
    "hazardDamagePerTurn": 14,
    "royale": {"shrinkEveryNTurns": 25},
}


def cells(points):
    return [{"x": x, "y": y} for x, y in points]


def snake(name, body, health=90):
    return {"id": name, "name": f"The {name}", "health": health, "body": cells(body), "head": cells(body)[0]}


def request(snakes, you="me", *, turn=5, size=(11, 11), ruleset="standard", timeout=20_000, game="g-1", food=()):
    board = {"width": size[0], "height": size[1], "food": cells(food), "hazards": [], "snakes": snakes}
    told = {"name": ruleset, "version": "cli", "settings": STANDARD}
    about = {"id": game, "ruleset": told, "map": "standard", "timeout": timeout, "source": ""}
    mine = next((s for s in snakes if s["id"] == you), snake(you, [(0, 0)], 0))
    return {"game": about, "turn": turn, "board": board, "you": mine}


ME = snake("me", [(5, 5), (5, 4), (5, 3)])
OTHER = snake("other", [(9, 9), (9, 8), (9, 7)])
