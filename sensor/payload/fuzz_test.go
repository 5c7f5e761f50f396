package payload_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"edgelens"
	"edgelens/sensor/payload"
)

// Whatever arrives is a refusal with a sentence, or readings within all bounds.
func FuzzParse(f *testing.F) {
	for _, seed := range [][2]string{
		{"sensors/room_101/temperature", "Temperature: 23.5"}, {"sensors/a", "temp=23.5 C"}, {"sensors/a", "1e308"}, {"sensors/a", "0x2"},
		{"sensor/data", `{"device_id":"d1","timestamp":"2026-04-10T10:00:00Z","a":{"b":1,"unit":"C"},"units":{"x":"y"}}`},
		{"tele/plug/SENSOR", `{"Time":"2026-04-10T12:00:07","AM2301":{"Temperature":23.5},"TempUnit":"C"}`},
		{"zigbee2mqtt/x", `{"device":{"a":1},"update":{"b":[1,{}]},"t":1}`}, {"stat/plug/STATUS8", `{"StatusSNS":{"t":1}}`},
		{"+/#//", `{"value":"1","":{"":{"":1}}}`}, {"sensors", "\ufeff 1"}, {"kitchen/sensor/x/state", `"1"`},
	} {
		f.Add(seed[0], []byte(seed[1]), false)
	}
	p := parser()
	f.Fuzz(func(t *testing.T, topic string, body []byte, retained bool) {
		result, err := p.Parse(payload.Message{Topic: topic, Payload: body, Retained: retained, ReceivedAt: received})
		if err != nil {
			var refusal *payload.Refusal
			if !errors.As(err, &refusal) || len(result.Readings) > 0 || len(refusal.Sentence) > 500 || !strings.HasSuffix(refusal.Sentence, ".") || !utf8.ValidString(refusal.Sentence) {
				t.Fatalf("%v, %v", result, err)
			}
			return
		}
		if n := len(result.Readings); n < 1 || n > payload.MaxReadings {
			t.Fatalf("%d readings", n)
		}
		fields := map[string]bool{}
		for _, r := range result.Readings {
			switch {
			case r.Device != result.Readings[0].Device, fields[r.Field]:
				t.Errorf("two devices, or a field twice: %+v", r)
			case r.Device == "" || r.Field == "" || len(r.Device) > edgelens.MaxSensorName || len(r.Field) > edgelens.MaxSensorName:
				t.Errorf("names out of bounds: %+v", r)
			case len(r.Unit) > edgelens.MaxSensorUnit || len(r.Location) > edgelens.MaxSensorName:
				t.Errorf("unit or location out of bounds: %+v", r)
			case strings.HasPrefix(r.Field, payload.OwnPrefix):
				t.Errorf("a reserved field: %+v", r)
			case math.IsNaN(r.Value) || math.Abs(r.Value) > edgelens.MaxSensorValue:
				t.Errorf("a value out of bounds: %+v", r)
			case r.Freshness == edgelens.FreshnessFresh && (r.At.Sub(received).Abs() > time.Minute || retained):
				t.Errorf("fresh, but not now: %+v", r)
			case r.At.IsZero() && r.Freshness != edgelens.FreshnessReplayed:
				t.Errorf("no time: %+v", r)
			}
			fields[r.Field] = true
		}
	})
}

func BenchmarkParse(b *testing.B) {
	p := parser()
	for name, message := range map[string]payload.Message{
		"number": {Topic: "sensors/room_101/temperature", Payload: []byte("23.5"), ReceivedAt: received},
		"object": {Topic: "sensor/data", Payload: []byte(`{"device_id":"d1","timestamp":"2026-04-10T10:00:05Z","temperature":23.5,"unit":"C"}`), ReceivedAt: received},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Parse(message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
