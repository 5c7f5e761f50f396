// Package head is a small classifier on the feature vectors of a model of task embedding: what edgelens learns on site.
package head

import (
	"fmt"
	"regexp"
	"time"

	"edgelens"
	"edgelens/learn/softmax"
)

// The methods that heads are trained by.
const (
	// Imprinting has the normalized mean of the embeddings of each class as its weights (Qi, Brown and Lowe, "Low-Shot
	// Learning with Imprinted Weights", CVPR 2018).
	Imprinting = "imprinting"
	// Softmax is multinomial logistic regression; see package softmax.
	Softmax = "softmax"
	// Federated is the mean of what several nodes learned by Softmax.
	Federated = "federated"
)

// Unknown is the label of an image that none of the classes is likely enough for. It is not among Labels.
const Unknown = "unknown"

// The limits of a head.
const (
	MaxClasses  = 1000
	MaxFeatures = 16384
	// MaxValues is how many weights and biases it can have: what its stored form has room for.
	MaxValues = 6_000_000
)

// Head is one version of a head. It must not be changed once it is in use, and is then safe for concurrent use.
type Head struct {
	Name string
	// Version counts from 1.
	Version int
	// Extractor is the model whose embeddings it classifies, shown View of the image.
	Extractor edgelens.ModelRef
	View      edgelens.View
	// Labels are those of the classes, in the order of Params. They are 2 at least, and differ.
	Labels []string
	// Params are applied to an embedding of length 1, and the logits multiplied by Scale, the inverse of the temperature that
	// calibrates the probabilities (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017).
	Params softmax.Params
	Scale  float64
	// Threshold is the probability that the best class must reach for its label to count; below it, the image is Unknown. 0
	// for none.
	Threshold float64
	// Method is Imprinting, Softmax or Federated.
	Method string
	// Examples is how many it was trained on.
	Examples  int
	CreatedAt time.Time
}

// validName is that of a head, which is also that of a model.
var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CheckName returns an edgelens.ErrInvalid for a name that heads and datasets cannot have.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%w: %.120q is no name: use 1 to 100 letters, digits, \".\", \"_\" or \"-\", starting with a letter or digit", edgelens.ErrInvalid, name)
	}
	return nil
}

// Check returns an edgelens.ErrInvalid for a head that cannot be used.
func (h *Head) Check() error {
	if err := CheckName(h.Name); err != nil {
		return err
	}
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: head %s: %s", edgelens.ErrInvalid, h.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case h.Version < 1:
		return invalid("its version is %d; versions count from 1", h.Version)
	case h.Extractor.Name == "" || h.Extractor.Digest == "":
		return invalid("its extractor is not named")
	case len(h.Labels) < 2 || len(h.Labels) > MaxClasses:
		return invalid("it has %d classes; 2 to %d can be used", len(h.Labels), MaxClasses)
	case h.Params.Classes != len(h.Labels):
		return invalid("it has %d labels for %d classes", len(h.Labels), h.Params.Classes)
	case h.Params.Features > MaxFeatures:
		return invalid("it has %d features; %d are the most", h.Params.Features, MaxFeatures)
	case len(h.Params.Values) > MaxValues:
		return invalid("it has %d weights; %d are the most", len(h.Params.Values), MaxValues)
	case !(h.Scale > 0 && h.Scale < 1e6): // NaN too
		return invalid("its scale is %v", h.Scale)
	case !(h.Threshold >= 0 && h.Threshold <= 1):
		return invalid("its threshold is %v, not 0 to 1", h.Threshold)
	case h.Method != Imprinting && h.Method != Softmax && h.Method != Federated:
		return invalid("its method %.40q is not known", h.Method)
	}
	seen := map[string]bool{}
	for _, l := range h.Labels {
		if l == "" || l == Unknown || len(l) > 200 || seen[l] {
			return invalid("the label %.200q is empty, reserved, too long or there twice", l)
		}
		seen[l] = true
	}
	if err := h.Params.Check(); err != nil {
		return invalid("%v", err)
	}
	return h.View.Check()
}

// Probabilities returns the probability of each class for an embedding of length 1, of Params.Features numbers.
func (h *Head) Probabilities(embedding []float32) []float64 {
	scores := make([]float64, h.Params.Classes)
	h.Params.Logits(embedding, scores)
	for i := range scores {
		scores[i] *= h.Scale
	}
	softmax.Probabilities(scores)
	return scores
}
