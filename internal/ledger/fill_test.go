//go:build cgo

package ledger_test

import (
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

func TestFill(t *testing.T) {
	dir := t.TempDir()
	filling := ledger.Filling{Items: 110, Until: time.Now(), Span: 24 * time.Hour, Devices: 3, Seed: 1, Spoil: "results_by_device_outcome"}
	bytes, err := ledger.Fill(t.Context(), dir, filling)
	must(t, err)
	if bytes < 100_000 {
		t.Errorf("the ledger has %d bytes", bytes)
	}
	l := open(t, dir, quiet())
	page, _, err := l.Results.Results(t.Context(), edgelens.ResultFilter{Limit: 200})
	must(t, err)
	equal(t, "results", len(page), 110)
	equal(t, "problems", len(l.Problems()), 0)

	filling.Spoil = "results_by_smell"
	if _, err := ledger.Fill(t.Context(), t.TempDir(), filling); err == nil {
		t.Error("an index that does not exist is spoiled")
	}
}
