package edgelens

import "fmt"

// Quality is the quality model's rating of whether an image is usable.
type Quality struct {
	// Verdict is one of the verdicts below.
	Verdict string
	// Score is the verdict's probability, in [0, 1].
	Score float64
	// Usable is false where the verdict is not QualityOK and its score is high
	// enough. The predictions for such an image are not reliable.
	Usable bool
}

// The verdicts on an image. models/quality/README.md defines them.
const (
	QualityOK          = "ok"
	QualityBlurred     = "blurred"     // out of focus or shaken
	QualityDark        = "dark"        // too little light to see by
	QualityOverexposed = "overexposed" // a third of it or more is plain white
	QualityNoisy       = "noisy"       // grain over everything
	QualityBlocked     = "blocked"     // something on or near the lens hides half of it
	QualityBlank       = "blank"       // nothing visible: a wall, a lens cap, no signal
)

// qualityAdvice is what to check for each verdict.
var qualityAdvice = map[string]string{
	QualityBlurred:     "clean the lens and check its focus",
	QualityDark:        "check that there is enough light",
	QualityOverexposed: "check for light shining into the lens",
	QualityNoisy:       "add light",
	QualityBlocked:     "check for something on or in front of the lens",
	QualityBlank:       "check whether the camera is covered or has no signal",
}

// Problem describes in a sentence why the image is not usable, and what to do;
// "" if it is usable or was not rated.
func (q *Quality) Problem() string {
	if q == nil || q.Usable {
		return ""
	}
	text := fmt.Sprintf("The image is %s (%.2f)", q.Verdict, q.Score)
	if advice := qualityAdvice[q.Verdict]; advice != "" {
		text += "; " + advice
	}
	return text + "."
}
