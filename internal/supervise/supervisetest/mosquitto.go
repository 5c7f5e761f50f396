package supervisetest

import (
	"context"
	"log/slog"
	"testing"

	"edgelens/internal/supervise"
	"edgelens/internal/testutil"
)

// Mosquitto is a private broker on a TCP port of its own. It ends with the test.
type Mosquitto struct {
	// Mosquitto is the running broker, or the one that was stopped last.
	*supervise.Mosquitto
	// Config is how Start starts it; Config.Listen is its address, as host:port.
	Config supervise.MosquittoConfig
	// ACL has the rules of its users, for the next Start; "" allows everything.
	ACL string

	t   testing.TB
	dir string
}

// StartMosquitto starts a broker with the default settings, which each change may modify. The test is skipped as by
// FindMosquitto.
func StartMosquitto(t testing.TB, change ...func(*supervise.MosquittoConfig)) *Mosquitto {
	t.Helper()
	FindMosquitto(t)
	m := &Mosquitto{Config: supervise.DefaultMosquittoConfig(), t: t, dir: t.TempDir()}
	m.Config.Listen = testutil.FreeAddress(t)
	for _, apply := range change {
		apply(&m.Config)
	}
	m.Start()
	t.Cleanup(func() { _ = m.Stop(context.Background()) }) // the test may have stopped it
	return m
}

// Start starts a broker that was stopped, with the data that it had, and returns when it answers.
func (m *Mosquitto) Start() {
	m.t.Helper()
	var err error
	m.Mosquitto, err = supervise.StartMosquitto(context.Background(), m.dir, m.Config, supervise.MosquittoAccess{ACL: m.ACL}, slog.New(slog.DiscardHandler))
	if err != nil {
		m.t.Fatal(err)
	}
}

// OpenURL is the broker's URL for clients without a name and password.
func (m *Mosquitto) OpenURL() string { return "mqtt://" + m.Config.Listen }
