// Package accuracy measures how often a model is right on labeled images: it reads the images' classes, keeps the
// record of each answer, and derives a report with intervals and paired comparisons from these records alone.
//
// A folder of records has two files: accuracy.json is a Run, and answers.jsonl has an Answer a line. From these, the
// report makes report.md, report.json and plots.
package accuracy

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/board"
)

// Run is the description of a measurement without its answers.
type Run struct {
	// ID is the folder's name.
	ID      string    `json:"id"`
	Started time.Time `json:"started"`
	// Ended is zero where the measurement was interrupted.
	Ended   time.Time `json:"ended"`
	Command []string  `json:"command"`
	// Version and Commit are edgelens's.
	Version string      `json:"version"`
	Commit  string      `json:"commit"`
	Board   board.Facts `json:"board"`
	// Before is the state of the machine before the measurement.
	Before board.State `json:"before"`
	// Settings are the effective settings as an edgelens.yaml.
	Settings string `json:"settings"`
	Parameters
	// Labels are those of the first model.
	Labels []string `json:"labels"`
	// Classes is the number of the first model's classes.
	Classes int `json:"classes"`
	// From is the labels file; "" where sub-folders name the classes.
	From string `json:"labels_file,omitempty"`
	// Images is the number of labeled images.
	Images    int         `json:"images"`
	Unmatched []Unmatched `json:"unmatched"`
	Notes     []string    `json:"notes"`
}

// Parameters are what a measurement and the one that continues it have in common.
type Parameters struct {
	// Set is the digest of the images' names and classes.
	Set      string    `json:"set"`
	Variants []Variant `json:"variants"`
	Frames   []Frame   `json:"frames"`
	Seed     uint64    `json:"seed"`
	// Target is the address of the measured service; "" for this program.
	Target string `json:"target,omitempty"`
	// Preprocess and Inference are the settings that variants leave as they are.
	Preprocess string `json:"preprocess,omitempty"`
	Inference  string `json:"inference,omitempty"`
}

// Check returns an ErrInvalid that names what differs from the parameters of an earlier measurement.
func (p Parameters) Check(earlier Parameters) error {
	var different []string
	now, before := reflect.ValueOf(p), reflect.ValueOf(earlier)
	for i := range now.NumField() {
		if !reflect.DeepEqual(now.Field(i).Interface(), before.Field(i).Interface()) {
			different = append(different, map[string]string{
				"Set": "the labeled images", "Variants": "the variants or models", "Frames": "the frames", "Seed": "the seed", "Target": "the target",
				"Preprocess": "the settings of preprocess", "Inference": "the settings of inference",
			}[now.Type().Field(i).Name])
		}
	}
	if different == nil {
		return nil
	}
	return fmt.Errorf("%w: it was measured with other parameters: %s differ; give the same folder and flags, or leave out --resume", edgelens.ErrInvalid, strings.Join(different, ", "))
}

// FolderName is the name of the folder of a measurement with that start.
func FolderName(start time.Time) string { return "accuracy-" + start.Format("20060102-150405") }

// Cases is the number of combinations of frames and variants.
func (p Parameters) Cases() int { return len(p.Frames) * len(p.Variants) }

// caseOf is the number of a combination.
func (p Parameters) caseOf(frame, variant int) int { return frame*len(p.Variants) + variant }

// Answer is one image in one case.
type Answer struct {
	// Case counts variants within frames.
	Case  int    `json:"case"`
	Image string `json:"image"`
	// Class is the right one.
	Class int `json:"class"`
	// Classes are the answered ones, best first, with their probabilities.
	Classes       []int     `json:"classes,omitempty"`
	Probabilities []float64 `json:"probabilities,omitempty"`
	// MS is the duration of the recognition without waiting, in milliseconds.
	MS float32 `json:"ms,omitempty"`
	// Failure is a kind of failure where there is no answer, and Reason a sentence.
	Failure string `json:"failure,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// The kinds of failure.
const (
	FailureAbsent     = "absent"     // there is no such file
	FailureUnreadable = "unreadable" // the file cannot be read
	FailureNotImage   = "not an image that can be decoded"
	FailureFailed     = "not recognized" // an error of the model or the service
)
