package suite

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	p, ok := parseStat("42 (a) b (c)) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 25 5 20 0 1 0 100 1000 10\n")
	if want := (process{parent: 7, own: 2 * time.Second, gone: 300 * time.Millisecond}); !ok || p != want {
		t.Errorf("%+v, %v", p, ok)
	}
}

func TestBelowTerminatesOnCycle(t *testing.T) {
	processes := map[int]process{1: {parent: 2}, 2: {parent: 1}, 3: {parent: 1}, 5: {parent: 4}}
	if below(processes, 3, 4) || !below(processes, 3, 1) || !below(processes, 5, 4) {
		t.Error("a process is not found below its parents, or below others")
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("1 (x) S 1 1 1 0 -1 0 0 0 0 0 1 1 1 1 20")
	f.Add(")")
	f.Add("")
	f.Fuzz(func(_ *testing.T, text string) { parseStat(text) })
}
