package edgelens

import "time"

// ModelRef identifies the model file that produced a result.
type ModelRef struct {
	Name string
	// Digest is "sha256:" and the hex digest of the model file.
	Digest string
}

// The tasks of models.
const (
	// TaskClassification gives a probability for each of the model's classes.
	TaskClassification = "classification"
	// TaskEmbedding gives a feature vector, which is near that of similar images.
	TaskEmbedding = "embedding"
)

// ModelState is whether a model can be used.
type ModelState string

// The states of a model.
const (
	ModelAvailable ModelState = "available" // its file is present; loads on first use
	ModelReady     ModelState = "ready"     // loaded and warmed up
	ModelFailed    ModelState = "failed"    // its file is present and cannot be used
	ModelMissing   ModelState = "missing"   // in the manifest, but its file is missing
)

// Model describes one of the service's models.
type Model struct {
	ModelRef
	State ModelState
	// Default is true for the model of requests that name none.
	Default bool
	// Task is TaskClassification or TaskEmbedding.
	Task string
	// Problem is why the model failed; empty otherwise.
	Problem string
	// LabelsCount is how many class names are known.
	LabelsCount int
	FileBytes   int64
	// Facts is what the file declares; nil where it cannot be read.
	Facts *ModelFacts

	// Normalization is that of the input; nil where the model cannot be used.
	Normalization *Normalization

	// The rest is known once the model is ready.

	// RequantizedFrom is the digest of the file in the models folder where its int8
	// variant, with a digest of its own, runs in its place.
	RequantizedFrom string
	Input           *Tensor
	Output          *Tensor
	// Runtime runs the graph; its Name is "" for a model that is not ready.
	Runtime Runtime
	// Delegate runs operators of the graph: "xnnpack", or "none" where TensorFlow Lite's
	// own kernels run them all.
	Delegate string
	// Operators is how many the graph has, and DelegatedOperators how many of them the
	// delegate runs, as the runtime counted them.
	Operators, DelegatedOperators int
	// Interpreters is how many run in parallel, each with Threads threads.
	Interpreters int
	Threads      int
	// MemoryBytes is by how much the process grew when the model was loaded.
	MemoryBytes int64
	LoadTime    time.Duration
	// Checked is what is known about the kernels that run it.
	Checked *KernelCheck
	// Accelerators are those that run it beside the processor, if they can.
	Accelerators []ModelAccelerator
}

// Normalization is how pixels become the numbers that a model was trained on:
// (pixel - Mean) / Std, with pixels from 0 to 255.
type Normalization struct {
	// Mean and Std have one value, or one each for red, green and blue.
	Mean, Std []float64
	// Source is "manifest", "metadata", "quantization", "default", "built_in" or "labelmap".
	Source string
}

// Tensor describes an input or output of a model.
type Tensor struct {
	Name string
	// Shape is NHWC for images, for example [1 224 224 3].
	Shape []int
	// DType is "uint8", "int8" or "float32".
	DType string
	// Scale and ZeroPoint map a quantized value q to the real value
	// Scale * (q - ZeroPoint). Scale is 0 where the tensor is not quantized.
	Scale     float64
	ZeroPoint int
}

// ModelFacts is what a model file declares, read without running it. It must
// not be changed.
type ModelFacts struct {
	// Inputs and Outputs are those of the graph that runs.
	Inputs, Outputs []Tensor
	// Operators are counted by name and type, most frequent first.
	Operators []OperatorCount
	// Quantization is a phrase: "int8, per channel", "uint8, legacy",
	// "float32", "mixed".
	Quantization string
	// Parameters is how many weights the graph has.
	Parameters int64
	// MultiplyAdds is how many multiplications with a weight one run takes.
	MultiplyAdds int64
	// DelegateShare is the share of MultiplyAdds that XNNPACK is expected to
	// take, from 0 to 1.
	DelegateShare float64
	// Metadata are the names of the blobs in the file, and Files those of the
	// packed files, such as labels.
	Metadata, Files []string
	// Advice are sentences on what would make the model faster.
	Advice []string
}

// OperatorCount is how often a graph has an operator.
type OperatorCount struct {
	// Name is the runtime's, such as "CONV_2D", and Type that of the result.
	Name, Type string
	Count      int
	// Delegated is true where XNNPACK is expected to take it.
	Delegated bool
}
