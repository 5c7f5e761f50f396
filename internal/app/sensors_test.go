//go:build cgo

package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/config"
	"edgelens/internal/testutil"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

// sensing starts a service with a broker for sensors.
func sensing(t testing.TB, change func(*config.Config)) (*service, *config.Config, *output, func() error) {
	t.Helper()
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	if change != nil {
		change(c)
	}
	s, log, stop := serving(t, c)
	log.waitFor(t, `connected to the MQTT broker.*-sensors`)
	return s, c, log, stop
}

// meter is a series as the page reads it.
type meter struct {
	ID, Device, Field, Unit, Location, State string
	Own                                      bool
	Last                                     *struct {
		At    time.Time
		Value float64
	}
	Points int64
}

type meterList struct {
	Sensors []meter
	Dropped int64
}

func meters(t testing.TB, s *service) (list meterList) {
	t.Helper()
	a := s.get("/api/sensors")
	if err := json.Unmarshal(a.body, &list); err != nil || a.status != 200 {
		t.Fatalf("%d %s %v", a.status, a.body, err)
	}
	return list
}

// named returns the series of a device and field; nil where there is none.
func (l meterList) named(device, field string) *meter {
	i := slices.IndexFunc(l.Sensors, func(m meter) bool { return m.Device == device && m.Field == field })
	if i < 0 {
		return nil
	}
	return &l.Sensors[i]
}

// streamOf follows a stream of the service and returns its lines.
func streamOf(t testing.TB, s *service, path string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%+v %v", response, err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	return lines
}

// awaitLine returns the first line with a text, and fails after a time.
func awaitLine(t testing.TB, lines <-chan string, text string, within time.Duration) string {
	t.Helper()
	late := time.After(within)
	for {
		select {
		case line, open := <-lines:
			if !open || strings.Contains(line, text) {
				return line
			}
		case <-late:
			t.Fatalf("no line with %q within %v", text, within)
		}
	}
}

func reading(topic, payload string) dialect.Outgoing {
	return dialect.Outgoing{Topic: topic, Payload: []byte(payload)}
}

// The first proof: mosquitto_pub, and the value is in the list and on the stream within a second; it is stored, survives a
// restart, and names are text.
func TestSensorIsSeenWithinASecond(t *testing.T) {
	s, c, _, stop := sensing(t, nil)
	host, port, _ := strings.Cut(c.Mosquitto.Listen, ":")
	pub := func(topic, message string) {
		t.Helper()
		if _, err := exec.LookPath("mosquitto_pub"); err != nil {
			connect(t, c, "pub").publish(reading(topic, message))
			return
		}
		if out, err := exec.Command("mosquitto_pub", "-h", host, "-p", port, "-q", "1", "-t", topic, "-m", message).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	began := time.Now()
	pub("sensors/room_101/temperature", "Temperature: 23.5")
	testutil.Eventually(t, "the sensor is listed", func() bool { return meters(t, s).named("room_101", "temperature") != nil })
	took := time.Since(began)
	found := meters(t, s).named("room_101", "temperature")
	if took > 2*time.Second || found.State != "fresh" || found.Last.Value != 23.5 {
		t.Errorf("after %v: %+v", took, found)
	}
	lines := streamOf(t, s, "/api/sensors/stream?id="+found.ID)
	awaitLine(t, lines, "hello", 5*time.Second)
	began = time.Now()
	pub("sensors/room_101/temperature", "Temperature: 24.25")
	if line := awaitLine(t, lines, "24.25", 5*time.Second); !strings.Contains(line, found.ID) || time.Since(began) > 2*time.Second {
		t.Errorf("%s after %v", line, time.Since(began))
	}

	const script = `<img src=x onerror=alert(1)>`
	pub("sensor/data", `{"device_id":"`+script+`","temperature":1}`)
	testutil.Eventually(t, "the name with markup is listed", func() bool { return meters(t, s).named(script, "temperature") != nil })
	if a := s.get("/api/sensors"); strings.Contains(string(a.body), "<img") || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("%s %s", a.header, a.body)
	}
	points := "/api/sensors/" + found.ID + "/points"
	stored := func() (values []float64) {
		var history struct{ Points []struct{ Mean float64 } }
		a := s.get(points)
		if err := json.Unmarshal(a.body, &history); err != nil {
			t.Fatalf("%s %v", a.body, err)
		}
		for _, p := range history.Points {
			values = append(values, p.Mean)
		}
		return values
	}
	testutil.Eventually(t, "the values are stored", func() bool { return slices.Equal(stored(), []float64{23.5, 24.25}) })
	pub("sensors/room_101/temperature", "Temperature: 25") // stored at the stop
	awaitLine(t, lines, `"value":25`, 5*time.Second)
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	again := *c
	s, log, _ := serving(t, &again)
	if got := stored(); !slices.Equal(got, []float64{23.5, 24.25, 25}) {
		t.Errorf("after the restart: %v", got)
	}
	kept := meters(t, s).named(found.Device, found.Field)
	if kept == nil || kept.State != "unknown" || kept.Last.Value != 25 || kept.ID != found.ID {
		t.Errorf("after the restart: %+v", kept)
	}
	log.waitFor(t, `connected to the MQTT broker.*-sensors`)
	lines = streamOf(t, s, "/api/sensors/stream?id="+found.ID) // before its first value
	awaitLine(t, lines, "hello", 5*time.Second)
	pub("sensors/room_101/temperature", "Temperature: 26")
	awaitLine(t, lines, `"value":26`, 5*time.Second)
}

// An insight arrives over MQTT, by the webhook, in the stream of events and in the history.
func TestInsightArrives(t *testing.T) {
	var hook *receiver
	s, c, _, _ := sensing(t, func(c *config.Config) {
		hook = newReceiver(t, c)
		c.Webhook.Insights = true
		c.Sensor.Rules = `warm threshold field=temperature above=30 severity=critical action="Open the window."`
	})
	listener := connect(t, c, "listener", "edgelens/v1/insights/#")
	lines := streamOf(t, s, "/api/events")
	awaitLine(t, lines, "hello", 5*time.Second)
	const device = "a/b <+#>"
	connect(t, c, "meter").publish(reading("sensor/data", `{"device_id":"`+device+`","temperature":31.5,"unit":"C"}`))

	const topic = "edgelens/v1/insights/a%2Fb%20%3C%2B%23%3E/temperature"
	testutil.Eventually(t, "the insight is published", func() bool { return len(listener.on(topic)) == 1 })
	var published struct {
		ID, Type string
		Data     struct {
			Device, Severity, Summary string
			Actions                   []string
			Value                     float64
		}
	}
	if err := json.Unmarshal([]byte(listener.on(topic)[0]), &published); err != nil {
		t.Fatal(err)
	}
	if published.Type != "edgelens.insight.v1" || published.Data.Device != device || published.Data.Severity != "critical" || published.Data.Value != 31.5 || !slices.Equal(published.Data.Actions, []string{"Open the window."}) {
		t.Errorf("%s", listener.on(topic)[0])
	}
	awaitLine(t, lines, "event: insight", 5*time.Second)
	awaitLine(t, lines, published.ID, 5*time.Second)
	var list struct {
		Insights []struct{ ID, Device, Summary, Kind string }
	}
	a := s.get("/api/insights")
	if err := json.Unmarshal(a.body, &list); err != nil || len(list.Insights) != 1 || list.Insights[0].ID != published.ID || list.Insights[0].Device != device || list.Insights[0].Summary != published.Data.Summary {
		t.Errorf("%s %v", a.body, err)
	}
	testutil.Eventually(t, "the insight is posted", func() bool { return len(hook.all()) == 1 })
	testutil.Eventually(t, "nothing is left to deliver", func() bool {
		metrics := string(s.get("/metrics").body)
		return strings.Contains(metrics, `edgelens_outbox_rows{sink="mqtt"} 0`) && strings.Contains(metrics, `edgelens_outbox_rows{sink="webhook"} 0`)
	})
}

// After a restart, the window of a sensor goes on, and what was raised before is cleared when it ends.
func TestSensorsContinueAfterRestart(t *testing.T) {
	_, c, _, stop := sensing(t, func(c *config.Config) { c.Sensor.Rules = `warm threshold field=temperature above=30` })
	const topic = "edgelens/v1/insights/hall/temperature"
	publish := func(value string) {
		connect(t, c, "meter-"+value).publish(reading("sensors/hall/temperature", value))
	}
	insight := func(raw string) (i struct {
		ID   string
		Data struct{ Raised, State string }
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(raw), &i); err != nil {
			t.Fatal(err)
		}
		return i
	}
	listener := connect(t, c, "listener", topic)
	publish("31.5")
	testutil.Eventually(t, "the insight is published", func() bool { return len(listener.on(topic)) == 1 })
	raised := insight(listener.on(topic)[0])
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	s, log, _ := serving(t, c)
	log.waitFor(t, `connected to the MQTT broker.*-sensors`)
	testutil.Eventually(t, "the window continues", func() bool {
		hall := meters(t, s).named("hall", "temperature")
		return hall != nil && strings.Contains(string(s.get("/api/sensors").body), `"count":1`)
	})
	listener = connect(t, c, "second-listener", topic) // the first one connects again, too
	publish("20")
	testutil.Eventually(t, "it is cleared", func() bool { return len(listener.on(topic)) == 1 })
	if cleared := insight(listener.on(topic)[0]); cleared.Data.State != "cleared" || cleared.Data.Raised != raised.ID {
		t.Errorf("%+v does not clear %+v", cleared, raised)
	}
}

// A client that invents names gets no more than sensor.max_series, and the list, the memory and the disk stay bounded.
func TestManySeriesStayBounded(t *testing.T) {
	s, c, _, _ := sensing(t, func(c *config.Config) { c.Sensor.MaxSeries = 100 })
	attacker := connect(t, c, "attacker")
	var before, after runtime.MemStats
	attack := func(from, n int) {
		for i := range n {
			payload := fmt.Sprintf(`{"device_id":"d%d","a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10}`, from+i)
			_ = attacker.Publish(t.Context(), session.Outgoing{Topic: "sensor/data", Payload: []byte(payload)})
		}
		attacker.publish(reading("sensors/last", fmt.Sprint(from+n)))
	}
	dropped := func(n int64) {
		t.Helper()
		testutil.Eventually(t, "the further ones are dropped", func() bool { return meters(t, s).Dropped >= n })
	}
	attack(0, 1000)
	dropped(5000)
	runtime.GC()
	runtime.ReadMemStats(&before)
	attack(1000, 20_000)
	dropped(50_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	others := 0
	for _, m := range meters(t, s).Sensors {
		if !m.Own {
			others++
		}
	}
	if others > 100 {
		t.Errorf("%d series of sensors", others)
	}
	testutil.Eventually(t, "the limit is reported", func() bool { return strings.Contains(string(s.get("/readyz").body), "max_series") })
}

// With passwords, users of mqtt.sensors may publish on the topics of sensors, and nothing else; others may not.
func TestSensorsWithPasswords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("F1:secret\nmeter:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := passwd(file); err != nil {
		t.Skipf("mosquitto_passwd: %v %s", err, out)
	}
	s, c, _, _ := sensing(t, func(c *config.Config) {
		c.Mosquitto.PasswordFile, c.Rules.Sensors = file, []string{"meter"}
	})
	as := func(user string, filters ...string) *peer {
		p := *c
		p.Mosquitto.Listen = user + ":secret@" + c.Mosquitto.Listen
		return connect(t, &p, "as-"+user, filters...)
	}
	meter, terminal := as("meter", "edgelens/v1/#", "sensors/#", "fungxi_F1_downLink"), as("F1")
	try := func(p *peer, topic, payload string) {
		_ = p.Publish(t.Context(), session.Outgoing{Topic: topic, Payload: []byte(payload), QoS: 1}) // a refusal is an error
	}
	try(terminal, "sensors/forged/temperature", "1")
	heartbeat, _ := fungxis.Heartbeat("meter", time.Now())
	try(meter, heartbeat.Topic, string(heartbeat.Payload))
	meter.publish(reading("sensors/hall/temperature", "21"))
	testutil.Eventually(t, "the sensor is listed", func() bool { return meters(t, s).named("hall", "temperature") != nil })
	if meters(t, s).named("forged", "temperature") != nil {
		t.Error("a terminal published as a sensor")
	}
	if a := s.get("/api/devices"); strings.Contains(string(a.body), "meter") {
		t.Errorf("a sensor is a terminal: %s", a.body)
	}
	meter.mu.Lock()
	defer meter.mu.Unlock()
	if len(meter.received) > 0 {
		t.Errorf("a sensor received %d messages", len(meter.received))
	}
}

// Feeders report what is known, and leave out the rest.
func TestDeviceReadings(t *testing.T) {
	now := time.Now()
	door := edgelens.Device{ID: "door", State: edgelens.DeviceAccepted, LastSeen: now.Add(-90 * time.Second)}
	for name, test := range map[string]struct {
		device  edgelens.Device
		results edgelens.DeviceResults
		counted bool
		want    string
	}{
		"nothing recognized": {door, edgelens.DeviceResults{}, true, "minutes_silent=1.5 records_per_hour=0"},
		"not counted":        {door, edgelens.DeviceResults{}, false, "minutes_silent=1.5"},
		"all": {door, edgelens.DeviceResults{Count: 10, Recognized: 6, Uncertain: 2, Scored: 8, MeanProbability: 0.75, Rated: 4, Unusable: 1}, true,
			"minutes_silent=1.5 records_per_hour=10 uncertain_share=0.25 mean_confidence=0.75 unusable_share=0.25"},
		"never seen":         {edgelens.Device{ID: "door"}, edgelens.DeviceResults{}, false, ""},
		"seen in the future": {edgelens.Device{ID: "door", LastSeen: now.Add(time.Hour)}, edgelens.DeviceResults{}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range deviceReadings(test.device, test.results, test.counted, now) {
				got = append(got, fmt.Sprintf("%s=%v", strings.TrimPrefix(r.Field, "edgelens."), r.Value))
			}
			if text := strings.Join(got, " "); text != test.want {
				t.Errorf("%s, want %s", text, test.want)
			}
		})
	}
}

// The node's and the devices' own streams are series, too.
func TestOwnStreamsAreFed(t *testing.T) {
	s, c, _, _ := sensing(t, func(c *config.Config) { c.Sensor.FeedInterval = time.Second })
	terminal := connect(t, c, "F1")
	record, image := passed(1)
	terminal.publish(fungxis.Record("F1", record, image))
	for field, want := range map[string]float64{"records_per_hour": 1, "uncertain_share": 0} {
		testutil.Eventually(t, field, func() bool {
			m := meters(t, s).named("F1", "edgelens."+field)
			return m != nil && m.Own && m.Last.Value == want
		})
	}
	for _, alarm := range []string{"memory", "disk", "outbox", "stand_in_model"} {
		testutil.Eventually(t, "the value of the alarm "+alarm, func() bool {
			m := meters(t, s).named("edgelens", "edgelens.alarm_"+alarm)
			return m != nil && m.Own
		})
	}
	testutil.Eventually(t, "latency", func() bool {
		m := meters(t, s).named("edgelens", "edgelens.latency_p95_ms")
		return m != nil && m.Last.Value > 0 && m.Unit == "ms"
	})
}

// An erased sensor leaves no value, and begins anew with its next one; the others go on.
func TestEraseSensor(t *testing.T) {
	s, c, log, _ := sensing(t, func(c *config.Config) { c.Sensor.Rules = `warm threshold field=temperature above=30` })
	meter := connect(t, c, "meter")
	for _, device := range []string{"hall", "attic"} {
		meter.publish(reading("sensors/"+device+"/temperature", "31.5"))
	}
	stored := func(id string) bool {
		return strings.Contains(string(s.get("/api/sensors/"+id+"/points").body), "31.5")
	}
	testutil.Eventually(t, "both are listed", func() bool {
		list := meters(t, s)
		return list.named("hall", "temperature") != nil && list.named("attic", "temperature") != nil
	})
	hall, attic := meters(t, s).named("hall", "temperature").ID, meters(t, s).named("attic", "temperature").ID
	testutil.Eventually(t, "the values and insights are stored", func() bool {
		return stored(hall) && stored(attic) && strings.Count(string(s.get("/api/insights").body), `"raised"`) == 2
	})
	if a := s.send("DELETE", "/api/sensors?device=hall&dry_run=true", "", nil); a.status != 200 || !strings.Contains(string(a.body), `"points":1`) || !stored(hall) {
		t.Errorf("dry run: %d %s", a.status, a.body)
	}
	if a := s.send("DELETE", "/api/sensors/"+hall, "", nil); a.status != 200 || !strings.Contains(string(a.body), `"complete":true,"dry_run":false,"insights":1,"minutes":1,"points":1,"series":1`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	log.waitFor(t, `event=access .*action=erase .*points=1`)
	if list := meters(t, s); list.named("hall", "temperature") != nil || list.named("attic", "temperature") == nil || stored(hall) || !stored(attic) {
		t.Errorf("left: %+v", list)
	}
	if insights := string(s.get("/api/insights").body); strings.Contains(insights, hall) || !strings.Contains(insights, attic) {
		t.Errorf("insights: %s", insights)
	}
	meter.publish(reading("sensors/hall/temperature", "32.5"))
	testutil.Eventually(t, "it begins anew", func() bool {
		found := meters(t, s).named("hall", "temperature")
		return found != nil && found.Points == 1 && strings.Contains(string(s.get("/api/sensors/"+hall+"/points").body), "32.5")
	})
	if stored(hall) {
		t.Error("the erased value is back")
	}
}
