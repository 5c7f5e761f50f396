module edgelens

go 1.26.0

require (
	github.com/google/flatbuffers v25.12.19+incompatible
	github.com/mattn/go-tflite v1.0.5
	gopkg.in/yaml.v3 v3.0.1
)

require github.com/mattn/go-pointer v0.0.1 // indirect
