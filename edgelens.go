// Package edgelens defines the domain types of the service: the Request with an
// encoded image, the Result with Predictions, the facts about a Model, the
// sentinel errors and the Recognizer interface that every source (HTTP, command
// line, queue, MQTT) calls.
//
// It imports only the standard library. Everything else in this module may
// import it, and adapters never import one another.
package edgelens

import (
	"context"
	"fmt"
	"time"
)

// DefaultTopK is the number of predictions in a Result when the request does
// not set one.
const DefaultTopK = 3

// MaxTopK is the largest number of predictions that a request may ask for.
const MaxTopK = 1000

// CheckOptions returns an ErrInvalid for options of a Request or a JobSpec that
// are out of range.
func CheckOptions(topK int, minScore float64) error {
	switch {
	case topK < 0 || topK > MaxTopK:
		return fmt.Errorf("%w: top_k must be 1 to %d, not %d", ErrInvalid, MaxTopK, topK)
	case !(minScore >= 0 && minScore <= 1): // NaN too
		return fmt.Errorf("%w: min_score must be 0 to 1, not %v", ErrInvalid, minScore)
	}
	return nil
}

// A Recognizer classifies images.
//
// Implementations are safe for concurrent use. The caller may reuse the Request
// once Recognize has returned, and owns the Result. The bytes of Image must never
// change: if ctx ended first, they may be read for a while after the return. The
// error, if any, wraps one of this package's sentinels.
type Recognizer interface {
	Recognize(ctx context.Context, req *Request) (*Result, error)
}

// Request is one encoded image and the options of its recognition.
type Request struct {
	// ID is the request id that logs, events and error bodies carry.
	ID string
	// Source names how the request came in: "http", "mqtt", "job" or "cli".
	Source string
	// Device is the terminal or camera that took the image; empty where none
	// did.
	Device string
	// Image is the encoded image (JPEG, PNG, WebP, GIF, TIFF or BMP). It must not be
	// modified, not even after Recognize returned; see Recognizer.
	Image []byte
	// SHA256 is the digest of Image, computed while the body was read.
	SHA256 [32]byte
	// Model is the model's name; empty means the default model.
	Model string
	// TopK is the maximum number of predictions; 0 means DefaultTopK.
	TopK int
	// MinScore drops predictions with a lower probability. In [0, 1].
	MinScore float64
	// NoCache neither reads nor fills the result cache.
	NoCache bool
}

// Prediction is one class with its probability.
type Prediction struct {
	// ClassID is the index in the model's output tensor.
	ClassID int
	// Label is the class's name, or "class N" where the model has no labels.
	Label string
	// Probability is in [0, 1].
	Probability float64
}

// ModelRef identifies the model file that produced a result.
type ModelRef struct {
	Name string
	// Digest is "sha256:" and the hex digest of the model file.
	Digest string
}

// ImageInfo is what is known of an image.
type ImageInfo struct {
	// Width and Height are in pixels, as stored in the file, before EXIF
	// orientation is applied.
	Width, Height int
	// Format is "jpeg", "png", "webp", "gif", "tiff" or "bmp".
	Format string
	// SHA256 is the hex digest of the encoded bytes.
	SHA256 string
	// Damaged reports that some of the image's data is wrong or missing: the
	// decoder has filled the gaps, and the predictions may be about the filling.
	Damaged bool `json:",omitempty"`
}

// Problem describes in a sentence what is wrong with an image that was
// recognized nevertheless; "" if nothing is.
func (i ImageInfo) Problem() string {
	if !i.Damaged {
		return ""
	}
	return "The image is damaged: some of its data is wrong or missing, and the answer may be about what the decoder has filled in. Send the image again."
}

// Timings splits the duration of one recognition. All but Total are zero for a
// cached result.
type Timings struct {
	Queue       time.Duration // waiting for an interpreter
	Decode      time.Duration // encoded bytes to pixels
	Preprocess  time.Duration // pixels to tensor
	Inference   time.Duration // Invoke, with its input and output copied
	Postprocess time.Duration // dequantize, top-k, labels
	Quality     time.Duration // waiting for an interpreter of the quality model, and its Invoke
	Total       time.Duration
}

// Result is the outcome of one recognition.
type Result struct {
	RequestID string
	Model     ModelRef
	// Predictions are sorted by probability, highest first; ties by class id.
	Predictions []Prediction
	Image       ImageInfo
	// Quality is nil unless the quality model ran; see package recognize.
	Quality *Quality `json:",omitempty"`
	// Cached is true when the result came from the result cache.
	Cached  bool
	Timings Timings
	// StandIn is true if there was no classifier and the quality model answered in
	// its place: the predictions rate whether the image is usable, not what is in it.
	StandIn bool `json:",omitempty"`
	// Warnings are sentences about what limits the result.
	Warnings []string `json:",omitempty"`
}

// Clone returns a copy that shares no mutable data with r.
func (r *Result) Clone() *Result {
	c := *r
	c.Predictions = append([]Prediction(nil), r.Predictions...)
	c.Warnings = append([]string(nil), r.Warnings...)
	if r.Quality != nil {
		quality := *r.Quality
		c.Quality = &quality
	}
	return &c
}

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
	Task    string
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
	// Delegate is what runs the graph: "xnnpack" or "none".
	Delegate string
	// Interpreters is how many run in parallel, each with Threads threads.
	Interpreters int
	Threads      int
	// MemoryBytes is by how much the process grew when the model was loaded.
	MemoryBytes int64
	LoadTime    time.Duration
}

// Normalization is how pixels become the numbers that a model was trained on:
// (pixel - Mean) / Std, with pixels from 0 to 255.
type Normalization struct {
	// Mean and Std have one value, or one each for red, green and blue.
	Mean, Std []float64
	// Source is "manifest", "metadata", "quantization", "default" or "built_in".
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
