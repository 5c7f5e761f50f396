package models

// The runtimes that open model files, by setting or manifest.
const (
	RuntimeAuto   = "auto"   // TensorFlow Lite, or LiteRT for a file with operators that it does not have
	RuntimeTFLite = "tflite" // TensorFlow Lite
	RuntimeLiteRT = "litert" // LiteRT, which need not be installed
)

// KnownRuntime reports whether name is one of them.
func KnownRuntime(name string) bool {
	return name == RuntimeAuto || name == RuntimeTFLite || name == RuntimeLiteRT
}
