package sensor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"edgelens"
	"edgelens/sensor"
)

// rules replaces the default rules.
func rules(all ...sensor.Rule) func(*sensor.Config) {
	return func(c *sensor.Config) { c.Rules = sensor.FormatRules(all) }
}

var hot = sensor.Rule{Name: "hot", Kind: edgelens.InsightThreshold, Field: "temperature", Above: number(30), Hysteresis: 2, Severity: edgelens.InsightCritical}

func TestInsightOfAThreshold(t *testing.T) {
	run(t, rules(hot), func(s *site) {
		follow, err := s.SubscribeInsights(10)
		if err != nil {
			t.Fatal(err)
		}
		s.sendText(room, "29 C")
		s.each(time.Second, room, 30, 31.25, 40, 29, 31, 28.5, 28, 27)
		want := []string{
			"raised hot: room_101 temperature is 31.25 °C, above 30 °C.",
			"cleared hot: room_101 temperature is 28 °C, within its limits again.",
		}
		if got := s.summaries(); !slices.Equal(got, want) {
			t.Fatalf("%q\nwant %q", got, want)
		}
		raised, cleared := s.publisher.all()[0], s.publisher.all()[1]
		if raised.Severity != edgelens.InsightCritical || raised.Confidence != 1 || len(raised.Actions) == 0 || raised.Value != 31.25 || raised.Unit != "°C" || raised.Series != roomID || raised.Freshness != edgelens.FreshnessFresh {
			t.Errorf("%+v", raised)
		}
		if id, err := uuid.Parse(raised.ID); err != nil || id.Version() != 7 {
			t.Errorf("id %q: %v", raised.ID, err)
		}
		if cleared.Raised != raised.ID || cleared.ID == raised.ID {
			t.Errorf("%+v does not clear %s", cleared, raised.ID)
		}
		if got := <-follow.C(); got.ID != raised.ID {
			t.Errorf("the subscription delivers %+v", got)
		}
		if got := s.Insights(); len(got) != 2 || got[0].ID != cleared.ID {
			t.Errorf("remembered: %+v", got)
		}
	})
}

func TestActiveInsights(t *testing.T) {
	run(t, rules(hot), func(s *site) {
		s.send(room, 35)
		if got := s.Active(); len(got) != 1 || got[0].Rule != "hot" || got[0].Device != "room_101" || got[0].Summary == "" || got[0].ID != s.Insights()[0].ID {
			t.Errorf("%+v", got)
		}
		s.send(room, 20)
		if got := s.Active(); len(got) != 0 {
			t.Errorf("after clearing: %+v", got)
		}
	})
}

// The condition must hold for a time, even if no further value comes meanwhile.
func TestInsightAfterATime(t *testing.T) {
	rule := hot
	rule.For = time.Minute
	run(t, rules(rule), func(s *site) {
		s.each(15*time.Second, room, 31, 32, 29.5, 27, 31, 32, 33)
		if got := s.summaries(); len(got) != 0 {
			t.Fatalf("too early: %q", got)
		}
		s.wait(17 * time.Second)
		if got := s.summaries(); len(got) != 1 || !strings.HasSuffix(got[0], "above 30 for 1m.") {
			t.Errorf("%q", got)
		}
	})
}

// Whether a condition still holds while its sensor is silent is unknown: none is raised for it.
func TestInsightNeedsValues(t *testing.T) {
	rule := hot
	rule.For = 10 * time.Minute
	run(t, rules(rule), func(s *site) {
		s.each(10*time.Second, room, repeat(20, 21)...)
		s.send(room, 40)
		s.wait(time.Hour)
		if got := s.summaries(); len(got) != 0 {
			t.Errorf("from one value before an hour of silence: %q", got)
		}
		s.each(time.Minute, room, repeat(12, 41)...)
		if got := s.summaries(); len(got) != 1 {
			t.Errorf("after values: %q", got)
		}
	})
}

func TestInsightBelow(t *testing.T) {
	rule := sensor.Rule{Name: "cold", Kind: edgelens.InsightThreshold, Below: number(5), Armed: true}
	run(t, rules(rule), func(s *site) {
		s.each(time.Second, "sensors/never/t", 1, 2, 3) // was never warm
		s.each(time.Second, room, 6, 4)
		if got := s.summaries(); len(got) != 1 || !strings.Contains(got[0], "room_101 temperature is 4, below 5.") {
			t.Errorf("%q", got)
		}
	})
}

// A value that flaps around its limit gives one insight in a cooldown; the next one states how
// many were suppressed.
func TestCooldown(t *testing.T) {
	rule := hot
	rule.Hysteresis, rule.Cooldown = 0, 10*time.Minute
	run(t, rules(rule), func(s *site) {
		s.each(time.Second, room, alternate(100, 30, 5)...)
		if got := s.summaries(); len(got) != 2 {
			t.Fatalf("%d insights in a cooldown, want one raised and cleared: %q", len(got), got)
		}
		s.send(room, 35) // holds until the cooldown ends
		s.wait(9 * time.Minute)
		all := s.publisher.all()
		if len(all) != 3 || all[2].State != edgelens.InsightRaised || all[2].Suppressed != 50 {
			t.Errorf("%+v", all[2:])
		}
	})
}

// A thousand rules that hold at once are a flood: a bounded number is raised in a minute, the
// rest later.
func TestInsightsPerMinute(t *testing.T) {
	run(t, func(c *sensor.Config) { c.MaxInsightsPerMinute, c.Rules = 10, hot.String() }, func(s *site) {
		for i := range 25 {
			s.send(fmt.Sprintf("sensors/d%d/temperature", i), 40)
		}
		for minute, want := range []int{10, 20, 25} {
			if got := s.summaries(); len(got) != want {
				t.Errorf("in minute %d: %d insights, want %d", minute, len(got), want)
			}
			s.wait(time.Minute)
		}
		if n := strings.Count(s.log.String(), "insights_limited"); n < 1 || n > 3 {
			t.Errorf("%d lines about it", n)
		}
	})
}

func TestInsightOfAnAnomaly(t *testing.T) {
	run(t, rules(sensor.Rule{Name: "odd", Kind: edgelens.InsightAnomaly}), func(s *site) {
		s.each(time.Second, room, noisy(100, 50, 2)...)
		before := s.one(roomID)
		s.each(time.Second, room, before.Window.Mean+3.7*before.Window.Deviation) // marked, but no insight
		if got := s.one(roomID); got.Anomalies != before.Anomalies+1 || len(s.summaries()) != 0 {
			t.Fatalf("%d anomalies, insights %q", got.Anomalies, s.summaries())
		}
		s.each(time.Second, room, 90)
		s.each(time.Second, room, 90, 50, 10)
		got := s.summaries()
		if len(got) != 1 || !strings.Contains(got[0], "standard deviations above the values before it.") {
			t.Fatalf("%q", got)
		}
		if c := s.publisher.all()[0].Confidence; c < 0.95 || c >= 1 {
			t.Errorf("confidence %v", c)
		}
		s.wait(15 * time.Minute)
		s.each(time.Second, room, -40)
		s.wait(0)
		if all := s.publisher.all(); len(all) != 2 || all[1].Suppressed < 2 || !strings.Contains(all[1].Summary, "below") {
			t.Errorf("%+v", all)
		}
	})
}

func TestInsightOfAbsence(t *testing.T) {
	run(t, nil, func(s *site) { // by the default rules
		s.each(10*time.Second, room, alternate(50, 21, 0.1)...)
		s.wait(30 * time.Second)
		got := s.summaries()
		if len(got) != 1 || !strings.HasPrefix(got[0], "raised sensor-silent: room_101 temperature has sent no value for 31s; it usually sends one each 10s.") {
			t.Fatalf("%q", got)
		}
		if c := s.publisher.all()[0].Confidence; c < 0.97 || c >= 1 {
			t.Errorf("confidence %v", c)
		}
		s.send(room, 21.1)
		if got := s.summaries(); len(got) != 2 || got[1] != "cleared sensor-silent: room_101 temperature sends values again: 21.1." {
			t.Errorf("%q", got)
		}
	})
}

func TestInsightOfATrend(t *testing.T) {
	rule := sensor.Rule{Name: "rising", Kind: edgelens.InsightTrend, Direction: edgelens.DirectionIncreasing, MinChange: 5}
	run(t, rules(rule), func(s *site) {
		for i := range 100 {
			s.send(room, 20+float64(i)/10)
			s.send("sensors/slow/t", 20+float64(i)/1000) // significant, and too small
			s.send("sensors/falling/t", 20-float64(i)/10)
			time.Sleep(time.Minute)
		}
		got := s.summaries()
		if len(got) != 1 || !strings.Contains(got[0], "room_101 temperature is increasing: by 5") {
			t.Fatalf("%q", got)
		}
		s.each(time.Minute, room, alternate(100, 30, 0.1)...)
		if got := s.summaries(); len(got) != 2 || !strings.Contains(got[1], "no such trend anymore") {
			t.Errorf("%q", got)
		}
	})
}

func TestInsightOfAStuckSensor(t *testing.T) {
	run(t, func(c *sensor.Config) {
		c.Window, c.Rules = 30, "stuck stuck"
	}, func(s *site) {
		s.each(time.Second, room, 20, 21)
		s.each(time.Second, room, repeat(40, 21)...)
		s.each(time.Second, room, 22)
		want := []string{"raised stuck: room_101 temperature has been 21 for 30 values in a row, and changed before.", "cleared stuck: room_101 temperature changes again: 22."}
		if got := s.summaries(); !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
}

// An insight from a value of an unknown time states that, and is less certain.
func TestInsightFromAnUnknownTime(t *testing.T) {
	run(t, rules(hot), func(s *site) {
		s.sendText("sensor/data", `{"device_id":"d1","timestamp":"soon","temperature":40}`)
		old := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
		s.sendText("sensor/data", `{"device_id":"d2","timestamp":"`+old+`","temperature":40}`)
		got := s.summaries()
		if len(got) != 1 || got[0] != "raised hot: d1 temperature is 40, above 30. When it was measured is unknown." {
			t.Fatalf("%q: a replayed value gives none", got)
		}
		if i := s.publisher.all()[0]; i.Confidence != 0.5 || i.Freshness != edgelens.FreshnessUnknown {
			t.Errorf("%+v", i)
		}
	})
}

func TestInsightThatIsNotPublished(t *testing.T) {
	run(t, rules(hot), func(s *site) {
		s.publisher.fail = errors.New("no broker")
		s.send(room, 40)
		s.wait(time.Second)
		if s.Status().LostInsights != 1 || !strings.Contains(s.log.String(), "insight_lost") || len(s.Insights()) != 1 {
			t.Errorf("%+v\n%s", s.Status(), s.log.String())
		}
	})
}

// feeder reports edgelens' own streams.
type feeder func() []edgelens.Reading

func (f feeder) Readings(context.Context) []edgelens.Reading { return f() }

// A dead terminal, a covered lens and a drifting model are insights by the default rules.
func TestInsightsOfOwnStreams(t *testing.T) {
	start := sync.OnceValue(time.Now) // its first call is in the bubble
	feed := feeder(func() []edgelens.Reading {
		at := time.Since(start())
		read := func(device, field string, value float64) edgelens.Reading {
			return edgelens.Reading{Device: device, Field: field, Value: value}
		}
		silent, unusable, confidence := 0.0, 0.05, 0.9
		if at > 6*time.Hour {
			silent = (at - 6*time.Hour).Minutes()
			unusable = 0.9
		}
		confidence -= 0.3 * at.Hours() / 15
		return []edgelens.Reading{
			read("door", sensor.OwnMinutesSilent, silent), read("camera", sensor.OwnUnusableShare, unusable),
			read(sensor.OwnDevice, sensor.OwnMeanConfidence, confidence+0.001*float64(int(at.Minutes())%7)), read(sensor.OwnDevice, sensor.OwnTemperature, 60),
		}
	})
	run(t, nil, func(s *site) {
		s.wait(5 * time.Hour)
		for _, text := range s.summaries() {
			if !strings.HasPrefix(text, "raised model-drift: ") {
				t.Errorf("while all is well: %q", text)
			}
		}
		s.wait(2 * time.Hour)
		got := strings.Join(s.summaries(), "\n")
		for _, want := range []string{
			"raised terminal-silent: door has sent nothing for 16 minutes.",
			"raised lens-covered: Most images of camera are not usable: its lens may be covered.",
			"raised model-drift: The recognitions of edgelens have become less certain over a day",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if n := strings.Count(got, "\n") + 1; n != 3 {
			t.Errorf("%d insights, want 3:\n%s", n, got)
		}
	}, feed)
}

// What a feeder must not report is refused and logged once a minute, and the rest is taken.
func TestFeederOutOfBounds(t *testing.T) {
	feed := feeder(func() []edgelens.Reading {
		return []edgelens.Reading{{Device: "door", Field: "temperature", Value: 1}, {Device: "door", Field: sensor.OwnTemperature, Value: 50}}
	})
	run(t, func(c *sensor.Config) { c.FeedInterval = 10 * time.Second }, func(s *site) {
		s.wait(time.Minute + time.Second)
		if got := s.Status(); got.OwnSeries != 1 || got.Series != 0 || got.Points != 6 {
			t.Errorf("%+v", got)
		}
		if n := strings.Count(s.log.String(), "event=sensor_feed"); n != 1 {
			t.Errorf("%d lines, want 1:\n%s", n, s.log.String())
		}
	}, feed)
}

// A rule may have a sentence of its own; a device's name is no template.
func TestSummaryOfARule(t *testing.T) {
	rule := hot
	rule.Summary = "{device}: {field} is {value}!"
	run(t, rules(rule), func(s *site) {
		s.each(time.Second, "sensors/{value}/temperature", 31, 20)
		want := []string{"raised hot: {value}: temperature is 31!", "cleared hot: Over: {value}: temperature is 31!"}
		if got := s.summaries(); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// Records that stop are an insight only where there were some.
func TestRecordsThatStop(t *testing.T) {
	run(t, nil, func(s *site) {
		records := func(device string, n float64) edgelens.Reading {
			return edgelens.Reading{Device: device, Field: sensor.OwnRecordsPerHour, Value: n}
		}
		for range 20 * 60 { // the first device stops after an hour, the second never had any
			n := 0.0
			if len(s.store.saved()) < 120 {
				n = 12
			}
			if err := s.Observe(records("door", n), records("spare", 0)); err != nil {
				t.Fatal(err)
			}
			s.wait(time.Minute)
		}
		if got := s.summaries(); len(got) != 1 || !strings.HasPrefix(got[0], "raised records-stopped: door has recorded nothing for 12 hours, and did before.") {
			t.Errorf("%q", got)
		}
	})
}
