package heads

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgelens"
	"edgelens/learn/head"
	"edgelens/learn/softmax"
)

var update = flag.Bool("update", false, "write the golden again")

// gate returns a version with its report.
func gate() (*head.Head, *edgelens.TrainingReport) {
	p := softmax.New(2, 3)
	copy(p.Row(1), []float64{0.5, -0.25, 1})
	return &head.Head{
			Name: "gate", Version: 2, Extractor: edgelens.ModelRef{Name: "extractor", Digest: "sha256:ab"}, View: edgelens.View{Fit: edgelens.FitStretch},
			Labels: []string{"closed", "open"}, Params: p, Scale: 10, Threshold: 0.7, Method: head.Softmax, Examples: 12,
			CreatedAt: time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC),
		}, &edgelens.TrainingReport{
			Method: head.Softmax, L2: 1e-3, Folds: 5, Labels: []edgelens.LabelCount{{Label: "closed", Count: 6}, {Label: "open", Count: 6}},
			HeldOut: 12, Right: 11, Accuracy: 0.9166, Low: 0.65, High: 0.98, Confusion: [][]int{{6, 0}, {1, 5}}, ErrorBefore: 0.2, ErrorAfter: 0.05,
			Threshold: 0.7, ThresholdGiven: true, RightBelow: 1, WrongBelow: 1, Took: 1500 * time.Millisecond,
		}
}

// TestStoredForm pins what lies on disks.
func TestStoredForm(t *testing.T) {
	data, err := marshal(gate())
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "version.json")
	if *update {
		if err := os.WriteFile(golden, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != string(want) {
		t.Errorf("the stored form is\n%s\nand was\n%s", data, want)
	}
}

func FuzzUnmarshal(f *testing.F) {
	data, err := marshal(gate())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1,"head":{},"report":{"confusion":[[1]]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, _, err := unmarshal(data)
		if err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("the error %v is no ErrInvalid", err)
			}
			return
		}
		if err := h.Check(); err != nil {
			t.Errorf("a head that cannot be used was read: %v", err)
		}
	})
}
