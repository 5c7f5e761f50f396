module edgelens

go 1.26.0
