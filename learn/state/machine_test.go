package state

import (
	"math"
	"strings"
	"testing"
	"time"

	"edgelens"
)

// Each image is a letter: o and c are sure answers, O and C ones below the threshold, u is unknown, n is not a number, - is
// an image older than the last one. The state after each, and the changes, are compared.
func TestMachine(t *testing.T) {
	labels := map[byte]string{'o': "open", 'O': "open", 'c': "closed", 'C': "closed", 'u': "unknown", 'n': "open", '-': "open"}
	for name, tc := range map[string]struct {
		count   int
		images  string
		want    string // the state at the end
		changes int
	}{
		"nothing":                         {3, "", "", 0},
		"two are too few":                 {3, "oo", "", 0},
		"three change it":                 {3, "ooo", "open", 1},
		"confirmed":                       {3, "ooooooo", "open", 1},
		"there and back":                  {3, "ooocccooo", "open", 3},
		"flapping":                        {3, "ooococococcocco", "open", 1},
		"flapping from the start":         {3, "ocococo", "", 0},
		"a row begins anew after another": {3, "ooocccoccc", "closed", 2},
		"uncertain ends a row":            {3, "ooOoo", "", 0},
		"unknown ends a row":              {3, "oouoo", "", 0},
		"unknown is never a state":        {3, "uuuuuu", "", 0},
		"below the threshold never":       {3, "OOOOOO", "", 0},
		"not a number":                    {3, "nnnnnn", "", 0},
		"uncertain changes no state":      {3, "oooCCCuuu", "open", 1},
		"old images change nothing":       {3, "ooocc--c", "closed", 2},
		"old images do not count":         {3, "oo---", "", 0},
		"one is enough":                   {1, "oc", "closed", 2},
		"five":                            {5, "ooooccccc", "closed", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var m machine
			spec := Spec{Threshold: 0.8, Count: tc.count}
			changes, now := 0, time.Unix(1000, 0)
			for i := range tc.images {
				letter := tc.images[i]
				probability := 0.9
				if strings.IndexByte("OC", letter) >= 0 {
					probability = 0.79
				} else if letter == 'n' {
					probability = math.NaN()
				}
				at := now.Add(time.Duration(i) * time.Second)
				if letter == '-' {
					at = now.Add(-time.Second)
				}
				former := m
				switch outcome := m.take(spec, labels[letter], probability, at, at); outcome {
				case edgelens.StateChanged:
					changes++
					if !m.since.Equal(at) || m.confidence != probability {
						t.Errorf("image %d: since %v, confidence %v", i, m.since, m.confidence)
					}
				case edgelens.StateOld:
					if m.label != former.label || m.pending != former.pending || m.count != former.count || m.imageAt != former.imageAt {
						t.Errorf("image %d is old and changed %+v to %+v", i, former, m)
					}
				}
			}
			if m.label != tc.want || changes != tc.changes {
				t.Errorf("%q after %d changes, want %q after %d", m.label, changes, tc.want, tc.changes)
			}
			if len(m.answers) > maxAnswers {
				t.Errorf("%d answers are kept", len(m.answers))
			}
		})
	}
}

func TestStale(t *testing.T) {
	start := time.Unix(1000, 0)
	m := machine{}
	for name, tc := range map[string]struct {
		after, age time.Duration
		received   bool
		want       bool
	}{
		"just now": {time.Hour, time.Minute, true, false}, "at the limit": {time.Hour, time.Hour, true, false},
		"too long ago": {time.Hour, time.Hour + 1, true, true}, "never": {0, 1000 * time.Hour, true, false},
		"no image yet": {time.Hour, 1000 * time.Hour, false, false},
	} {
		m.receivedAt = time.Time{}
		if tc.received {
			m.receivedAt = start
		}
		if got := m.stale(Spec{StaleAfter: tc.after}, start.Add(tc.age)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
