package supervisetest_test

import (
	"context"
	"strings"
	"testing"

	"edgelens/internal/supervise"
	"edgelens/internal/supervise/supervisetest"
	"edgelens/internal/testutil"
)

func TestMosquittoStartsAgain(t *testing.T) {
	t.Parallel()
	var changed string
	m := supervisetest.StartMosquitto(t, func(c *supervise.MosquittoConfig) { changed = c.Listen })
	if m.Config.Listen != changed || !strings.HasSuffix(m.OpenURL(), changed) {
		t.Errorf("it listens on %s, at %s, and the change was given %s", m.Config.Listen, m.OpenURL(), changed)
	}
	for range 2 {
		if !m.Up() || testutil.IsFree(m.Config.Listen) {
			t.Error("it does not run")
		}
		if err := m.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if !testutil.IsFree(m.Config.Listen) {
			t.Error("it runs after it was stopped")
		}
		m.Start()
	}
}
