package federation

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"edgelens"
	"edgelens/learn/fedavg"
	"edgelens/learn/head"
	"edgelens/learn/masking"
	"edgelens/learn/softmax"
)

// Definition is what a federation learns, and how.
type Definition struct {
	// Head is the name of the head.
	Head string `json:"head"`
	// Labels are its classes, in order.
	Labels []string `json:"labels"`
	// Extractor is the model whose embeddings are classified, and Features their length. Until the first node has announced
	// its own, both are zero unless they were set.
	Extractor Model `json:"extractor"`
	Features  int   `json:"features"`
	// Fit and Region are the view of the image that is shown to the extractor.
	Fit      string   `json:"fit,omitempty"`
	Region   string   `json:"region,omitempty"`
	Settings Settings `json:"settings"`
}

// Model identifies a model.
type Model struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// The ways to combine updates.
const (
	// Mean is the mean, weighted by the number of examples.
	Mean = "mean"
	// Trimmed is the mean of each parameter without its smallest and largest values. It needs MinTrimmed updates.
	Trimmed = "trimmed"
	// Robust is Mean in a round with fewer than MinTrimmed nodes. In others, each update is first replaced by the mean of those nearest
	// to it, and Trimmed takes the mean of these. It needs MinTrimmed updates then.
	Robust = "robust"
)

// MinTrimmed is the fewest updates of a trimmed mean.
const MinTrimmed = fedavg.MinTrimmed

// Settings are how rounds are run. The sender's and receiver's names of them are the same: those of the JSON.
type Settings struct {
	// Fraction of the nodes that could are asked in a round, 0 to 1, MinNodes at least; a round needs as many updates.
	Fraction float64 `json:"fraction"`
	MinNodes int     `json:"min_nodes"`
	// MinExamples is the fewest examples that a node trains on.
	MinExamples int `json:"min_examples"`
	// Rounds ends the federation after as many rounds that gave a candidate; 0 for none.
	Rounds int `json:"rounds"`
	// Deadline is how long the nodes have for each step of a round, and Pause the time between two rounds. Poll is how often
	// nodes ask.
	Deadline Seconds `json:"deadline_s"`
	Pause    Seconds `json:"pause_s"`
	Poll     Seconds `json:"poll_s"`
	// Epochs, Batch (0 for all examples) and Rate are the local training by gradient descent, Mu the proximal term of FedProx
	// (0 for FedAvg), and L2 the regularization. Momentum is that of the coordinator: the share of the step from the head before
	// to the base that is made again.
	Epochs int     `json:"epochs"`
	Batch  int     `json:"batch"`
	Rate   float64 `json:"rate"`
	Mu     float64 `json:"mu"`
	L2     float64 `json:"l2"`

	Momentum float64 `json:"momentum"`
	// Clip is the most that the Euclidean norm of an update may be, and Noise the standard deviation of the Gaussian noise
	// that each node adds to its update, in units of Clip. Delta is that of the (epsilon, delta) that follows.
	Clip  float64 `json:"clip"`
	Noise float64 `json:"noise"`
	Delta float64 `json:"delta"`
	// Aggregation is Mean, Trimmed or Robust; Trim is the share that Trimmed and Robust leave out at each end. MaxWeight caps the number
	// of examples by which an update is weighted. Nodes are sent Mean in place of Robust, which is newer than some of them.
	Aggregation string  `json:"aggregation"`
	Trim        float64 `json:"trim"`
	MaxWeight   int     `json:"max_weight"`
	// Secure has the nodes mask their updates, so that the coordinator learns their sum alone.
	Secure bool `json:"secure"`
	// HeldOut is the share of its examples that a node never trains on, and MaxDrop by how much the accuracy on them may fall
	// for a head to go live, 0 to 1.
	HeldOut float64 `json:"held_out"`
	MaxDrop float64 `json:"max_drop"`
	// Canary is the node that tries a head first; empty for the first one of the roster.
	Canary string `json:"canary"`
	// Threshold is that of the head.
	Threshold float64 `json:"threshold"`
	// Seed is that of the choice of nodes.
	Seed int64 `json:"seed"`
}

// DefaultSettings are those of `edgelens federation serve`.
func DefaultSettings() Settings {
	return Settings{
		Fraction: 1, MinNodes: 2, MinExamples: 4, Rounds: 0, Deadline: Seconds(5 * time.Minute), Pause: Seconds(time.Minute), Poll: Seconds(10 * time.Second),
		Epochs: 5, Batch: 0, Rate: 2, L2: 1e-4, Momentum: 0.9, Clip: 10, Delta: 1e-5, Aggregation: Mean, Trim: 0.1, MaxWeight: 1000,
		HeldOut: 0.25, MaxDrop: 0.02, Seed: 1,
	}
}

// maxInteger is the largest whole number of a message: canonical JSON has none that a double does not hold.
const maxInteger = 1 << 53

// Validate reports every invalid setting at once, each with its name.
func (s Settings) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(s.Fraction > 0 && s.Fraction <= 1, "fraction must be above 0 and at most 1, not %v", s.Fraction)
	check(s.MinNodes >= 1 && s.MinNodes <= MaxNodes, "min_nodes must be 1 to %d, not %d", MaxNodes, s.MinNodes)
	check(s.MinExamples >= 1 && s.MinExamples <= 1e9, "min_examples must be 1 to 1e9, not %d", s.MinExamples)
	check(s.Rounds >= 0 && s.Rounds <= 1e9, "rounds must be 0, for no end, to 1e9, not %d", s.Rounds)
	check(within(s.Deadline, time.Second, 7*24*time.Hour), "deadline must be 1s to 168h, not %v", s.Deadline)
	check(within(s.Pause, 0, 30*24*time.Hour), "pause must be 0 to 720h, not %v", s.Pause)
	check(within(s.Poll, 100*time.Millisecond, time.Hour), "poll must be 100ms to 1h, not %v", s.Poll)
	check(s.Epochs >= 1 && s.Epochs <= 1000, "epochs must be 1 to 1000, not %d", s.Epochs)
	check(s.Batch >= 0 && s.Batch <= 1e6, "batch must be 0, for all examples, to 1e6, not %d", s.Batch)
	check(s.Rate > 0 && s.Rate <= 1000, "rate must be above 0 and at most 1000, not %v", s.Rate)
	check(s.Mu >= 0 && s.Mu <= 1000, "mu must be 0 to 1000, not %v", s.Mu)
	check(s.L2 >= 0 && s.L2 <= 1000, "l2 must be 0 to 1000, not %v", s.L2)
	check(s.Momentum >= 0 && s.Momentum < 1, "momentum must be 0 to below 1, not %v", s.Momentum)
	check(s.Clip > 0 && s.Clip <= 1e6, "clip must be above 0 and at most 1e6, not %v", s.Clip)
	check(s.Noise >= 0 && s.Noise <= 1000, "noise must be 0 to 1000, not %v", s.Noise)
	check(s.Delta > 0 && s.Delta < 1, "delta must be between 0 and 1, not %v", s.Delta)
	check(s.Aggregation == Mean || s.Aggregation == Trimmed || s.Aggregation == Robust, "aggregation must be %s, %s or %s, not %.40q", Mean, Robust, Trimmed, s.Aggregation)
	check(s.Aggregation != Trimmed || s.MinNodes >= MinTrimmed, "aggregation %s needs min_nodes of at least %d", Trimmed, MinTrimmed)
	check(s.Trim > 0 && s.Trim < 0.5, "trim must be between 0 and 0.5, not %v", s.Trim)
	check(s.MaxWeight >= 1 && s.MaxWeight <= 1e9, "max_weight must be 1 to 1e9, not %d", s.MaxWeight)
	check(!s.Secure || s.Aggregation != Trimmed, "secure hides the updates, so that aggregation cannot be %s", Trimmed)
	check(!s.Secure || s.MinNodes >= masking.MinMembers, "secure needs min_nodes of at least %d: of two nodes, each can subtract its own update from the sum", masking.MinMembers)
	check(!s.Secure || s.Clip <= masking.MaxValue, "secure needs a clip of at most %d", masking.MaxValue)
	check(!s.Secure || s.MaxWeight <= masking.MaxWeight, "secure needs a max_weight of at most %d", masking.MaxWeight)
	check(s.HeldOut > 0 && s.HeldOut < 1, "held_out must be between 0 and 1, not %v", s.HeldOut)
	check(s.MaxDrop >= 0 && s.MaxDrop <= 1, "max_drop must be 0 to 1, not %v", s.MaxDrop)
	check(s.Canary == "" || head.CheckName(s.Canary) == nil, "canary must be the name of a node, not %.120q", s.Canary)
	check(s.Threshold >= 0 && s.Threshold <= 1, "threshold must be 0 to 1, not %v", s.Threshold)
	check(s.Seed >= 0 && s.Seed < maxInteger, "seed must be 0 to 2^53, not %d", s.Seed)
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", edgelens.ErrInvalid, errors.Join(errs...))
	}
	return nil
}

func within(value Seconds, least, most time.Duration) bool {
	return time.Duration(value) >= least && time.Duration(value) <= most
}

// MaxNodes is the most nodes of a federation.
const MaxNodes = 1000

// View returns the view of the image that is shown to the extractor. The error wraps edgelens.ErrInvalid.
func (d Definition) View() (edgelens.View, error) {
	region, err := edgelens.ParseRegion(d.Region)
	view := edgelens.View{Fit: edgelens.Fit(d.Fit), Region: region}
	return view, errors.Join(err, view.Check())
}

// Validate returns an edgelens.ErrInvalid for a definition that cannot be used.
func (d Definition) Validate() error {
	errs := []error{head.CheckName(d.Head), d.Settings.Validate()}
	if _, err := d.View(); err != nil {
		errs = append(errs, err)
	}
	if (d.Extractor.Digest == "") != (d.Features == 0) || d.Features < 0 {
		errs = append(errs, fmt.Errorf("%w: the extractor and the number of its features go together", edgelens.ErrInvalid))
	}
	if err := d.base().Check(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// base returns the head that the federation begins with, or one like it where the extractor is not known yet.
func (d Definition) base() *head.Head {
	if d.Features == 0 {
		d.Extractor, d.Features = Model{Name: "extractor", Digest: "sha256:00"}, 1
	}
	first, _ := d.FirstHead(time.Unix(0, 0))
	return first
}

// FirstHead returns the head that the federation begins with: all its parameters are 0.
func (d Definition) FirstHead(now time.Time) (*head.Head, error) {
	view, _ := d.View() // Check of the head has its errors, too
	h := &head.Head{
		Name: d.Head, Version: 1, Extractor: edgelens.ModelRef(d.Extractor), View: view, Labels: slices.Clone(d.Labels),
		Params: softmax.New(len(d.Labels), d.Features), Scale: 1, Threshold: d.Settings.Threshold, Method: head.Federated, CreatedAt: now.UTC().Truncate(time.Second),
	}
	return h, h.Check()
}

// SameTask returns an edgelens.ErrConflict if other learns something else than d: then no update of one fits the other.
func (d Definition) SameTask(other Definition) error {
	conflict := func(what string, now, before any) error {
		return fmt.Errorf("%w: the federation has the %s %v, not %v; begin another one in another folder", edgelens.ErrConflict, what, before, now)
	}
	switch {
	case d.Head != other.Head:
		return conflict("head", other.Head, d.Head)
	case !slices.Equal(d.Labels, other.Labels):
		return conflict("labels", other.Labels, d.Labels)
	case d.Extractor.Digest != "" && other.Extractor.Digest != "" && d.Extractor.Digest != other.Extractor.Digest:
		return conflict("extractor", other.Extractor.Digest, d.Extractor.Digest)
	case d.Features != 0 && other.Features != 0 && d.Features != other.Features:
		return conflict("number of features", other.Features, d.Features)
	}
	return nil
}

// Seconds is a duration that messages carry in seconds.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%g", time.Duration(s).Seconds()), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var value float64
	if err := strict(text, &value); err != nil {
		return err
	}
	if !(value >= 0 && value < math.MaxInt64/float64(time.Second)) {
		return fmt.Errorf("%w: a duration is %v s", edgelens.ErrInvalid, value)
	}
	*s = Seconds(math.Round(value * float64(time.Second)))
	return nil
}

// String returns it as a time.Duration does.
func (s Seconds) String() string { return time.Duration(s).String() }
