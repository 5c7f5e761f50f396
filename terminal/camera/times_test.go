package camera_test

import (
	"strings"
	"testing"

	"edgelens"
	"edgelens/terminal/dialect/dialecttest"
)

// A time anywhere in a message dates its image, and all of them must agree.
func TestTimesOfAnImage(t *testing.T) {
	const old, now, epoch, nowEpoch = `"2024-04-10 10:00:07"`, `"2026-04-10 10:00:07"`, `1712743207`, `1775808007`
	image := `"image":"QUJD"`
	inString := func(json string) string { return `"` + strings.ReplaceAll(json, `"`, `\"`) + `"` }
	stale := map[string]string{
		"ts":                        `{` + image + `,"ts":` + epoch + `}`,
		"TS, a string":              `{` + image + `,"TS":"` + epoch + `"}`,
		"captured_at":               `{` + image + `,"captured_at":` + old + `}`,
		"capturedAt, with a zone":   `{` + image + `,"capturedAt":"2024-04-10T10:00:07Z"}`,
		"shotAt, since 1970":        `{` + image + `,"shotAt":` + epoch + `}`,
		"snap_ts":                   `{` + image + `,"snap_ts":` + epoch + `000}`,
		"date":                      `{` + image + `,"date":` + old + `}`,
		"a date alone":              `{` + image + `,"date":"2024-04-10"}`,
		"a date alone, in digits":   `{` + image + `,"captureDate":20240410}`,
		"another date":              `{` + image + `,"date":"2024-04-10","time":` + now + `}`,
		"date and time of day":      `{` + image + `,"date":"2024-04-10","time":"10:00:07"}`,
		"snapshot_time":             `{` + image + `,"snapshot_time":` + old + `}`,
		"event_time":                `{` + image + `,"event_time":` + old + `}`,
		"created_at":                `{` + image + `,"created_at":` + old + `}`,
		"utc":                       `{` + image + `,"utc":` + epoch + `}`,
		"SnapTime":                  `{` + image + `,"SnapTime":` + old + `}`,
		"full-width letters":        `{` + image + `,"ｔｉｍｅ":` + old + `}`,
		"Chinese":                   `{` + image + `,"抓拍时间":` + old + `}`,
		"taken":                     `{` + image + `,"taken":` + old + `}`,
		"in an object":              `{` + image + `,"meta":{"time":` + old + `}}`,
		"deeper":                    `{` + image + `,"a":{"b":[{"c":{"d":{"e":{"ts":` + epoch + `}}}}]}}`,
		"in a string":               `{` + image + `,"meta":` + inString(`{"time":`+old+`}`) + `}`,
		"in the wrapping":           `{"timestamp":` + old + `,"data":{` + image + `}}`,
		"in the wrapping, an array": `{"time":` + old + `,"images":[{` + image + `}]}`,
		"beside the wrapping":       `{"n":[1,{"m":{"time":` + old + `}}],"data":{` + image + `}}`,
		"around a string":           `{"time":` + old + `,"payload":` + inString(`{`+image+`}`) + `}`,
		"two that disagree":         `{"ts":` + nowEpoch + `,"data":{` + image + `,"snapTime":` + old + `}}`,
		"start_time alone":          `{` + image + `,"start_time":` + epoch + `}`,
		"updated_at alone":          `{` + image + `,"updated_at":` + old + `}`,
		"words":                     `{` + image + `,"time":"yesterday"}`,
		"twice":                     `{` + image + `,"snapTime":` + old + `,"snapTime":` + now + `}`,
	}
	live := map[string]string{
		"none":               `{` + image + `}`,
		"time":               `{` + image + `,"time":` + now + `}`,
		"several that agree": `{"timestamp":` + nowEpoch + `,"data":{` + image + `,"time":` + now + `,"meta":{"captured_at":"2026-04-10T08:00:07Z"},"date":"2026-04-10"}}`,
		"date and ts":        `{` + image + `,"date":"2026-04-10","ts":` + nowEpoch + `}`,
		"other numbers": `{` + image + `,"time":` + now + `,"timeout":30,"uptime":1712743207,"dateFormat":"yyyy-mm-dd","timezone":"+08:00","exposureTime":0.01,` +
			`"times":3,"lat":31.2,"heat":1712743207,"duration_ts":1712743207,"candidate":` + epoch + `,"offsetTime":` + epoch + `}`,
		"other dates": `{` + image + `,"time":` + now + `,"birthdate":"1990-01-01","birthday":` + old + `,"expireTime":` + old + `,"validTo":` + old + `,"start_time":` + old + `,"end_time":` + old +
			`,"valid":{"beginTime":` + old + `,"endTime":` + old + `,"time":` + old + `},"person":{"createTime":` + old + `,"createDate":` + old + `},"firmware":{"created_at":` + old + `},"updateTime":` + old + `}`,
		"a text that begins like JSON": `{` + image + `,"time":` + now + `,"note":"{not JSON","more":"[x] time"}`,
	}
	for want, tests := range map[bool]map[string]string{false: stale, true: live} {
		for name, payload := range tests {
			t.Run(name, func(t *testing.T) {
				message, ok := dialecttest.Decode(t, cameras, topic, []byte(payload))
				if !ok || len(message.Entries) != 1 || string(message.Entries[0].Image) != "ABC" {
					t.Fatalf("%+v", message)
				}
				if freshness := dialecttest.Freshness(message.Entries[0]); (freshness == edgelens.FreshnessFresh) != want {
					t.Errorf("%s: %+v", freshness, message.Entries[0].Times)
				}
			})
		}
	}
}

// The times of a message, in any position, distinguish an image from the same image.
func TestTimesAreIdentity(t *testing.T) {
	for name, payload := range map[string]string{
		"ts":          `{"image":"QUJD","ts":%}`,
		"wrapping":    `{"timestamp":%,"data":{"image":"QUJD"}}`,
		"in the meta": `{"image":"QUJD","meta":{"captured_at":%}}`,
	} {
		t.Run(name, func(t *testing.T) {
			key := func(at string) string {
				message, ok := dialecttest.Decode(t, cameras, topic, []byte(strings.ReplaceAll(payload, "%", at)))
				if !ok || message.Entries[0].Repeats {
					t.Fatalf("%+v", message)
				}
				return message.Entries[0].Record.Key
			}
			first, again, second := key("1775808007"), key("1775808007"), key("1775808008")
			if first != again || first == second {
				t.Errorf("%s, %s, %s", first, again, second)
			}
		})
	}
}
