package edgelens

import "time"

// Activity is what the service did in a window of time, in steps.
type Activity struct {
	// Step is the length of a step.
	Step time.Duration
	// From is the start of the first step, and Until the end of the last one, which may be in progress.
	From, Until time.Time
	// Steps follow each other without gaps, the oldest first.
	Steps []ActivityStep
	Now   ActivityNow
}

// ActivityStep is what the service did in a step.
type ActivityStep struct {
	// At is when the step began.
	At time.Time
	ActivityCounts
	// Waiting and Queued are the largest numbers of requests that waited for an interpreter, and of queued jobs, at
	// a time.
	Waiting, Queued int64
}

// ActivityCounts count recognitions in a time.
type ActivityCounts struct {
	// Answered had a result, Refused were refused because of the load or not answered in time, and Failed because of
	// the image or the model.
	Answered, Refused, Failed int64
	// P95 is the 95th percentile of the durations of those answered, within a tenth; 0 where Answered is 0.
	P95 time.Duration
}

// ActivityNow is what the service did in the last minute, and how many wait now.
type ActivityNow struct {
	ActivityCounts
	// Over is the time that the counts are of: a minute, or less after the start.
	Over            time.Duration
	Waiting, Queued int64
}
