package edgelens

import "time"

// StateType is the CloudEvents type of a StateChange, with the version of its data.
const StateType = "edgelens.state.v1"

// State is what the images of one place show, such as whether a gate is open: the label that a classifier gave to several
// images in a row.
type State struct {
	Name string
	// Device is the terminal or camera that takes the images; empty where they come over HTTP alone.
	Device string
	// Model is the classifier's name, and View what it is shown of each image.
	Model string
	View  View
	// Label is the present state; empty while it is unknown. Since is the time of the image that made it so, and Confidence
	// the probability of its label there; both are zero while it is unknown.
	Label      string
	Since      time.Time
	Confidence float64
	// Stale reports that no image was recognized for longer than the setting allows: Label is what was.
	Stale bool
	// ImageAt is the time of the latest image that was recognized; zero for none.
	ImageAt time.Time
	// Pending is the label that would follow, after Count of Needed equal answers; empty for none.
	Pending       string
	Count, Needed int
	// Answers are the latest ones, the newest first.
	Answers []StateAnswer
	// Problem is a sentence on why the latest image was not recognized; empty where it was.
	Problem string
	// On is the label for which a switch is on; empty where the state is none. Class is its class in Home Assistant.
	On, Class string
	// Labels are the possible ones, where the model is known.
	Labels []string
}

// StateAnswer is what the model answered about one image.
type StateAnswer struct {
	Label       string
	Probability float64
	// At is the time of the image.
	At time.Time
	// Outcome is what became of it.
	Outcome StateOutcome
}

// StateOutcome is what became of an answer.
type StateOutcome string

// The outcomes of answers.
const (
	StateChanged   StateOutcome = "changed"   // it was the last one needed
	StatePending   StateOutcome = "pending"   // of another state; more are needed
	StateConfirmed StateOutcome = "confirmed" // of the present state
	StateUncertain StateOutcome = "uncertain" // below the threshold, or of the label unknown
	StateOld       StateOutcome = "old"       // the image is older than the last one: it changes nothing
)

// StateOutcomes returns every outcome.
func StateOutcomes() []StateOutcome {
	return []StateOutcome{StateChanged, StatePending, StateConfirmed, StateUncertain, StateOld}
}

// StateChange is a change of a state.
type StateChange struct {
	// ID is a UUIDv7.
	ID string
	// Name is that of the state, Device that of the State.
	Name, Device string
	// Label is the state from now on, and Former the one before; empty where that was unknown.
	Label, Former string
	// Confidence is the probability of Label for the last of the images.
	Confidence float64
	Model      ModelRef
	// ImageAt is the time of the last of the images, and Record the record that it is of; empty for another source.
	ImageAt time.Time
	Record  string
	// At is when it was noticed.
	At time.Time
}

// StateFilter selects changes of a state, the newest first.
type StateFilter struct {
	Name string
	// Cursor and Limit are those of a JobFilter.
	Cursor string
	Limit  int
}
