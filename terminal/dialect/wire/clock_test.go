package wire_test

import (
	"strings"
	"testing"

	"edgelens/terminal/clock"
	"edgelens/terminal/dialect/wire"
)

func TestTimes(t *testing.T) {
	const first, second = `"2026-04-10 10:00:07"`, `"2026-04-10 11:00:07"`
	tests := map[string]struct {
		object string
		want   string // the kinds: a absent, u unreadable, w wall, i instant
	}{
		"time":                       {`{"time":` + first + `}`, "w"},
		"Time":                       {`{"Time":` + first + `}`, "w"},
		"CreateTime":                 {`{"CreateTime":` + first + `}`, "w"},
		"create_time":                {`{"create_time":` + first + `}`, "w"},
		"recordTime":                 {`{"recordTime":` + first + `}`, "w"},
		"RECORDTIME":                 {`{"RECORDTIME":` + first + `}`, "w"},
		"timestamp":                  {`{"timestamp":1775815207}`, "i"},
		"Timestamp, as a string":     {`{"Timestamp":"1775815207"}`, "i"},
		"two members":                {`{"time":` + first + `,"CreateTime":` + second + `}`, "ww"},
		"one of two is empty":        {`{"time":` + first + `,"CreateTime":""}`, "w"},
		"one of two is null":         {`{"CreateTime":null,"time":` + first + `}`, "w"},
		"one of two is not a time":   {`{"time":` + first + `,"CreateTime":"x"}`, "wu"},
		"twice the same":             {`{"time":` + first + `,"time":` + first + `}`, "w"},
		"twice, differing":           {`{"time":` + first + `,"time":` + second + `}`, "uw"},
		"twice, the later one empty": {`{"time":` + first + `,"time":""}`, "u"},
		"twice, the later one null":  {`{"time":` + first + `,"time":null}`, "u"},
		"three times":                {`{"time":` + first + `,"time":` + second + `,"time":` + first + `}`, "uuw"},
		"none":                       {`{}`, "a"},
		"null":                       {`{"time":null}`, "a"},
		"an empty string":            {`{"time":" "}`, "a"},
		"a list":                     {`{"time":[` + first + `]}`, "u"},
		"an object":                  {`{"time":{"a":1}}`, "u"},
		"true":                       {`{"time":true}`, "u"},
		"zero":                       {`{"time":0}`, "u"},
		"other names":                {`{"uptime":1,"ValidBegin":` + first + `,"timezone":"+08:00","times":3}`, "a"},
		"an escaped name":            {`{"\u0074ime":` + first + `}`, "w"},
		"100 kB":                     {`{"time":"` + strings.Repeat("2026-04-10 10:00:07", 5000) + `"}`, "u"},
		"not UTF-8":                  {"{\"time\":\"2026-04-10\xff10:00:07\"}", "u"},
		"nested, which is ignored":   {`{"a":{"time":` + first + `}}`, "a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object, err := wire.Parse([]byte(test.object))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, reading := range wire.Times(object) {
				got += map[clock.Kind]string{clock.Absent: "a", clock.Unreadable: "u", clock.Wall: "w", clock.Instant: "i"}[reading.Kind]
				if len(reading.Text) > 64 || reading.Kind == clock.Unreadable && reading.Reason == "" {
					t.Errorf("%+v", reading)
				}
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func TestTimesOfTwoObjects(t *testing.T) {
	info, _ := wire.Parse([]byte(`{"time":"2026-04-10 10:00:07"}`))
	envelope, _ := wire.Parse([]byte(`{"operator":"RecPush","Time":"2026-04-10 10:00:08","info":{}}`))
	if got := wire.Times(info, envelope); len(got) != 2 || got[0].Kind != clock.Wall || got[1].Kind != clock.Wall {
		t.Errorf("%+v", got)
	}
	if got := wire.Times(wire.Object{}, envelope); len(got) != 1 || got[0].Kind != clock.Wall {
		t.Errorf("%+v", got)
	}
}
