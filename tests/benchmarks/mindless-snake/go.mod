module mindless-snake

go 1.18
