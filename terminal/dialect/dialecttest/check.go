// Package dialecttest checks the contract of every dialect. It is for tests.
package dialecttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
	"unicode/utf8"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
)

var update = flag.Bool("update", false, "write the golden files")

// Now is the time at which test messages arrive, in Zone, which is that of the devices.
var (
	Zone = time.FixedZone("CEST", 2*3600)
	Now  = time.Date(2026, 4, 10, 10, 0, 12, 0, Zone)
)

var (
	device  = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
	name    = regexp.MustCompile(`^[ -~]{0,64}$`)
	encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{256}`)
)

// Decode decodes any bytes on any topic, and checks the contract for the result. ok is
// whether they were a message.
func Decode(t testing.TB, d dialect.Dialect, topic string, payload []byte) (message dialect.Message, ok bool) {
	t.Helper()
	before := bytes.Clone(payload)
	message, err := d.Decode(topic, payload, dialect.Hints{ReceivedAt: Now})
	if !bytes.Equal(before, payload) {
		t.Error("the payload was changed")
	}
	if err != nil {
		if !errors.Is(err, dialect.ErrMalformed) {
			t.Errorf("not ErrMalformed: %v", err)
		}
		if len(err.Error()) > 200 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
		return message, false
	}
	checkMessage(t, message, len(payload))
	return message, true
}

func checkMessage(t testing.TB, message dialect.Message, size int) {
	t.Helper()
	if message.Device != "" && !device.MatchString(message.Device) {
		t.Errorf("device %q", message.Device)
	}
	if message.Kind != dialect.Unknown && message.Device == "" {
		t.Errorf("%v of no device", message.Kind)
	}
	if !name.MatchString(message.Name) {
		t.Errorf("name %q", message.Name)
	}
	if (message.Kind == dialect.Reply) != (message.Outcome != nil) {
		t.Errorf("%v with outcome %v", message.Kind, message.Outcome)
	}
	if o := message.Outcome; o != nil && (len(o.Detail) > 200 || !utf8.ValidString(o.Detail) || len(o.Command) > 128 || !name.MatchString(o.Name)) {
		t.Errorf("outcome %+v", o)
	}
	if len(message.Entries) > 100 {
		t.Errorf("%d entries", len(message.Entries))
	}
	checkOutgoing(t, message.Answers)
	images, verdicts := 0, 0
	for _, entry := range message.Entries {
		checkEntry(t, entry)
		images += len(entry.Image)
		verdicts += len(entry.Record.Verdict)
	}
	if images > size || verdicts > 3*size { // a byte that is not UTF-8 becomes three
		t.Errorf("%d bytes became %d of images and %d of verdicts", size, images, verdicts)
	}
}

func checkEntry(t testing.TB, entry dialect.Entry) {
	t.Helper()
	record := entry.Record
	CheckVerdict(t, record.Verdict)
	if (entry.Image == nil) != (record.Reason != "") {
		t.Errorf("an image of %d bytes and the reason %q", len(entry.Image), record.Reason)
	}
	if record.Passed && record.Doubt != "" || len(record.Doubt) > 200 || !utf8.ValidString(record.Doubt) {
		t.Errorf("passed %v with the doubt %q", record.Passed, record.Doubt)
	}
	if len(record.Key) > 1000 || !utf8.ValidString(record.Key) {
		t.Errorf("key %q", record.Key)
	}
	for _, text := range []string{record.Person.ID, record.Person.Name, record.Person.Type, record.Person.Code} {
		if len(text) > 200 || !utf8.ValidString(text) || encoded.MatchString(text) {
			t.Errorf("person %q", text)
		}
	}
	if _, err := json.Marshal(record); err != nil {
		t.Errorf("the record cannot be written: %v", err)
	}
	checkOutgoing(t, entry.Acks)
}

// CheckVerdict checks a verdict: nothing, or an object in JSON, within bounds,
// with nothing in base64.
func CheckVerdict(t testing.TB, verdict json.RawMessage) {
	t.Helper()
	switch {
	case verdict == nil:
	case len(verdict) > 64<<10:
		t.Errorf("a verdict of %d bytes", len(verdict))
	case !json.Valid(verdict) || !utf8.Valid(verdict) || verdict[0] != '{':
		t.Errorf("verdict %q", verdict)
	case encoded.Match(verdict):
		t.Errorf("base64 in the verdict %q", verdict)
	}
}

func checkOutgoing(t testing.TB, messages []dialect.Outgoing) {
	t.Helper()
	for _, message := range messages {
		if message.QoS > 1 || !json.Valid(message.Payload) || len(message.Payload) > 1000 || bytes.ContainsAny([]byte(message.Topic), "+#\x00") {
			t.Errorf("outgoing %s: %q", message.Topic, message.Payload)
		}
	}
}

// Match matches any topic and checks the contract: a dialect refuses to decode messages on
// topics that it does not match.
func Match(t testing.TB, d dialect.Dialect, topic string) (string, bool) {
	t.Helper()
	serial, ok := d.Match(topic)
	if serial != "" && (!ok || !device.MatchString(serial)) {
		t.Errorf("device %q, %v", serial, ok)
	}
	if message, decoded := Decode(t, d, topic, []byte(`{}`)); decoded && (!ok || message.Device != serial) {
		t.Errorf("decoded for %q, matched %v for %q", message.Device, ok, serial)
	}
	return serial, ok
}

// CapturedAt returns the time of an entry that arrives Now from a device in Zone; zero
// where it has none.
func CapturedAt(entry dialect.Entry) time.Time {
	return clock.Assess(clock.Evidence{Readings: entry.Times, Received: Now, Zone: Zone, Fresh: time.Minute}).At
}

// Freshness returns the freshness of an entry that arrives Now, at once, from a device in
// Zone whose clock is right.
func Freshness(entry dialect.Entry) edgelens.Freshness {
	verdict := clock.Assess(clock.Evidence{Readings: entry.Times, Received: Now, Zone: Zone, Fresh: time.Minute})
	device := entry.Record.Freshness
	if device == edgelens.FreshnessReplayed || device != "" && verdict.Freshness == edgelens.FreshnessFresh {
		return device
	}
	return verdict.Freshness
}

// Golden compares value, in indented JSON, with a file in testdata; -update
// writes it.
func Golden(t *testing.T, file string, value any) {
	t.Helper()
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got:\n%swant:\n%sRun with -update if the difference is intended.", got.Bytes(), want)
	}
}
