//go:build cgo

package app

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/internal/backup"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/internal/ledger"
	"edgelens/learn/head"
	"edgelens/learn/heads"
	"edgelens/learn/softmax"
	"edgelens/models"
	"edgelens/models/modeltest"
)

// putHead stores a version of a head with two labels, on the extractor of withExtractor.
func putHead(t testing.TB, dir, name string, labels ...string) {
	t.Helper()
	h := &head.Head{
		Name: name, Extractor: edgelens.ModelRef{Name: "extractor", Digest: "sha256:ab"}, Labels: labels, Params: softmax.New(len(labels), 3), Scale: 10,
		Method: head.Softmax, Examples: 12,
	}
	if _, err := heads.Open(filepath.Join(dir, "heads")).Put(h, nil, true); err != nil {
		t.Fatal(err)
	}
}

// withHeads has a ledger and two heads: of the gate, the first of two versions is live, and a version of the bin is damaged.
func withHeads(t testing.TB) *config.Config {
	t.Helper()
	c := settings(t)
	withColors(t, c)
	l, err := ledger.Open(t.Context(), c.DataDir, c.Ledger, ledger.Parts{Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	putHead(t, c.DataDir, "gate", "closed", "open")
	putHead(t, c.DataDir, "gate", "closed", "ajar", "open")
	putHead(t, c.DataDir, "bin", "full", "empty")
	putHead(t, c.DataDir, "bin", "full", "empty")
	_, err = openHeads(c).Rollback("gate", 1)
	if err := errors.Join(err, l.Close(), os.WriteFile(filepath.Join(c.DataDir, "heads", "bin", "0002.json"), []byte("{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Heads come back with their versions, and the same ones live; those that lack their extractor are named.
func TestHeadsInBackup(t *testing.T) {
	file, report := backUp(t, withHeads(t), control.BackupOptions{})
	if counts := report.Manifest.Counts; counts.Heads != 3 || counts.HeadsDamaged != 1 || !strings.Contains(report.Problem(), "1 damaged files of heads") {
		t.Errorf("%+v, %s", counts, report.Problem())
	}
	if _, err := VerifyBackup(t.Context(), file); err != nil {
		t.Error(err)
	}
	bare, complete := settings(t), settings(t)
	withColors(t, bare)
	withColors(t, complete)
	withExtractor(t, complete, modeltest.Options{})
	restored, err := Restore(t.Context(), bare, file, RestoreOptions{}, nil)
	if err != nil || len(restored.UnusableHeads) != 2 || restored.UnusableHeads[1].Name != "gate" || !strings.Contains(restored.UnusableHeads[1].Problem, "its extractor extractor is not there") {
		t.Errorf("%+v, %v", restored.UnusableHeads, err)
	}
	if restored, err := Restore(t.Context(), complete, file, RestoreOptions{}, nil); err != nil || len(restored.UnusableHeads) != 1 || !strings.Contains(restored.UnusableHeads[0].Problem, "head rollback bin") {
		t.Errorf("%+v, %v", restored.UnusableHeads, err)
	}
	if live, err := openHeads(complete).Live("gate"); err != nil || live.Version != 1 {
		t.Errorf("%+v, %v", live, err)
	}
	if versions, err := openHeads(complete).Versions("gate"); err != nil || len(versions) != 2 {
		t.Errorf("%+v, %v", versions, err)
	}
	// Other heads do not stay beside the datasets of the backup.
	occupied := settings(t)
	putHead(t, occupied.DataDir, "other", "a", "b")
	if _, err := Restore(t.Context(), occupied, file, RestoreOptions{}, nil); !errors.Is(err, edgelens.ErrConflict) || !strings.Contains(err.Error(), "there is heads already") {
		t.Errorf("%v", err)
	}
	aside := filepath.Join(filepath.Dir(occupied.DataDir), "aside")
	if _, err := Restore(t.Context(), occupied, file, RestoreOptions{Aside: aside}, nil); err != nil || !slices.Equal(openHeads(occupied).Names(), []string{"bin", "gate"}) {
		t.Errorf("%v, %v", openHeads(occupied).Names(), err)
	}
}

// A head that was changed is refused, also where all sums were made anew.
func TestChangedHeadInBackupIsRefused(t *testing.T) {
	c := withHeads(t)
	file, _ := backUp(t, c, control.BackupOptions{})
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	former, err := os.ReadFile(filepath.Join(c.DataDir, "heads", "gate", "0001.json"))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(former, []byte(`"scale":10`), []byte(`"scale":11`), 1)
	damaged := bytes.Replace(content, former, changed, 1)
	sums := sumsOf(t, content)
	newSums := bytes.ReplaceAll(sums, hexSum(former), hexSum(changed))
	forged := bytes.ReplaceAll(damaged, hexSum(former), hexSum(changed))
	forged = bytes.ReplaceAll(forged, hexSum(sums), hexSum(newSums))
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"damaged": {damaged, "heads/gate/0001.json is damaged"},
		"forged":  {forged, "version 1 of the head gate: "},
	} {
		bad, empty := filepath.Join(t.TempDir(), "bad.tar"), settings(t)
		if err := os.WriteFile(bad, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(t.Context(), empty, bad, RestoreOptions{}, nil); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: restore: %v", name, err)
		}
		if _, err := VerifyBackup(t.Context(), bad); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: verify: %v", name, err)
		}
		if ledger.IsIn(empty.DataDir) || len(openHeads(empty).Names()) != 0 {
			t.Errorf("%s: something is restored", name)
		}
	}
}

func hexSum(content []byte) []byte {
	sum := sha256.Sum256(content)
	return []byte(hex.EncodeToString(sum[:]))
}

// sumsOf returns the file of sums in a backup.
func sumsOf(t *testing.T, content []byte) []byte {
	t.Helper()
	for archive := tar.NewReader(bytes.NewReader(content)); ; {
		header, err := archive.Next()
		if err != nil {
			t.Fatal(err)
		}
		if header.Name == backup.SumsName {
			sums, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			return sums
		}
	}
}

// The labels of a state are those of its model: of a file, or of the version of a head that is live.
func TestLabelsOfState(t *testing.T) {
	c := settings(t)
	frigateModel(t, c.ModelsDir, "door")
	registry, err := models.Open(c.ModelsDir)
	if err != nil {
		t.Fatal(err)
	}
	putHead(t, c.DataDir, "door", "a", "b")
	putHead(t, c.DataDir, "gate", "closed", "open")
	labels := func(model string) string { return strings.Join(labelsOf(registry, openHeads(c), model), " ") }
	if got := labels("door"); got != strings.Join(modeltest.FrigateLabels(), " ") {
		t.Errorf("of a file: %s", got)
	}
	if got := labels("gate"); got != "closed open" {
		t.Errorf("of a head: %s", got)
	}
	putHead(t, c.DataDir, "gate", "closed", "ajar", "open")
	if got := labels("gate"); got != "closed ajar open" {
		t.Errorf("of another version: %s", got)
	}
	if got := labels("nothing"); got != "" {
		t.Errorf("of no model: %s", got)
	}
}
