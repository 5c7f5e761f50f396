//go:build cgo

package app

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"edgelens"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
	"edgelens/terminal/dialect"
	"edgelens/terminal/session"
)

// Terminals send, the broker is killed, the business server fails in every way, the service is restarted: both sinks
// receive every record, in order, under one id.
func TestNoRecordIsLost(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	r := newReceiver(t, c)
	c.Webhook.Timeout = 500 * time.Millisecond
	_, log, stop := serving(t, c)
	listener := connect(t, c, "listener", "edgelens/v1/events/#")
	written := func(since time.Time) {
		t.Helper()
		testutil.Eventually(t, "the broker has saved its sessions", func() bool {
			info, err := os.Stat(filepath.Join(c.DataDir, "mosquitto", "data", "mosquitto.db"))
			return err == nil && info.ModTime().After(since)
		})
	}
	connected := regexp.MustCompile(`connected to the MQTT broker.*-up`)
	log.waitFor(t, connected.String())
	written(time.Now()) // the subscription
	const n = 40
	devices := []string{"F1", "F2", "F3"}
	var sending sync.WaitGroup
	var sent atomic.Int64
	var when sync.Map // by device and number
	var kills []time.Time
	// A broker that is killed loses queued messages beyond those in flight (docs/adr/0009). So no device is further
	// ahead of its events.
	const ahead = 4
	for _, device := range devices {
		peer := connect(t, c, device)
		sending.Go(func() {
			for i := range n {
				testutil.Eventually(t, "an event of an earlier record", func() bool { return len(listener.events(device)) >= i-ahead })
				m := fungxis.Record(device, first(passed(i)), second(passed(i)))
				peer.publish(m)
				if i%5 == 0 { // it was not acknowledged
					peer.publish(m)
				}
				when.Store(fmt.Sprint(device, " ", i), time.Now())
				sent.Add(1)
			}
		})
	}
	reached := func(n int64) {
		t.Helper()
		testutil.Eventually(t, fmt.Sprint(n, " are sent"), func() bool { return sent.Load() >= n })
	}
	for i, mode := range []string{"500", "hang", "reset"} {
		reached(int64(10 + 25*i))
		r.mode.Store(mode)
		killBroker(t, log)
		kills = append(kills, time.Now())
		testutil.Eventually(t, "the receiver failed: "+mode, func() bool { return r.tried(mode) >= 2 })
		// A second kill within a second could lose messages: docs/adr/0009.
		testutil.Eventually(t, "the service is connected again", func() bool { return len(connected.FindAllString(log.String(), -1)) >= i+2 })
		written(time.Now())
	}
	reached(90)
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	firstLog := log
	_, log, _ = serving(t, c)
	r.mode.Store("ok")
	sending.Wait()
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, device := range devices {
			delivered := map[string]bool{}
			for _, p := range r.all() {
				delivered[p.Recognition.Device+" "+p.UserID] = true
			}
			for i := range n {
				if name := fmt.Sprint(device, " ", i); !delivered[name] {
					at, _ := when.Load(name)
					t.Logf("%s, confirmed at %v, was not delivered", name, at)
				}
			}
		}
		t.Logf("killed at %v; log of the first service:\n%s\nand of the second:\n%s", kills, firstLog, log)
	})
	testutil.Eventually(t, "all are delivered", func() bool { return len(unique(r.all())) >= n*len(devices) })
	testutil.Eventually(t, "all is published", func() bool {
		return len(listener.events("F1")) >= n && len(listener.events("F2")) >= n && len(listener.events("F3")) >= n
	})
	for _, device := range devices {
		var delivered []string
		ids := map[string]string{}
		for _, p := range r.all() {
			if p.Recognition.Device != device {
				continue
			}
			if before, again := ids[p.UserID]; again {
				if before != p.Recognition.ID {
					t.Errorf("%s: record %s has two ids", device, p.UserID)
				}
				continue
			}
			ids[p.UserID] = p.Recognition.ID
			delivered = append(delivered, p.UserID)
		}
		if want := numbered(n); !slices.Equal(delivered, want) {
			t.Errorf("%s: the receiver got %v", device, delivered)
		}
		var published []string
		for _, e := range listener.events(device) {
			if slices.Contains(published, e.Data.Record.Num) {
				continue // an acknowledgement was lost
			}
			published = append(published, e.Data.Record.Num)
			if ids[e.Data.Record.Num] != e.ID {
				t.Errorf("%s: record %s is %s on MQTT and %s for the receiver", device, e.Data.Record.Num, e.ID, ids[e.Data.Record.Num])
			}
			if e.Data.Outcome != edgelens.OutcomeRecognized {
				t.Errorf("%s: record %s is %s: %s", device, e.Data.Record.Num, e.Data.Outcome, e.Data.Reason)
			}
		}
		if want := numbered(n); !slices.Equal(published, want) {
			t.Errorf("%s: published %v", device, published)
		}
	}
}

// No image is in the log, in a metric or in Redis.
func TestTerminalImagesAreNotPublished(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	r := newReceiver(t, c)
	c.Webhook.Image, c.Webhook.Secret = "none", "whsec_"+base64.StdEncoding.EncodeToString([]byte("a secret that is hidden"))
	c.Log.LogLevel = "debug"
	s, log, _ := serving(t, c)
	listener := connect(t, c, "listener", "edgelens/v1/#")
	record, image := passed(1)
	m := fungxis.Record("F1", record, image)
	broken := m
	broken.Payload = m.Payload[:len(m.Payload)-9]
	for range 3 {
		listener.publish(broken)
		listener.publish(m)
	}
	testutil.Eventually(t, "it is delivered", func() bool { return len(r.all()) == 1 && len(listener.events("F1")) == 1 })
	if got := r.all()[0].Img; got != "" {
		t.Errorf("the receiver got an image of %d bytes", len(got))
	}
	if r.head.Get("webhook-signature") == "" {
		t.Error("the receiver's request is not signed")
	}
	encoded := base64.StdEncoding.EncodeToString(image)[:60]
	places := map[string]string{
		"log": log.String(), "metrics": string(s.get("/metrics").body), "event": strings.Join(listener.on("edgelens/v1/events/F1"), ""),
		"redis": redisContent(t, filepath.Join(c.DataDir, "redis")),
	}
	for where, text := range places {
		for what, secret := range map[string]string{"base64": encoded, "image": string(image[:60]), "secret": "is hidden", "encoded secret": c.Webhook.Secret[6:]} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in the %s", what, where)
			}
		}
	}
	if strings.Contains(places["metrics"], "F1") {
		t.Error("a metric names a device")
	}
}

// redisContent is the whole content of a private Redis.
func redisContent(t testing.TB, dir string) string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: filepath.Join(dir, "redis.sock")})
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, key := range keys {
		all.WriteString(key + client.Dump(t.Context(), key).Val())
	}
	return all.String()
}

// Where the port for terminals is in use, a broker there is used; with anything else, the service runs without MQTT.
func TestTerminalPortInUse(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	other := *c
	other.DataDir = t.TempDir()
	_, log, stop := serving(t, c)
	_, second, stopSecond := serving(t, &other)
	second.waitFor(t, `using another broker.*mqtt.listen.*`+regexp.QuoteMeta(c.Mosquitto.Listen))
	second.waitFor(t, `connected to the MQTT broker.*-up`)
	// It is a client like any other there, whose ACL does not allow edgelens' topics.
	second.waitFor(t, `publishing the status failed.*mqtt.acl_file`)
	if err := stopSecond(); !errors.Is(err, session.ErrNotAllowed) {
		t.Errorf("the second: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String(), "using another broker") {
		t.Error("the first one treats its own broker as another's")
	}
	l, err := net.Listen("tcp", c.Mosquitto.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 mail\r\n"))
			_ = conn.Close()
		}
	}()
	third := other
	third.DataDir = t.TempDir()
	s, thirdLog, _ := serving(t, &third)
	thirdLog.waitFor(t, `not a broker.*--mqtt-listen`)
	if a := s.form(path, modeltest.Image(modeltest.Red, 9, 9)); a.status != 200 {
		t.Errorf("without MQTT: %d", a.status)
	}
}

// MQTT users are terminals by their serial numbers, and may publish only their own topics.
func TestTerminalsWithPasswords(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	file := filepath.Join(t.TempDir(), "passwords")
	// By mosquitto_passwd; the password of each is "secret".
	if err := os.WriteFile(file, []byte("F1:secret\nF2:secret\nshop:secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := passwd(file); err != nil {
		t.Skipf("mosquitto_passwd: %v %s", err, out)
	}
	c.Mosquitto.PasswordFile, c.Rules.Readers = file, []string{"shop"}
	_, log, _ := serving(t, c)
	log.waitFor(t, `connected to the MQTT broker.*-up`)
	as := func(user string, filters ...string) *peer {
		p := *c
		p.Mosquitto.Listen = user + ":secret@" + c.Mosquitto.Listen
		return connect(t, &p, "as-"+user, filters...)
	}
	shop := as("shop", "edgelens/v1/events/#", "fungxi_F1_downLink", "fungxi_F1_upLink")
	one := as("F1", "fungxi_F1_downLink", "fungxi_F2_downLink", "edgelens/v1/events/#")
	two := as("F2", "fungxi_F2_downLink")
	forged, image := passed(1)
	publish := func(p *peer, m dialect.Outgoing) {
		_ = p.Publish(t.Context(), session.Outgoing{Topic: m.Topic, Payload: m.Payload, QoS: 1}) // a refusal is an error
	}
	publish(two, fungxis.Record("F1", forged, image))
	publish(shop, fungxis.Record("F1", forged, image))
	heartbeat, _ := fungxis.Heartbeat("F2", time.Now())
	two.publish(heartbeat)
	testutil.Eventually(t, "F2 is answered", func() bool { return len(two.on("fungxi_F2_downLink")) == 1 })
	honest, image := passed(2)
	one.publish(fungxis.Record("F1", honest, image))
	testutil.Eventually(t, "the shop receives it", func() bool { return len(shop.events("F1")) >= 1 })
	if events := shop.events("F1"); len(events) != 1 || events[0].Data.Record.Num != "2" {
		t.Errorf("%+v", events)
	}
	if n := len(one.on("fungxi_F2_downLink")) + len(one.events("F1")) + len(shop.on("fungxi_F1_downLink")) + len(shop.on("fungxi_F1_upLink")); n > 0 {
		t.Errorf("%d messages were received against the ACL", n)
	}
}

// The scenario of the reference service: the heartbeat is answered, an admitted person is posted to the business server
// in the reference format, a stranger is only an event.
func TestReferenceBridge(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	c.Ledger.KeepImages = true
	r := newReceiver(t, c)
	s, _, _ := serving(t, c)
	terminal := connect(t, c, "F1", "fungxi_F1_downLink", "edgelens/v1/events/F1")
	heartbeat, _ := fungxis.Heartbeat("F1", time.Now())
	terminal.publish(heartbeat)
	testutil.Eventually(t, "the heartbeat is answered", func() bool { return len(terminal.on("fungxi_F1_downLink")) == 1 })
	var answer struct{ Cmd, Time string }
	if err := json.Unmarshal([]byte(terminal.on("fungxi_F1_downLink")[0]), &answer); err != nil || answer.Cmd != "heartD" {
		t.Errorf("%+v %v", answer, err)
	}
	if _, err := time.Parse("2006-01-02 15:04:05", answer.Time); err != nil {
		t.Error(err)
	}
	record, image := passed(1)
	record.CapturedAt = time.Now().UTC().Truncate(time.Second)
	stranger := record
	stranger.Kind, stranger.Passed, stranger.Key = edgelens.RecordStranger, false, "2"
	terminal.publish(fungxis.Record("F1", stranger, image))
	terminal.publish(fungxis.Record("F1", record, image))
	testutil.Eventually(t, "both are events, and one is posted", func() bool { return len(terminal.events("F1")) == 2 && len(r.all()) == 1 })
	p := r.all()[0]
	if p.UserID != "1" || p.Name != "Ann" || string(p.VerifiedCode) != "0" || p.PersonType != "1" ||
		p.BotTime != record.CapturedAt.Format("2006-01-02 15:04:05") || p.Img != base64.StdEncoding.EncodeToString(image) {
		t.Errorf("posted %+v", p)
	}
	events := terminal.events("F1")
	if events[0].Data.Kind != "stranger" || events[1].Data.Kind != "verified" || p.Recognition.ID != events[1].ID || p.Recognition.Predictions[0].Label != "green" {
		t.Errorf("%+v, posted %+v", events, p.Recognition)
	}
	// A command to the reference service's address reaches the terminal.
	if a := s.send("POST", "/", "application/x-www-form-urlencoded", strings.NewReader(`{"cmd":"openDoor"}`)); a.status != 200 || string(a.body) != "ok" {
		t.Errorf("POST /: %d %q", a.status, a.body)
	}
	testutil.Eventually(t, "the terminal has received it", func() bool {
		return slices.Contains(terminal.on("fungxi_F1_downLink"), `{"cmd":"openDoor"}`)
	})
	// The result can be looked up, with its image.
	if a := s.get("/api/results?device=F1"); a.status != 200 || strings.Count(string(a.body), `"source":"mqtt"`) != 2 {
		t.Errorf("results: %d %s", a.status, a.body)
	}
	link := events[1].Data.Image.URL
	a := s.get(link[strings.Index(link, "/api/"):])
	if a.status != 200 || !bytes.Equal(a.body, image) {
		t.Errorf("the image at %s: %d, %d bytes", link, a.status, len(a.body))
	}
	if a := s.get("/api/devices/F1"); a.status != 200 || !strings.Contains(string(a.body), `"online":true`) {
		t.Errorf("the device: %d %s", a.status, a.body)
	}
}

// passwd hashes the passwords in a file in place.
func passwd(file string) ([]byte, error) {
	return exec.Command("mosquitto_passwd", "-U", file).CombinedOutput()
}
