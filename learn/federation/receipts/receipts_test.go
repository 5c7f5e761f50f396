package receipts_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/learn/federation"
	"edgelens/learn/federation/receipts"
)

func newKeys(t *testing.T) (federation.Keys, json.RawMessage) {
	t.Helper()
	node, err := signing.Open(t.TempDir(), signing.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	keys := signing.Party{Node: node}
	public, err := keys.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return keys, public
}

// written returns the file of three receipts, its text and the keys.
func written(t *testing.T) (string, string, federation.Keys, json.RawMessage) {
	t.Helper()
	keys, public := newKeys(t)
	path := filepath.Join(t.TempDir(), "receipts.jsonl")
	log, err := receipts.Open(path, keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for round := range 3 {
		if _, err := log.Add("update", round, "north", map[string]any{"norm": 1.5, "bytes": 72}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := log.All()
	if err != nil {
		t.Fatal(err)
	}
	return path, string(text), keys, public
}

func TestVerify(t *testing.T) {
	_, text, keys, public := written(t)
	_, stranger := newKeys(t)
	lines := strings.SplitAfter(text, "\n")
	for name, test := range map[string]struct {
		text  string
		keys  []json.RawMessage
		whole int
		ok    bool
	}{
		"whole":             {text, []json.RawMessage{public}, 3, true},
		"with a former key": {text, []json.RawMessage{stranger, public}, 3, true},
		"none":              {"", []json.RawMessage{public}, 0, true},
		"changed":           {strings.Replace(text, `"norm":1.5`, `"norm":0.5`, 1), []json.RawMessage{public}, 0, false},
		"first removed":     {lines[1] + lines[2], []json.RawMessage{public}, 0, false},
		"middle removed":    {lines[0] + lines[2], []json.RawMessage{public}, 1, false},
		"swapped":           {lines[1] + lines[0] + lines[2], []json.RawMessage{public}, 0, false},
		"doubled":           {lines[0] + lines[0], []json.RawMessage{public}, 1, false},
		"by another key":    {text, []json.RawMessage{stranger}, 0, false},
		"an unknown member": {strings.Replace(text, `"kind"`, `"kin"`, 1), []json.RawMessage{public}, 0, false},
	} {
		all, err := receipts.Verify([]byte(test.text), keys, test.keys...)
		if (err == nil) != test.ok || len(all) != test.whole {
			t.Errorf("%s: %d receipts, %v", name, len(all), err)
		}
	}
	set, err := signing.ParseJWKS(public)
	if err != nil {
		t.Fatal(err)
	}
	if report := signing.Verify([]byte(text), "", set); !report.OK() {
		t.Errorf("edgelens verify: %v", report.Failed)
	}
}

// A line that a crash has cut off is removed, and the chain goes on.
func TestCutOffLine(t *testing.T) {
	path, text, keys, public := written(t)
	if err := os.WriteFile(path, []byte(text+`{"seq":4,"pre`), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := receipts.Open(path, keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	added, err := log.Add("left", 0, "", nil)
	if err != nil || added.Seq != 4 {
		t.Fatalf("%+v, %v", added, err)
	}
	after, err := log.All()
	if err != nil {
		t.Fatal(err)
	}
	if all, err := receipts.Verify(after, keys, public); err != nil || len(all) != 4 {
		t.Errorf("%d receipts, %v", len(all), err)
	}
	if err := os.WriteFile(path, []byte("{\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := receipts.Open(path, keys, time.Now); err == nil {
		t.Error("a damaged file is opened")
	}
}

// A receipt that a full disk takes a part of leaves nothing behind: the next one follows the last whole one.
func TestFullDisk(t *testing.T) {
	keys, public := newKeys(t)
	path := filepath.Join(t.TempDir(), "receipts.jsonl")
	log, err := receipts.Open(path, keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	add := func() error { _, err := log.Add("update", 1, "north", nil); return err }
	if err := add(); err != nil {
		t.Fatal(err)
	}
	free := log.FillDisk(30)
	if err := add(); !errors.Is(err, edgelens.ErrStorage) {
		t.Errorf("a receipt on a full disk: %v", err)
	}
	free()
	if err := add(); err != nil {
		t.Fatal(err)
	}
	text, err := log.All()
	if err != nil {
		t.Fatal(err)
	}
	if all, err := receipts.Verify(text, keys, public); err != nil || len(all) != 2 {
		t.Errorf("%d receipts, %v:\n%s", len(all), err, text)
	}
}

// Receipts that were removed at the end, or are damaged, show by a receipt, and do not keep their owner from starting.
func TestLostReceipts(t *testing.T) {
	for name, test := range map[string]struct {
		change func(text string) string
		known  int64
		lost   bool
		seq    int64
	}{
		"none":    {func(text string) string { return text }, 3, false, 3},
		"the end": {func(text string) string { return text[:strings.Index(text, "\n")+1] }, 3, true, 2},
		"all":     {func(string) string { return "" }, 3, true, 1},
		"damaged": {func(text string) string { return "{\n" + text }, 3, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			path, text, keys, public := written(t)
			if err := os.WriteFile(path, []byte(test.change(text)), 0o600); err != nil {
				t.Fatal(err)
			}
			log, lost, err := receipts.Resume(path, keys, time.Now, test.known)
			if err != nil || lost != test.lost || log.Seq() != test.seq {
				t.Fatalf("lost: %v, %v, and the last is %d", lost, err, log.Seq())
			}
			defer log.Close()
			left, err := log.All()
			if err != nil {
				t.Fatal(err)
			}
			if all, err := receipts.Verify(left, keys, public); err != nil || test.lost != (all[len(all)-1].What == "receipts_lost") {
				t.Errorf("%d receipts, %v:\n%s", len(all), err, left)
			}
		})
	}
}
