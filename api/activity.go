package api

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"edgelens"
)

// ActivityLog keeps what the service did in the last hours. Its methods are quick.
type ActivityLog interface {
	// Activity returns the steps of a window of that length until now.
	Activity(window time.Duration) edgelens.Activity
	// Refused counts a request that was refused before it was recognized, because of the load.
	Refused()
}

const (
	minWindow     = time.Minute
	maxWindow     = 6 * time.Hour
	defaultWindow = 15 * time.Minute
)

// windowForm is the form of the parameter, whose pattern in openapi.yaml has the bounds, too.
var windowForm = regexp.MustCompile(`^[1-9][0-9]{0,4}(s|m|h)?$`)

// GetActivity implements StrictServerInterface.
func (s *Server) GetActivity(_ context.Context, r GetActivityRequestObject) (GetActivityResponseObject, error) {
	window := defaultWindow
	if text := r.Params.Window; text != nil {
		var ok bool
		window, ok = parseDuration(*text)
		if !ok || !windowForm.MatchString(*text) || window < minWindow || window > maxWindow {
			return nil, fmt.Errorf("%w: window must be 1m to 6h, or seconds, such as 15m, not %q", edgelens.ErrInvalid, short(*text))
		}
	}
	return GetActivity200JSONResponse{Body: newActivity(s.activity.Activity(window)), Headers: GetActivity200ResponseHeaders{CacheControl: "no-store"}}, nil
}

func newActivity(a edgelens.Activity) Activity {
	shown := Activity{
		StepSeconds: ActivityStepSeconds(a.Step / time.Second), From: a.From, Until: a.Until, Steps: make([]ActivityStep, 0, len(a.Steps)),
		Now: ActivityNow{
			RefusedLastMinute: a.Now.Refused, FailedLastMinute: a.Now.Failed, P95Ms: percentile(a.Now.ActivityCounts),
			Waiting: a.Now.Waiting, Queued: a.Now.Queued,
		},
	}
	if a.Now.Over > 0 {
		shown.Now.AnsweredPerSecond = float64(a.Now.Answered) / a.Now.Over.Seconds()
	}
	for _, step := range a.Steps {
		shown.Steps = append(shown.Steps, ActivityStep{
			At: step.At, Answered: step.Answered, Refused: step.Refused, Failed: step.Failed, P95Ms: percentile(step.ActivityCounts),
			Waiting: step.Waiting, Queued: step.Queued,
		})
	}
	return shown
}

// percentile returns nil where no recognition was answered.
func percentile(counts edgelens.ActivityCounts) *float64 {
	if counts.Answered == 0 {
		return nil
	}
	ms := milliseconds(counts.P95)
	return &ms
}

// noActivity is the ActivityLog of a server without one.
type noActivity struct{}

func (noActivity) Activity(window time.Duration) edgelens.Activity {
	now := time.Now().UTC()
	return edgelens.Activity{Step: 5 * time.Second, From: now, Until: now}
}

func (noActivity) Refused() {}

// recognitionRoutes are those that recognize an image, at once or later.
var recognitionRoutes = map[string]bool{"/api/recognize": true, "/api/recognize_cached": true, "/api/recognize_async": true}
