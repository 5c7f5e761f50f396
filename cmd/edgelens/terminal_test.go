//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
	"edgelens/models/modeltest"
	"edgelens/terminal/capture"
	"edgelens/terminal/dialect"
	"edgelens/terminal/fungxi"
	"edgelens/terminal/session"
)

// answerFungxi answers heartbeats at the broker until the test ends.
func answerFungxi(t *testing.T, broker string) {
	t.Helper()
	address, err := session.ParseAddress(broker, "")
	if err != nil {
		t.Fatal(err)
	}
	spoken := fungxi.New(fungxi.DefaultConfig())
	answers := make(chan dialect.Outgoing, 1000)
	s, err := session.Start(session.Config{
		Address: address, ClientID: "responder", AckAtOnce: true, Subscriptions: []session.Subscription{{Filter: "+", QoS: 1}},
		OnMessage: func(m session.Message) {
			if message, err := spoken.Decode(m.Topic, m.Payload, dialect.Hints{ReceivedAt: time.Now()}); err == nil {
				for _, answer := range message.Answers {
					answers <- answer
				}
			}
		},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var answering sync.WaitGroup
	answering.Go(func() {
		for answer := range answers {
			_ = s.Publish(context.Background(), session.Outgoing{Topic: answer.Topic, Payload: answer.Payload, QoS: answer.QoS}) // the simulator misses it
		}
	})
	t.Cleanup(func() {
		_ = s.Stop(context.Background())
		close(answers)
		answering.Wait()
	})
	testutil.Eventually(t, "the responder is connected", s.Up)
}

func TestTerminalSimulateCommand(t *testing.T) {
	broker := supervisetest.StartMosquitto(t).OpenURL()
	answerFungxi(t, broker)
	images := t.TempDir()
	if err := os.WriteFile(filepath.Join(images, "red.png"), modeltest.Image(modeltest.Red, 8, 8), 0o600); err != nil {
		t.Fatal(err)
	}
	simulate := func(args ...string) (int, string, string) {
		return runCommand(t, nil, append([]string{"terminal", "simulate", "--broker", broker, "--rate", "0", "--records", "3"}, args...)...)
	}
	t.Run("table", func(t *testing.T) {
		status, out, talk := simulate("--terminals", "2")
		if status != 0 || !regexp.MustCompile(`(?m)^heartbeats +2 +2 +2 +0 `).MatchString(out) || !regexp.MustCompile(`(?m)^records +6 `).MatchString(out) {
			t.Errorf("status %d\n%s%s", status, out, talk)
		}
		if !strings.Contains(talk, "mosquitto_sub -L '"+broker+"/edgelens/v1/events/#'") {
			t.Errorf("no hint in\n%s", talk)
		}
	})
	t.Run("json", func(t *testing.T) {
		status, out, talk := simulate("--json", "--images", images)
		var report struct {
			Dialect    string
			Heartbeats struct{ Sent, Answered int }
			Records    struct{ Sent int }
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatal(err)
		}
		if status != 0 || report.Dialect != "fungxi" || report.Heartbeats.Sent != 1 || report.Heartbeats.Answered != 1 || report.Records.Sent != 3 {
			t.Errorf("status %d\n%s%s", status, out, talk)
		}
	})
	t.Run("answers are missing", func(t *testing.T) {
		status, out, talk := simulate("--dialect", "facesluice", "--retry", "50ms", "--answer-timeout", "50ms")
		if status != 1 || !strings.Contains(talk, "3 of 3 records were not answered") || !strings.Contains(out, "records") {
			t.Errorf("status %d\n%s%s", status, out, talk)
		}
	})
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such dialect": {[]string{"--dialect", "klingon"}, "fungxi, facesluice or camera"},
		"no such ack":     {[]string{"--ack", "perhaps"}, "--ack must be none or echo"},
		"no such file":    {[]string{"--images", "/no/such/file.jpg"}, "--images"},
		"an empty folder": {[]string{"--images", t.TempDir()}, "there is no .jpg"},
		"a bad share":     {[]string{"--damaged", "7"}, "damaged is a share"},
		"no terminals":    {[]string{"--terminals", "0"}, "at least one terminal"},
		"a bad broker":    {[]string{"--broker", "http://x"}, "--broker: must begin with mqtt://"},
		"an argument":     {[]string{"now"}, "no such file"},
		"no broker":       {[]string{"--broker", "mqtt://door:secret@" + testutil.FreeAddress(t), "--duration", "500ms"}, "start one with `make run`"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, _, talk := simulate(test.args...); status != 1 || !strings.Contains(talk, test.want) || strings.Contains(talk, "secret") {
				t.Errorf("status %d, no %q in\n%s", status, test.want, talk)
			}
		})
	}
}

func TestTerminalCaptureCommand(t *testing.T) {
	broker := supervisetest.StartMosquitto(t).OpenURL()
	answerFungxi(t, broker)
	path := filepath.Join(t.TempDir(), "log.jsonl")
	ctx, stop := context.WithCancel(t.Context())
	log := &testutil.LogBuffer{}
	done := make(chan int, 1)
	go func() {
		done <- execute(ctx, []string{"terminal", "capture", "--broker", broker, "--out", path}, nil, io.Discard, log)
	}()
	testutil.Eventually(t, "it logs", func() bool { return strings.Contains(log.String(), "Logging #") })
	if status, out, talk := runCommand(t, nil, "terminal", "simulate", "--broker", broker, "--rate", "0", "--records", "3"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, talk)
	}
	var text []byte
	testutil.Eventually(t, "all is logged", func() bool {
		text, _ = os.ReadFile(path)
		return strings.Count(string(text), "\n") >= 5
	})
	stop()
	if status := <-done; status != 0 {
		t.Errorf("status %d\n%s", status, log.String())
	}
	if at := regexp.MustCompile(`[A-Za-z0-9+/]{128}`).Find(text); at != nil {
		t.Errorf("base64 is in the log: %s", at)
	}
	kinds := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var got capture.Line
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		kinds[got.Kind]++
	}
	if kinds["heartbeat"] != 1 || kinds["records"] != 3 || !strings.Contains(string(text), "<image: ") {
		t.Errorf("%v\n%s", kinds, text)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no broker":      {[]string{"--broker", "mqtt://" + testutil.FreeAddress(t)}, "start one with `make run`"},
		"no such folder": {[]string{"--broker", broker, "--out", "/no/such/folder/x"}, "--out"},
	} {
		if status, _, talk := runCommand(t, nil, append([]string{"terminal", "capture"}, test.args...)...); status != 1 || !strings.Contains(talk, test.want) {
			t.Errorf("%s: status %d, no %q in\n%s", name, status, test.want, talk)
		}
	}
}
