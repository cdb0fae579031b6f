"""Games as data: played, imported, kept once each, and given as positions to whoever learns from them.

Public: `manager.SelfPlayDataManager` (all of it behind one door), `buffer.ExperienceReplayBuffer`,
`heuristic_games.BattlesnakeDataCollector`. A game is a `stored_game.StoredGame`, kept by `store.GameStore`;
`positions.positions_of` turns games into arrays, and `positions.split_by_game` says which of them validate.
"""
