package clock_test

import (
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
)

const fresh = time.Minute

var berlin = mustLoad("Europe/Berlin")

func mustLoad(name string) *time.Location {
	location, err := clock.Location(name)
	if err != nil {
		panic(err)
	}
	return location
}

func read(texts ...string) []clock.Reading {
	readings := make([]clock.Reading, len(texts))
	for i, text := range texts {
		readings[i] = clock.Parse(text)
	}
	return readings
}

// measured is an estimate from n heartbeats.
func measured(offset time.Duration, n int) clock.Estimate {
	return clock.Estimate{Offset: offset, Samples: n, Heartbeats: true, Stable: n >= 3, Settled: n >= 3}
}

// byRecords is an estimate from records only.
func byRecords(offset time.Duration, n int, settled bool) clock.Estimate {
	return clock.Estimate{Offset: offset, Samples: n, Stable: n >= 3, Settled: settled}
}

func TestAssess(t *testing.T) {
	const at = "2024-04-10 10:00:07" // received at that time in UTC, unless stated otherwise
	received := date()
	const good, replayed, unknown = edgelens.FreshnessFresh, edgelens.FreshnessReplayed, edgelens.FreshnessUnknown
	tests := map[string]struct {
		readings []clock.Reading
		after    time.Duration // from the record's time to its reception
		measured clock.Estimate
		apply    bool
		want     edgelens.Freshness
		problem  clock.Problem
		captured time.Duration // before the reception; -1 for unknown
	}{
		"at once":                     {read(at), 0, clock.Estimate{}, false, good, "", 0},
		"a minute old":                {read(at), fresh, clock.Estimate{}, false, good, "", fresh},
		"older":                       {read(at), fresh + 1, clock.Estimate{}, false, replayed, "", fresh + 1},
		"a minute ahead":              {read(at), -fresh, clock.Estimate{}, false, good, "", -fresh},
		"more ahead":                  {read(at), -fresh - 1, clock.Estimate{}, false, unknown, clock.Future, -fresh - 1},
		"a kind without a time":       {nil, 0, clock.Estimate{}, false, good, "", -1},
		"an expected time is missing": {[]clock.Reading{{}}, 0, clock.Estimate{}, false, unknown, clock.Missing, -1},
		"not readable":                {read("soon"), 0, clock.Estimate{}, false, unknown, clock.NotUnderstood, -1},
		"two that agree":              {read(at, "2024-04-10T10:00:07Z"), 0, clock.Estimate{}, false, good, "", 0},
		"two that almost agree":       {read(at, "2024-04-10 10:00:05"), 0, clock.Estimate{}, false, good, "", 2 * time.Second},
		"the other way round":         {read("2024-04-10 10:00:05", at), 0, clock.Estimate{}, false, good, "", 2 * time.Second},
		"with and without seconds":    {read(at, "2024-04-10 10:00"), 0, clock.Estimate{}, false, good, "", 7 * time.Second},
		"two that disagree":           {read(at, "2024-04-10 09:00:07"), 0, clock.Estimate{}, false, unknown, clock.NotUnderstood, -1},
		"disagree by a zone":          {read(at, "2024-04-10T10:00:07+08:00"), 0, clock.Estimate{}, false, unknown, clock.NotUnderstood, -1},
		"one is not readable":         {read(at, "x"), 0, clock.Estimate{}, false, unknown, clock.NotUnderstood, -1},
		"old, both":                   {read(at, "1712743207"), time.Hour, clock.Estimate{}, false, replayed, "", time.Hour},
		"old and disagreeing":         {read(at, "x"), time.Hour, clock.Estimate{}, false, unknown, clock.NotUnderstood, -1},
		"a right clock":               {read(at), 0, measured(0, 5), false, good, "", 0},
		"2 s ahead":                   {read(at), -2 * time.Second, measured(2*time.Second, 5), false, good, "", -2 * time.Second},
		"8 h ahead, live":             {read(at), -8 * time.Hour, measured(8*time.Hour, 5), false, unknown, clock.Future, -8 * time.Hour},
		"8 h ahead, 8 h old":          {read(at), 0, measured(8*time.Hour, 5), false, unknown, clock.Contradiction, 0},
		"8 h ahead, one heartbeat":    {read(at), 0, measured(8*time.Hour, 1), false, unknown, clock.Contradiction, 0},
		"8 h ahead, 10 h old":         {read(at), 2 * time.Hour, measured(8*time.Hour, 5), false, replayed, "", 2 * time.Hour},
		"61 s behind, live":           {read(at), 61 * time.Second, measured(-61*time.Second, 5), false, unknown, clock.Contradiction, 61 * time.Second},
		"5 h behind, live":            {read(at), 5 * time.Hour, measured(-5*time.Hour, 5), false, unknown, clock.Contradiction, 5 * time.Hour},
		"5 h behind, 2 h old":         {read(at), 7 * time.Hour, measured(-5*time.Hour, 5), false, replayed, "", 7 * time.Hour},
		"50 s ahead, 100 s old":       {read(at), 50 * time.Second, measured(50*time.Second, 5), false, unknown, clock.Contradiction, 50 * time.Second},
		"8 h ahead by records":        {read(at), 0, byRecords(8*time.Hour, 3, false), false, unknown, clock.Contradiction, 0},
		"after a backlog":             {read(at), 0, byRecords(-2*time.Hour, 3, false), false, good, "", 0},
		"in a backlog":                {read(at), 2 * time.Hour, byRecords(-2*time.Hour, 3, false), false, replayed, "", 2 * time.Hour},
		"behind by records, settled":  {read(at), 2 * time.Hour, byRecords(-2*time.Hour, 7, true), false, unknown, clock.Contradiction, 2 * time.Hour},

		"applied: 8 h ahead, live":      {read(at), -8 * time.Hour, measured(8*time.Hour, 5), true, good, "", 0},
		"applied: 8 h ahead, 2 h old":   {read(at), -6 * time.Hour, measured(8*time.Hour, 5), true, replayed, "", 2 * time.Hour},
		"applied: 8 h ahead, 8 h old":   {read(at), 0, measured(8*time.Hour, 5), true, replayed, "", 8 * time.Hour},
		"applied: behind, live":         {read(at), 61 * time.Second, measured(-61*time.Second, 5), true, good, "", 0},
		"applied: it was set since":     {read(at), 0, measured(-5*time.Hour, 5), true, unknown, clock.Contradiction, -5 * time.Hour},
		"applied: not settled":          {read(at), -8 * time.Hour, measured(8*time.Hour, 2), true, unknown, clock.Future, -8 * time.Hour},
		"applied: records, not settled": {read(at), 2 * time.Hour, byRecords(-2*time.Hour, 3, false), true, replayed, "", 2 * time.Hour},
		"applied: records, settled":     {read(at), 2 * time.Hour, byRecords(-2*time.Hour, 7, true), true, good, "", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := clock.Assess(clock.Evidence{
				Readings: test.readings, Received: received.Add(test.after), Zone: time.UTC, Measured: test.measured, Apply: test.apply, Fresh: fresh,
			})
			check(t, got, test.want, test.problem)
			if got.At.IsZero() != (test.captured == -1) || !got.At.IsZero() && received.Add(test.after).Sub(got.At) != test.captured {
				t.Errorf("captured at %v", got.At)
			}
		})
	}
}

func check(t *testing.T, got clock.Verdict, want edgelens.Freshness, problem clock.Problem) {
	t.Helper()
	if got.Freshness != want || got.Problem != problem || (got.Reason == "") != (want == edgelens.FreshnessFresh) {
		t.Errorf("%s, %q, %q; want %s, %q", got.Freshness, got.Problem, got.Reason, want, problem)
	}
}

// Summer time ended in Berlin on 2024-10-27 at 01:00 UTC: 02:00 to 03:00 occurred twice.
// It began on 2024-03-31 at 01:00 UTC: 02:00 to 03:00 did not exist.
func TestAssessSummerTime(t *testing.T) {
	first, second := time.Date(2024, 10, 27, 0, 30, 0, 0, time.UTC), time.Date(2024, 10, 27, 1, 30, 0, 0, time.UTC)
	none := clock.Estimate{}
	const good, replayed, unknown = edgelens.FreshnessFresh, edgelens.FreshnessReplayed, edgelens.FreshnessUnknown
	for name, test := range map[string]struct {
		text     string
		received time.Time
		measured clock.Estimate
		want     edgelens.Freshness
		problem  clock.Problem
	}{
		"the first time, nothing measured":  {"2024-10-27 02:30:00", first, none, unknown, clock.Ambiguous},
		"the second time, nothing measured": {"2024-10-27 02:30:00", second, none, unknown, clock.Ambiguous},
		"the first time, a right clock":     {"2024-10-27 02:30:00", first, measured(0, 5), good, ""},
		"the second time, a right clock":    {"2024-10-27 02:30:00", second, measured(0, 5), unknown, clock.Ambiguous},
		"the first time, one heartbeat":     {"2024-10-27 02:30:00", first, measured(0, 1), unknown, clock.Ambiguous},
		"the first time, only records":      {"2024-10-27 02:30:00", first, byRecords(0, 7, false), unknown, clock.Ambiguous},
		"half an hour later":                {"2024-10-27 02:30:00", first.Add(30 * time.Minute), measured(0, 5), replayed, ""},
		"the day after":                     {"2024-10-27 02:30:00", second.Add(24 * time.Hour), none, replayed, ""},
		"a zone is written":                 {"2024-10-27 02:30:00+01:00", second, none, good, ""},
		"since 1970":                        {"1729992600", second, none, good, ""},
		"before the change":                 {"2024-10-27 01:59:59", first.Add(-30 * time.Minute), none, good, ""},
		"after the change":                  {"2024-10-27 03:00:00", second.Add(30 * time.Minute), none, good, ""},
		"does not exist":                    {"2024-03-31 02:30:00", time.Date(2024, 3, 31, 1, 30, 0, 0, time.UTC), none, unknown, clock.Ambiguous},
		"does not exist, a right clock":     {"2024-03-31 02:30:00", time.Date(2024, 3, 31, 0, 30, 0, 0, time.UTC), measured(0, 5), unknown, clock.Ambiguous},
		"just before the gap":               {"2024-03-31 01:59:59", time.Date(2024, 3, 31, 1, 0, 0, 0, time.UTC), none, good, ""},
		"just after the gap":                {"2024-03-31 03:00:00", time.Date(2024, 3, 31, 1, 0, 0, 0, time.UTC), none, good, ""},
		"the first time, a clock 8 h ahead": {"2024-10-27 02:30:00", first.Add(-8 * time.Hour), measured(8*time.Hour, 5), unknown, clock.Future},
		"a future time that occurs twice":   {"2024-10-27 02:30:00", first.Add(-24 * time.Hour), none, unknown, clock.Ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			got := clock.Assess(clock.Evidence{Readings: read(test.text), Received: test.received, Zone: berlin, Measured: test.measured, Fresh: fresh})
			check(t, got, test.want, test.problem)
		})
	}
	// A zone where the two instants are not an hour apart.
	lord := mustLoad("Australia/Lord_Howe") // half an hour, on 2024-04-06 at 15:00 UTC
	got := clock.Assess(clock.Evidence{Readings: read("2024-04-07 01:45:00"), Received: time.Date(2024, 4, 6, 15, 15, 0, 0, time.UTC), Zone: lord, Fresh: fresh})
	check(t, got, unknown, clock.Ambiguous)
}

func TestMeter(t *testing.T) {
	const hour = time.Hour
	type step struct {
		offset  time.Duration
		record  bool
		after   time.Duration // since the sample before
		offline bool          // the device was offline before it
	}
	beats := func(offset time.Duration, n int) (steps []step) {
		for range n {
			steps = append(steps, step{offset: offset, after: 30 * time.Second})
		}
		return steps
	}
	records := func(n int, after time.Duration, offsets ...time.Duration) (steps []step) {
		for i := range n {
			steps = append(steps, step{offset: offsets[min(i, len(offsets)-1)], record: true, after: after})
		}
		return steps
	}
	join := func(all ...[]step) (steps []step) {
		for _, some := range all {
			steps = append(steps, some...)
		}
		return steps
	}
	for name, test := range map[string]struct {
		steps           []step
		offset          time.Duration
		samples         int
		stable, settled bool
	}{
		"nothing":                       {nil, 0, 0, false, false},
		"one heartbeat":                 {beats(8*hour, 1), 8 * hour, 1, false, false},
		"three":                         {beats(8*hour, 3), 8 * hour, 3, true, true},
		"many":                          {beats(-61*time.Second, 100), -61 * time.Second, 7, true, true},
		"one of them is nonsense":       {join(beats(0, 5), beats(600000*hour, 1)), 0, 6, true, true},
		"two were late":                 {join(beats(0, 3), beats(-3*hour, 2)), 0, 5, true, true},
		"the clock was set":             {join(beats(5*hour, 7), beats(0, 4)), 0, 7, true, true},
		"the clock is being set":        {join(beats(5*hour, 7), beats(0, 2)), 5 * hour, 7, true, true},
		"heartbeats over records":       {join(records(7, time.Minute, -2*hour), beats(0, 1)), 0, 1, false, false},
		"one record":                    {records(1, 0, 8*hour), 8 * hour, 1, false, false},
		"records at once":               {records(7, time.Second, 8*hour), 8 * hour, 7, true, false},
		"records over a while":          {records(7, 2*time.Minute, 8*hour), 8 * hour, 7, true, true},
		"a backlog before live records": {join(records(5, 0, -3*hour, -2*hour), records(2, time.Minute, 0)), 0, 7, false, false},
		"live records before a backlog": {join(records(3, time.Minute, 0), records(4, 0, -3*hour)), 0, 7, true, false},
		"the year 2099 once":            {join(records(1, 0, 600000*hour), records(4, time.Minute, 0)), 0, 5, true, false},
		"a backlog of one minute":       {records(5, 0, -2*hour), -2 * hour, 5, true, false},
		"it was offline":                {join(beats(8*hour, 5), []step{{offset: 0, after: hour, offline: true}}), 0, 1, false, false},
		"it was offline, and is as wrong as before": {join(beats(8*hour, 5), []step{{offset: 8 * hour, after: hour, offline: true}}, beats(8*hour, 2)), 8 * hour, 3, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var meter clock.Meter
			now := time.Now()
			for _, s := range test.steps {
				now = now.Add(s.after)
				if s.offline {
					meter.Offline(now)
				}
				source := clock.FromHeartbeat
				if s.record {
					source = clock.FromRecord
				}
				meter.Add(source, clock.Verdict{Shown: now.Add(s.offset), Step: time.Second, Wall: true}, now)
			}
			got := meter.Estimate(now)
			if got.Offset != test.offset || got.Samples != test.samples || got.Stable != test.stable || got.Settled != test.settled {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Samples from before the device was offline do not correct times: its clock may have been
// set.
func TestMeterOffline(t *testing.T) {
	var meter clock.Meter
	now := time.Now()
	for range 5 {
		meter.Add(clock.FromHeartbeat, clock.Verdict{Shown: now.Add(time.Hour)}, now)
	}
	meter.Offline(now.Add(time.Second))
	if got := meter.Estimate(now.Add(2 * time.Second)); got.Settled || got.Offset != time.Hour {
		t.Errorf("%+v", got)
	}
	meter.Reset()
	if got := meter.Estimate(now); got.Samples != 0 {
		t.Errorf("%+v", got)
	}
}

func TestProblem(t *testing.T) {
	now := date()
	limit := 30 * time.Second
	wall := func(offset time.Duration) clock.Estimate {
		e := measured(offset, 5)
		e.Wall = true
		return e
	}
	for name, test := range map[string]struct {
		estimate clock.Estimate
		zone     *time.Location
		want     []string // parts of it; none for no problem
	}{
		"right":                        {wall(2 * time.Second), time.UTC, nil},
		"not sure yet":                 {clock.Estimate{Offset: 8 * time.Hour, Samples: 1, Heartbeats: true}, time.UTC, nil},
		"nothing":                      {clock.Estimate{}, time.UTC, nil},
		"61 s behind":                  {wall(-61 * time.Second), time.UTC, []string{"1m1s behind", "NTP", "apply_clock_offset"}},
		"8 h ahead":                    {wall(8*time.Hour + time.Second), time.UTC, []string{"8h0m0s ahead", "UTC+08:00", "zone"}},
		"5 h behind":                   {wall(-5*time.Hour - 40*time.Second), time.UTC, []string{"behind", `"UTC-05:00"`}},
		"Nepal's time in Berlin":       {wall(3*time.Hour + 45*time.Minute), berlin, []string{"UTC+05:45", "Europe/Berlin"}},
		"8 h ahead, with its own zone": {measured(8*time.Hour, 5), time.UTC, []string{"8h0m0s ahead", "at the terminal", "apply_clock_offset"}},
		"7 h 50 min":                   {wall(7*time.Hour + 50*time.Minute), time.UTC, []string{"7h50m0s ahead", "NTP"}},
		"never set":                    {wall(-54 * 365 * 24 * time.Hour), time.UTC, []string{"behind", "NTP"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := test.estimate.Problem(limit, test.zone, now)
			if (got == "") != (test.want == nil) {
				t.Errorf("%q", got)
			}
			for _, part := range test.want {
				if !strings.Contains(got, part) {
					t.Errorf("%q has no %q", got, part)
				}
			}
		})
	}
}
