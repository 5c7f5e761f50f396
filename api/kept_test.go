package api_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/api"
)

// measures is a Ledger with an answer.
type measures struct{ kept edgelens.Kept }

func (m measures) Kept(context.Context) (edgelens.Kept, error) { return m.kept, nil }

func TestLedger(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	kept := edgelens.Kept{At: at, MaxBytes: 100, Bytes: 40, Kinds: []edgelens.KeptKind{
		{Kind: edgelens.KeptJobs, Rows: 1, Bytes: 2, Oldest: at.Add(-time.Hour), MaxAge: 2 * time.Hour, Share: 40, Bound: edgelens.BoundAge},
		{Kind: edgelens.KeptCommands, Estimated: true, MaxRows: 3, MaxBytes: 4},
	}}
	s := newServer(t, func(_ *api.Config, p *api.Parts) { p.Ledger = measures{kept} })
	w := s.do(request("GET", "/api/ledger", "", nil))
	const want = `{"at":"2026-05-01T10:00:00Z","bytes":40,"kinds":[{"bound":"age","bytes":2,"estimated":false,"kind":"jobs","max_age_seconds":7200,"oldest":"2026-05-01T09:00:00Z","rows":1,"share_bytes":40},` +
		`{"bytes":0,"estimated":true,"kind":"commands","max_bytes":4,"max_rows":3,"rows":0}],"max_bytes":100}`
	if got := strings.TrimSpace(w.Body.String()); w.Code != 200 || got != want || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s\nwant %s", w.Code, got, want)
	}
	if w := newServer(t, nil).do(request("GET", "/api/ledger", "", nil)); w.Code != 200 || !strings.Contains(w.Body.String(), `"kinds":[]`) {
		t.Errorf("without a ledger: %d %s", w.Code, w.Body)
	}
}
