module edgelens

go 1.26.0

require (
	github.com/mattn/go-pointer v0.0.1 // indirect
	github.com/mattn/go-tflite v1.0.5 // indirect
	golang.org/x/sync v0.24.0 // indirect
)
