package history_test

import (
	"bytes"
	"strings"
	"testing"

	"edgelens/benchmarks/history"
)

func TestCheckOfGrowth(t *testing.T) {
	for name, test := range map[string]struct {
		row  history.Row
		fail bool
	}{
		"as at the smallest":           {history.Row{Values: []float64{5, 5}}, false},
		"threefold":                    {history.Row{Values: []float64{5, 15}}, false},
		"more than threefold":          {history.Row{Values: []float64{5, 16}}, true},
		"more in between, not at last": {history.Row{Values: []float64{5, 90, 15}}, false},
		"below the floor":              {history.Row{Values: []float64{0.1, 0.9}, Floor: 1}, false},
		"from below the floor":         {history.Row{Values: []float64{0.1, 3.1}, Floor: 1}, true},
		"nothing at both":              {history.Row{Values: []float64{0, 0}}, false},
		"something from nothing":       {history.Row{Values: []float64{0, 1}}, true},
		"above what is wanted":         {history.Row{Values: []float64{50, 60}, Wanted: 3}, false},
	} {
		t.Run(name, func(t *testing.T) {
			test.row.Name = name
			r := history.Result{Sizes: []int{10, 1000}, Rows: []history.Row{test.row}}
			err := r.Check()
			if (err != nil) != test.fail || test.fail && !strings.Contains(err.Error(), name) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	r := history.Result{Sizes: []int{10, 1000}, Rows: []history.Row{
		{Name: "a list, p50", Unit: "ms", Values: []float64{0.5, 2}, Floor: 1, Wanted: 3, Tries: 1},
		{Name: "size", Unit: "B", Values: []float64{2000, 2000}, Tries: 2},
	}}
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{"10 1000 growth wanted at 1000000 measured", "a list, p50 (ms) 0.5 2 2.0 3 1x", "size (B) 2e+03 2e+03 1.0 2x"} {
		if got := strings.Join(strings.Fields(lines[i]), " "); got != want {
			t.Errorf("line %d is %q, want %q", i, got, want)
		}
	}
}
