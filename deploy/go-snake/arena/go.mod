module ouroboros-arena

go 1.24
