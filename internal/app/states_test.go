//go:build cgo

package app

import (
	"context"
	"encoding/json"
	"fmt"
	"image/color"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgelens/internal/config"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
	"edgelens/terminal/session"
)

// gates are images of a gate: closed is red and open is blue, for the model of modeltest.Frigate. No two are the same.
type gates struct{ taken int }

func (g *gates) open() []byte { return g.of(color.RGBA{20, 20, 230, 255}) }

func (g *gates) closed() []byte { return g.of(color.RGBA{230, 20, 20, 255}) }

func (g *gates) of(c color.RGBA) []byte {
	g.taken++
	return modeltest.Image(c, 100+g.taken, 100)
}

const (
	snapshotTopic = "edgelens/v1/devices/cam1/snapshot"
	gateTopic     = "edgelens/v1/states/gate"
	changesTopic  = gateTopic + "/changes"
)

// withGate sets up the state of a gate, by a classifier of Frigate's.
func withGate(t testing.TB, c *config.Config) {
	t.Helper()
	frigateModel(t, c.ModelsDir, "gate")
	c.States.List = "gate device=cam1 model=gate stale_after=1h"
}

// stateAnswer is a state as a client reads it.
type stateAnswer struct {
	Name    string
	State   *string
	Since   *time.Time
	Stale   bool
	ImageAt *time.Time `json:"image_at"`
	Answers []struct{ Label, Outcome string }
	Pending *struct{ Count int }
	Problem string
}

func (a stateAnswer) label() string {
	if a.State == nil {
		return ""
	}
	return *a.State
}

type stateHistory struct {
	State   stateAnswer
	Changes []struct {
		ID, State string
		Former    *string
		Record    string
	}
	Next string
}

func (s *service) state(name string) (h stateHistory) {
	s.t.Helper()
	a := s.get("/api/states/" + name)
	if a.status != 200 {
		s.t.Fatalf("%d %s", a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &h); err != nil {
		s.t.Fatal(err)
	}
	return h
}

// snapshots publishes images as a camera does, and waits until each has its answer: a later one would take the place of one
// that waits.
func (s *service) snapshots(camera *peer, images ...[]byte) {
	s.t.Helper()
	for _, image := range images {
		before := s.state("gate").State.ImageAt
		camera.publish(reading(snapshotTopic, string(image)))
		testutil.Eventually(s.t, "the image has its answer", func() bool {
			after := s.state("gate").State.ImageAt
			return after != nil && (before == nil || after.After(*before))
		})
	}
}

// Three equal answers change a state, and only then is it published: as a signed event, a stream event, and a retained
// message. A restart loses nothing; a replayed image changes nothing.
func TestStateOfCamera(t *testing.T) {
	receiver := make(chan string, 10)
	s, c, _, stop := sensing(t, func(c *config.Config) {
		withGate(t, c)
		c.Webhook.States, c.Webhook.URL = true, newBodies(t, receiver)
	})
	listener, camera := connect(t, c, "listener", "edgelens/v1/states/#"), connect(t, c, "cam1")
	stream, end := s.follow(t, "")
	defer end()
	testutil.Eventually(t, "an unknown state is retained", func() bool { return strings.Contains(strings.Join(listener.on(gateTopic), ""), `"state":null`) })
	g := &gates{}
	s.snapshots(camera, g.closed(), g.closed())
	if now := s.state("gate"); now.State.label() != "" || now.State.Pending == nil || now.State.Pending.Count != 2 || len(now.Changes) != 0 {
		t.Fatalf("after two answers: %+v", now)
	}
	s.snapshots(camera, g.closed())
	testutil.Eventually(t, "the change is an event over MQTT", func() bool { return len(listener.on(changesTopic)) == 1 })
	var event struct {
		ID, Type, Source, Subject, Signature string
		Data                                 struct {
			Name, Device, State, Record string
			Former                      *string
			Model                       struct{ Name string }
		}
	}
	first := listener.on(changesTopic)[0]
	if err := json.Unmarshal([]byte(first), &event); err != nil {
		t.Fatal(err)
	}
	if event.Type != "edgelens.state.v1" || event.Subject != "gate" || event.Data.State != "closed" || event.Data.Former != nil || event.Data.Device != "cam1" ||
		event.Data.Model.Name != "gate" || event.Data.Record == "" || event.Signature == "" {
		t.Errorf("the event is %s", first)
	}
	if body := <-receiver; !strings.Contains(body, event.ID) || !strings.Contains(body, `"edgelens.state.v1"`) {
		t.Errorf("the webhook got %s", body)
	}
	testutil.Eventually(t, "the stream has it", func() bool {
		select {
		case line := <-stream:
			return strings.Contains(line, event.ID)
		default:
			return false
		}
	})
	testutil.Eventually(t, "the state is retained", func() bool {
		return strings.Contains(retained(t, c, fmt.Sprint("late", time.Now().UnixNano()))[gateTopic], `"state":"closed"`)
	})

	// Flapping answers, and confirmations, publish nothing.
	s.snapshots(camera, g.open(), g.closed(), g.open(), g.open(), g.closed(), g.closed())
	if now := s.state("gate"); now.State.label() != "closed" || len(now.Changes) != 1 {
		t.Errorf("after flapping answers: %+v", now)
	}
	s.snapshots(camera, g.open(), g.open())
	before := *s.state("gate").State.ImageAt

	// A restart in the middle: the state and its history are there, and an old image changes nothing.
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	again, log, _ := serving(t, c)
	log.waitFor(t, `connected to the MQTT broker.*-sensors`)
	if now := again.state("gate"); now.State.label() != "closed" || len(now.Changes) != 1 || !now.State.ImageAt.Equal(before.Truncate(time.Microsecond)) || len(now.State.Answers) == 0 {
		t.Errorf("after the restart: %+v", now)
	}
	camera = connect(t, c, "cam1")
	testutil.Eventually(t, "it is confirmed", func() bool { // the broker had kept it: it is a replay
		return camera.Publish(context.Background(), session.Outgoing{Topic: snapshotTopic, Payload: g.open(), QoS: 1, Retain: true}) == nil
	})
	again.snapshots(camera, g.open(), g.open(), g.open())
	testutil.Eventually(t, "the second change", func() bool { return len(again.state("gate").Changes) == 2 })
	history := again.state("gate")
	if history.State.label() != "open" || history.Changes[0].Former == nil || *history.Changes[0].Former != "closed" {
		t.Errorf("%+v", history)
	}
	a := again.get("/api/states/gate?limit=1")
	if !strings.Contains(string(a.body), `"next"`) {
		t.Errorf("a page of one has no next: %s", a.body)
	}
}

// newBodies returns the URL of a webhook that passes bodies on.
func newBodies(t testing.TB, to chan<- string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && strings.Contains(string(body), "edgelens.state") {
			to <- string(body)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Over HTTP, an image changes the state that is named; an erasure makes it unknown, with all that is retained and listed.
func TestStateOverHTTP(t *testing.T) {
	s, c, _, _ := sensing(t, func(c *config.Config) {
		withGate(t, c)
		c.HomeAssistant.Discovery = true
	})
	listener := connect(t, c, "listener", "#")
	g := &gates{}
	for i := range 3 {
		a := s.raw("/api/states/gate/images", g.open())
		if a.status != 200 || !strings.Contains(string(a.body), `"label":"open"`) {
			t.Fatalf("%d: %d %s", i, a.status, a.body)
		}
	}
	if now := s.state("gate"); now.State.label() != "open" || len(now.Changes) != 1 || now.Changes[0].Record != "" {
		t.Errorf("%+v", now)
	}
	const card = "homeassistant/device/edgelens-state-gate/config"
	values := "edgelens/v1/homeassistant/edgelens-state-gate/state"
	testutil.Eventually(t, "Home Assistant has it, with its options", func() bool {
		configs, states := listener.on(card), listener.on(values)
		return len(configs) > 0 && strings.Contains(configs[len(configs)-1], `"ops":["closed","none","open"]`) && len(states) > 0 && strings.Contains(states[len(states)-1], `"state":"open"`)
	})
	for target, want := range map[string]int{
		"/api/states/gate/images?model=colors": http.StatusBadRequest, "/api/states/shed/images": http.StatusNotFound,
	} {
		if a := s.raw(target, g.open()); a.status != want {
			t.Errorf("%s: %d %s, want %d", target, a.status, a.body, want)
		}
	}
	if a := s.raw("/api/states/gate/images", []byte("no image")); a.status/100 != 4 {
		t.Errorf("no image: %d %s", a.status, a.body)
	}
	if a := s.send("DELETE", "/api/states/gate", "", nil); a.status != 200 || !strings.Contains(string(a.body), `"changes":1`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if now := s.state("gate"); now.State.label() != "" || len(now.Changes) != 0 || len(now.State.Answers) != 0 {
		t.Errorf("after the erasure: %+v", now)
	}
	testutil.Eventually(t, "it is unknown on the topic, too", func() bool {
		all := listener.on(gateTopic)
		return len(all) > 0 && strings.Contains(all[len(all)-1], `"state":null`)
	})
}

// An erasure of a device erases what its images said.
func TestStateOfErasedDevice(t *testing.T) {
	s, c, _, _ := sensing(t, func(c *config.Config) { withGate(t, c) })
	camera, g := connect(t, c, "cam1"), &gates{}
	s.snapshots(camera, g.open(), g.open(), g.open())
	testutil.Eventually(t, "the change", func() bool { return len(s.state("gate").Changes) == 1 })
	if a := s.send("DELETE", "/api/results?device=cam1", "", nil); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if now := s.state("gate"); now.State.label() != "" || len(now.Changes) != 0 {
		t.Errorf("%+v", now)
	}
}

// A state is added, and one removed, by a reload.
func TestStatesAreReloaded(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	withGate(t, c)
	next := *c
	next.States.List = "bin model=gate count=1"
	hangups := make(chan os.Signal, 1)
	s, log, _ := servingWith(t, c, Reload{Signals: hangups, Load: func() (*config.Config, error) { return &next, nil }})
	testutil.Eventually(t, "the gate is retained", func() bool {
		return retained(t, c, fmt.Sprint("late", time.Now().UnixNano()))[gateTopic] != ""
	})
	hangups <- syscall.SIGHUP
	log.waitFor(t, `event=reloaded.*states\.list`)
	if a := s.raw("/api/states/bin/images", (&gates{}).closed()); a.status != 200 || !strings.Contains(string(a.body), `"state":"closed"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.get("/api/states/gate"); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	testutil.Eventually(t, "nothing of the gate is retained", func() bool {
		return retained(t, c, fmt.Sprint("later", time.Now().UnixNano()))[gateTopic] == ""
	})
}
