package edgelens

import "fmt"

// Quality says whether an image is usable, by the model of snapshot quality.
type Quality struct {
	// Verdict is one of the verdicts below.
	Verdict string
	// Score is the verdict's probability, in [0, 1].
	Score float64
	// Usable is false where the verdict is another than QualityOK and sure
	// enough. What was recognized in such an image is not to be relied on.
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
	QualityBlank       = "blank"       // there is nothing to see: a wall, a lens cap, no signal
)

// qualityAdvice says what to look at where a verdict comes.
var qualityAdvice = map[string]string{
	QualityBlurred:     "clean the lens and see to its focus",
	QualityDark:        "see that there is light",
	QualityOverexposed: "see what shines into the lens",
	QualityNoisy:       "give it more light",
	QualityBlocked:     "see what is on the lens or before it",
	QualityBlank:       "see whether the camera is covered or has no signal",
}

// Problem says in a sentence why the image is not usable, and what to do;
// "" where it is usable, or where nobody looked.
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
