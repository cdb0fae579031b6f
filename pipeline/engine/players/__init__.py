"""Heuristic players as compiled code: teachers, opponents and rulers for everything that learns.

`kinds` names them, `choose` is the one door for compiled callers, `match` plays them against each other and
`rating` orders them. The four simple players read the record directly; Voronoi and its look-ahead forms think
on bitboards in a `Mind`.
"""
