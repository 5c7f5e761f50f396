package accuracy

import (
	"fmt"

	"edgelens"
	"edgelens/benchmarks/stats"
)

// Summary is what the records of a run show.
type Summary struct {
	Run *Run `json:"run"`
	// Images is how many were measured, failures included.
	Images   int         `json:"images"`
	Failures []Failure   `json:"failures"`
	Frames   []InFrame   `json:"frames"`
	Hints    []string    `json:"hints"`
	Wanted   []Precision `json:"precision,omitempty"`
	Required []Required  `json:"required,omitempty"`

	results *results
	classes *Classes
}

// InFrame is the summary of the images in one frame.
type InFrame struct {
	Frame    string    `json:"frame"`
	Variants []Measure `json:"variants"`
	// The rest is about the first variant.
	Confusions  []Confusion `json:"confusions"`
	Reliability Reliability `json:"reliability"`
	Thresholds  []Threshold `json:"thresholds"`
}

// Measure is the summary of a variant.
type Measure struct {
	Name string `json:"name"`
	Top1 Share  `json:"top1"`
	// Top5 is empty for a model with at most five classes.
	Top5 *Share `json:"top5,omitempty"`
	// MedianMS is the median duration of the recognition without waiting.
	MedianMS float64 `json:"median_ms"`
	// CalibrationError is the expected calibration error.
	CalibrationError float64 `json:"expected_calibration_error"`
	// Paired is nil for the first variant.
	Paired *Paired `json:"paired,omitempty"`
}

// Summarize derives the summary from the records in a folder.
func Summarize(dir string) (*Summary, error) {
	r, err := readResults(dir)
	if err != nil {
		return nil, err
	}
	s := &Summary{Run: r.run, Images: r.images, Failures: r.failures, results: r, classes: NewClasses(r.run.Classes, r.run.Labels)}
	for f, frame := range r.run.Frames {
		in := InFrame{Frame: frame.String()}
		for v, variant := range r.run.Variants {
			outcomes := r.cases[r.run.caseOf(f, v)]
			m := Measure{Name: variant.Name, Top1: shareOf(outcomes, outcome.right), MedianMS: median(outcomes), CalibrationError: reliability(outcomes).Error}
			if r.run.Classes > TopK {
				top5 := shareOf(outcomes, func(o outcome) bool { return o.rank > 0 })
				m.Top5 = &top5
			}
			if variant.Beside >= 0 {
				paired := compare(outcomes, r.cases[r.run.caseOf(f, variant.Beside)], r.run.Variants[variant.Beside].Name)
				m.Paired = &paired
			}
			in.Variants = append(in.Variants, m)
		}
		first := s.baseline(f)
		in.Confusions, in.Reliability, in.Thresholds = confusions(first, s.classes), reliability(first), thresholds(first)
		s.Frames = append(s.Frames, in)
	}
	s.Hints = s.hints()
	return s, nil
}

// baseline has the answers of the first variant in a frame.
func (s *Summary) baseline(frame int) []outcome { return s.results.cases[s.Run.caseOf(frame, 0)] }

func median(outcomes []outcome) float64 {
	values := make([]float64, 0, len(outcomes))
	for _, o := range outcomes {
		values = append(values, float64(o.ms))
	}
	if len(values) == 0 {
		return 0 // JSON has no NaN
	}
	return stats.Median(values)
}

// Measured returns an ErrInvalid where no image was recognized.
func (s *Summary) Measured() error {
	for _, in := range s.Frames {
		for _, m := range in.Variants {
			if m.Top1.N > 0 {
				return nil
			}
		}
	}
	if len(s.Failures) > 0 {
		first := s.Failures[0]
		return fmt.Errorf("%w: none of the %s could be recognized; %s: %s: %s", edgelens.ErrInvalid, counted(s.Run.Images, "labeled image"), oneLine(first.Image), first.Failure, first.Reason)
	}
	return fmt.Errorf("%w: none of the %s was measured", edgelens.ErrInvalid, counted(s.Run.Images, "labeled image"))
}

// The number of images and the width of an interval from which on it is called wide.
const (
	fewImages = 400
	wide      = 0.05
)

// hints are sentences that help to read the figures.
func (s *Summary) hints() []string {
	var hints []string
	top1 := s.Frames[0].Variants[0].Top1
	if width := top1.High - top1.Low; top1.N > 0 && (top1.N < fewImages || width > wide) {
		hints = append(hints, fmt.Sprintf("With %s the interval of top-1 is %s points wide: smaller differences from figures of other images cannot be seen, and between variants only those that are called real. Use more images.",
			counted(top1.N, "image"), points(width)))
	}
	if hint := s.shifted(); hint != "" {
		hints = append(hints, hint)
	}
	return hints
}

// points is a difference of shares in percentage points, with two digits.
func points(share float64) string {
	if share >= 0.095 {
		return fmt.Sprintf("%.0f", 100*share)
	}
	return fmt.Sprintf("%.1f", 100*share)
}

// shifted is a hint where the numbers of the classes do not count as the model's do.
func (s *Summary) shifted() string {
	outcomes := s.baseline(0)
	for _, shift := range []int32{1, -1} {
		off := shareOf(outcomes, func(o outcome) bool { return o.answer == o.class+shift })
		if right := shareOf(outcomes, outcome.right); off.N >= 10 && off.Value > 0.5 && right.Value < 0.2 {
			return fmt.Sprintf("Of %d images, %d have the class next to the right one (%+d): do the numbers of the classes count as the model's labels do? Those of ImageNet models often have \"background\" as class 0.", off.N, off.Right, shift)
		}
	}
	return ""
}

// Want finds the threshold for a precision, by the first variant's answers to the images in the first frame.
func (s *Summary) Want(precision float64) (*Precision, error) {
	if !(precision > 0 && precision <= 1) {
		return nil, fmt.Errorf("%w: --precision must be over 0 and at most 1, such as 0.95, not %v", edgelens.ErrInvalid, precision)
	}
	found, err := lowest(s.baseline(0), precision)
	if err != nil {
		return nil, err
	}
	s.Wanted = []Precision{{precision, found, s.Frames[0].Frame, s.Run.Variants[0].Name}}
	return &s.Wanted[0], nil
}
