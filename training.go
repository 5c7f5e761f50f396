package edgelens

import "time"

// TrainingReport is how well a trained head answers for examples that it was not trained on. Every example is held out once:
// the examples are split into Folds parts with the labels in the same proportions, and for each part a head that was trained on
// the others is asked.
type TrainingReport struct {
	Method string
	// L2 is the weight decay that was chosen among some by examples that were held out; 0 for a method that has none.
	L2    float64
	Folds int
	// Labels are those of Confusion, sorted, with the number of their examples.
	Labels []LabelCount
	// HeldOut is how many answers were compared, and Right how many of them were right. Accuracy is their quotient, and Low and
	// High are its 95% interval (Wilson's score interval).
	HeldOut, Right      int
	Accuracy, Low, High float64
	// Confusion counts the answers: Confusion[i][j] examples of the label i were taken for the label j, without the threshold.
	Confusion [][]int
	// ErrorBefore and ErrorAfter are the expected calibration error, 0 to 1, before and after the probabilities were calibrated
	// on examples that were held out of it, too: by how much the mean probability differs from the share of right answers.
	ErrorBefore, ErrorAfter float64
	// Threshold is the probability below which the answer is "unknown". ThresholdGiven is true where the user has set it; else
	// it is the one that keeps 95% of the right answers that were held out.
	Threshold      float64
	ThresholdGiven bool
	// RightBelow and WrongBelow are how many right and wrong answers are below it.
	RightBelow, WrongBelow int
	Took                   time.Duration
}

// HeadVersion is one version of a head that is stored: a classifier that was trained on site.
type HeadVersion struct {
	Name    string
	Version int
	// Live is true for the version that answers for the model Name.
	Live bool
	// Problem is why the version cannot be used; the fields below are not set then. Empty for none.
	Problem string
	Digest  string
	// Extractor and View are how the embeddings are made that it classifies.
	Extractor ModelRef
	View      View
	Labels    []string
	Method    string
	// Examples is how many it was trained on.
	Examples         int
	Scale, Threshold float64
	CreatedAt        time.Time
	// Report is nil for a version that came without one.
	Report *TrainingReport
}
