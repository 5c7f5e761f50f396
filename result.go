package edgelens

import "time"

// Prediction is one class with its probability.
type Prediction struct {
	// ClassID is the index in the model's output tensor.
	ClassID int
	// Label is the class's name, or "class N" where the model has no labels.
	Label string
	// Probability is in [0, 1].
	Probability float64
}

// Timings splits the duration of one recognition. All but Total are zero for a
// cached result.
type Timings struct {
	Queue       time.Duration // waiting for an interpreter
	Admission   time.Duration // the part of Queue before the image was decoded
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
	// Embedding is the feature vector of a model of TaskEmbedding, of length 1 (L2-normalized), which has no
	// Predictions; nil from any other model.
	Embedding []float32 `json:",omitempty"`
	Image     ImageInfo
	// View is what the model was shown of the image.
	View ShownView
	// Accelerator is "gpu" if that ran the model, or a part of a sweep; "" for the processor.
	Accelerator string `json:",omitempty"`
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
	c.Embedding = append([]float32(nil), r.Embedding...)
	c.Warnings = append([]string(nil), r.Warnings...)
	if r.Quality != nil {
		quality := *r.Quality
		c.Quality = &quality
	}
	return &c
}
