package sensor_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/sensor"
)

func TestSeriesOfAReading(t *testing.T) {
	run(t, nil, func(s *site) {
		s.sendText(room, "Temperature: 23.5")
		s.sendText("sensor/data", `{"device_id":"hall","location":"Hall","temperature":20,"humidity":40,"units":{"humidity":"%"}}`)
		series, err := s.Series("")
		if err != nil || len(series) != 3 {
			t.Fatalf("%d series, %v", len(series), err)
		}
		if h := series[0]; h.Device != "hall" || h.Field != "humidity" || h.Unit != "%" || h.Location != "Hall" || h.Last != 40 || h.ID != edgelens.SeriesID("hall", "humidity") {
			t.Errorf("%+v", h)
		}
		got := s.one(roomID)
		if got.Last != 23.5 || got.Points != 1 || got.Freshness != edgelens.FreshnessFresh || got.Window.Count != 1 || !got.LastAt.Equal(time.Now()) || !got.FirstAt.Equal(time.Now()) {
			t.Errorf("%+v", got)
		}
		if got.Silent || got.Stuck || got.Prediction != nil || got.NoPrediction == "" || got.Trend.Simple != edgelens.DirectionUnknown || got.Trend.Recent.Direction != edgelens.DirectionUnknown {
			t.Errorf("a single value has %+v", got)
		}
		if of, err := s.Series("hall"); err != nil || len(of) != 2 {
			t.Errorf("%d series of the device, %v", len(of), err)
		}
		if _, err := s.OneSeries("no"); !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("an unknown series: %v", err)
		}
	})
}

func TestStatisticsOfASeries(t *testing.T) {
	run(t, nil, func(s *site) {
		for i := range 120 { // a line with a wave, each second
			s.send(room, 20+0.1*float64(i)+math.Sin(2*math.Pi*float64(i)/12))
			time.Sleep(time.Second)
		}
		s.wait(11 * time.Second)
		got := s.one(roomID)
		if w := got.Window; w.Count != 120 || w.Span != 119*time.Second || math.Abs(w.Rate-1) > 1e-9 || math.Abs(w.Mean-25.95) > 0.01 || w.Min > 20.1 || w.Max < 31 {
			t.Errorf("window %+v", w)
		}
		if len(got.Quantiles) != 6 || math.Abs(got.Quantiles[2].Value-25.95) > 0.5 {
			t.Errorf("quantiles %v", got.Quantiles)
		}
		if r := got.Trend.Recent; r.Direction != edgelens.DirectionIncreasing || math.Abs(r.PerHour-360) > 40 || r.P > 0.001 || r.Count != 60 {
			t.Errorf("slope %+v, want 360 per hour", r)
		}
		if got.Season == nil || got.Season.Period != 12*time.Second || got.Season.Periods < 9 {
			t.Errorf("season %+v", got.Season)
		}
		if p := got.Prediction; p == nil || p.Error >= p.LastError || p.Low > p.Value || p.High < p.Value || p.At.Sub(got.LastAt) != time.Second {
			t.Errorf("prediction %+v, %s", p, got.NoPrediction)
		}
		if got.Interval != time.Second || got.AnalyzedAt.IsZero() {
			t.Errorf("interval %v, analyzed at %v", got.Interval, got.AnalyzedAt)
		}
	})
}

// A season of a day shows after three days, in means of ten minutes.
func TestSeasonOfADay(t *testing.T) {
	run(t, nil, func(s *site) {
		noise := noisy(1000, 0, 0.5)
		send := func(minutes int) {
			for i := range minutes / 5 {
				at := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
				s.each(5*time.Minute, room, 20+4*math.Sin(2*math.Pi*at.Hours()/24)+noise[i%1000])
			}
			s.wait(time.Minute)
		}
		send(60 * 60)
		if got := s.one(roomID); got.Season != nil {
			t.Errorf("after two days and a half: %+v", got.Season)
		}
		send(24 * 60)
		if got := s.one(roomID).Season; got == nil || (got.Period-24*time.Hour).Abs() > 30*time.Minute || got.Periods < 3 {
			t.Errorf("after three days and a half: %+v", got)
		}
	})
}

// A random walk cannot be predicted better than by its last value, which is stated.
func TestNoPredictionWithoutGain(t *testing.T) {
	run(t, nil, func(s *site) {
		at := 0.0
		for _, step := range noisy(200, 0, 1) {
			at += step
			s.each(time.Second, room, at)
		}
		s.wait(11 * time.Second)
		if got := s.one(roomID); got.Prediction != nil || !strings.Contains(got.NoPrediction, "repeat the last value") {
			t.Errorf("%+v: %s", got.Prediction, got.NoPrediction)
		}
	})
}

func TestSilence(t *testing.T) {
	run(t, nil, func(s *site) {
		s.each(10*time.Second, room, repeat(20, 21)...)
		s.wait(19 * time.Second) // 29 s after the last value
		if got := s.one(roomID); got.Silent || got.Interval != 10*time.Second {
			t.Errorf("before three intervals: silent %v, interval %v", got.Silent, got.Interval)
		}
		s.wait(3 * time.Second)
		got := s.one(roomID)
		if !got.Silent || time.Since(got.SilentSince) != 32*time.Second {
			t.Errorf("after three intervals: silent %v, since %v", got.Silent, got.SilentSince)
		}
		s.send(room, 21)
		if s.one(roomID).Silent {
			t.Error("silent after a value")
		}
	})
}

// While the broker is away, no series is silent; afterwards each has its time again.
func TestSilenceCountsFromReconnection(t *testing.T) {
	run(t, nil, func(s *site) {
		s.each(10*time.Second, room, repeat(20, 21)...)
		s.Connected(false)
		s.wait(time.Hour)
		s.Connected(true)
		s.wait(25 * time.Second)
		if s.one(roomID).Silent || len(s.summaries()) > 0 {
			t.Errorf("silent at once after a reconnection: %v", s.summaries())
		}
		s.wait(10 * time.Second)
		if !s.one(roomID).Silent {
			t.Error("not silent three intervals after the reconnection")
		}
	})
}

func TestStuck(t *testing.T) {
	run(t, func(c *sensor.Config) { c.Window, c.MinPoints = 30, 10 }, func(s *site) {
		s.each(time.Second, "sensors/constant", repeat(100, 21)...)
		s.each(time.Second, room, 20, 21)
		s.each(time.Second, room, repeat(28, 21)...)
		if s.one(roomID).Stuck {
			t.Error("stuck before a full window")
		}
		s.each(time.Second, room, repeat(2, 21)...)
		if got := s.one(roomID); !got.Stuck || time.Since(got.StuckSince) != 31*time.Second {
			t.Errorf("stuck %v since %v, want since 31 s", got.Stuck, time.Since(got.StuckSince))
		}
		if s.one(edgelens.SeriesID("constant", "value")).Stuck {
			t.Error("a series that never changed is stuck")
		}
		s.send(room, 22)
		if got := s.one(roomID); got.Stuck || !got.StuckSince.IsZero() {
			t.Error("stuck after a change")
		}
	})
}

// What cannot be dated is shown as unknown; what is replayed is stored with its time, and is in no
// statistics.
func TestFreshnessOfPoints(t *testing.T) {
	run(t, nil, func(s *site) {
		now := time.Now().UTC()
		s.send("sensors/d1/t", 20)
		body := func(at any, value float64) string {
			return fmt.Sprintf(`{"device_id":"d1","timestamp":"%v","t":%v}`, at, value)
		}
		s.sendText("sensor/data", body("soon", 21))
		s.sendText("sensor/data", body(now.Add(-time.Hour).Format(time.RFC3339), 99))
		s.sendText("sensor/data", body("1970-01-01T00:00:20Z", 98))
		if err := s.Receive("sensors/d1/t", []byte("97"), true); err != nil {
			t.Fatal(err)
		}
		got := s.one(edgelens.SeriesID("d1", "t"))
		if got.Points != 2 || got.Unknown != 1 || got.Replayed != 3 || got.Window.Max != 21 || got.Last != 21 {
			t.Errorf("%+v", got)
		}
		if got.Freshness != edgelens.FreshnessUnknown || !strings.Contains(got.FreshnessReason, "cannot be read") {
			t.Errorf("%s: %s", got.Freshness, got.FreshnessReason)
		}
		if err := s.Receive("sensors/kept/t", []byte("97"), true); err != nil {
			t.Fatal(err)
		}
		if kept := s.one(edgelens.SeriesID("kept", "t")); kept.Points != 0 || kept.Window.Count != 0 || kept.Freshness != edgelens.FreshnessReplayed || kept.FreshnessReason == "" {
			t.Errorf("a series of nothing but a retained value: %+v", kept)
		}
		s.wait(2 * time.Second)
		saved := s.store.saved()
		if len(saved) != 4 || saved[2].Freshness != edgelens.FreshnessReplayed || !saved[2].At.Equal(now.Add(-time.Hour)) || saved[1].Freshness != edgelens.FreshnessUnknown {
			t.Errorf("stored %+v", saved)
		}
	})
}

func TestPointsOfTheWindow(t *testing.T) {
	run(t, func(c *sensor.Config) { c.Window, c.MinPoints = 30, 10 }, func(s *site) {
		s.each(time.Second, room, alternate(40, 50, 1)...)
		s.send(room, 500)
		points, err := s.Points(roomID, 0)
		if err != nil || len(points) != 30 {
			t.Fatalf("%d points, %v", len(points), err)
		}
		last := points[29]
		if last.Seq != 41 || last.Value != 500 || last.Anomaly == nil || !last.Anomaly.BySigma || !last.Anomaly.ByRobust || points[0].Seq != 12 || points[0].Anomaly != nil {
			t.Errorf("%+v ... %+v", points[0], last)
		}
		if after, err := s.Points(roomID, 39); err != nil || len(after) != 2 || after[0].Seq != 40 {
			t.Errorf("after 39: %+v, %v", after, err)
		}
		if _, err := s.Points("no", 0); !errors.Is(err, edgelens.ErrNotFound) {
			t.Errorf("of an unknown series: %v", err)
		}
	})
}

func TestRefusedMessages(t *testing.T) {
	run(t, nil, func(s *site) {
		for range 5 {
			if err := s.Receive(room, []byte("NaN"), false); !errors.Is(err, edgelens.ErrInvalid) {
				t.Fatalf("NaN: %v", err)
			}
		}
		if err := s.Receive("sensors/other", []byte("<script>"), false); err == nil {
			t.Fatal("markup is a number")
		}
		if err := s.Receive(room, nil, true); err == nil {
			t.Fatal("an empty payload is a number")
		}
		if n := strings.Count(s.log.String(), "sensor_message_refused"); n != 2 {
			t.Errorf("%d lines, want one for each of two topics:\n%s", n, s.log.String())
		}
		s.wait(time.Minute)
		_ = s.Receive(room, []byte("NaN"), false)
		if log := s.log.String(); !strings.Contains(log, "suppressed=4") {
			t.Errorf("after a minute, no line with what was suppressed:\n%s", log)
		}
		for i := range 1000 {
			_ = s.Receive(fmt.Sprintf("sensors/%d", i), []byte("?"), false)
		}
		if n := strings.Count(s.log.String(), "event=sensor_message"); n > 40 || !strings.Contains(s.log.String(), "event=sensor_messages_refused") {
			t.Errorf("%d lines about a thousand topics", n)
		}
		if got := s.Status().Refused; got["not_finite"] != 6 || got["no_number"] != 1001 || got["empty"] != 1 {
			t.Errorf("%v", got)
		}
		if n := testutil.Metrics(t, s.metrics)["edgelens_sensor_messages_refused_total not_finite"]; n != 6 {
			t.Errorf("%v refusals in the metrics", n)
		}
	})
}

func TestObserveTakesOwnFieldsOnly(t *testing.T) {
	run(t, nil, func(s *site) {
		for name, test := range map[string]struct {
			reading edgelens.Reading
			ok      bool
		}{
			"one":           {edgelens.Reading{Device: "door", Field: sensor.OwnRecordsPerHour, Value: 3}, true},
			"another field": {edgelens.Reading{Device: "door", Field: "temperature", Value: 3}, false},
			"no device":     {edgelens.Reading{Field: sensor.OwnRecordsPerHour, Value: 3}, false},
			"NaN":           {edgelens.Reading{Device: "door", Field: sensor.OwnRecordsPerHour, Value: math.NaN()}, false},
			"infinite":      {edgelens.Reading{Device: "door", Field: sensor.OwnRecordsPerHour, Value: math.Inf(1)}, false},
		} {
			if err := s.Observe(test.reading); (err == nil) != test.ok || err != nil && !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got := s.Status(); got.OwnSeries != 1 || got.Series != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestForget(t *testing.T) {
	run(t, nil, func(s *site) {
		s.sendText("sensor/data", `{"device_id":"d1","a":1,"b":2}`)
		s.send(room, 1)
		if n := s.Forget(edgelens.SeriesErasure{Device: "d1"}); n != 2 {
			t.Errorf("%d series forgotten", n)
		}
		if got, err := s.Series(""); err != nil || len(got) != 1 || s.Status().Series != 1 {
			t.Errorf("%+v, %v remain", got, err)
		}
		s.sendText("sensor/data", `{"device_id":"d1","a":1}`)
		if got := s.one(edgelens.SeriesID("d1", "a")); got.Points != 1 {
			t.Errorf("it did not begin anew: %+v", got)
		}
	})
}
