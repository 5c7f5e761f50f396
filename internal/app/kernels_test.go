//go:build cgo

package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/models/modeltest"
)

// lying is TensorFlow Lite with a delegate that computes wrongly: lie changes its outputs,
// or fails.
type lying struct {
	inference.Backend
	lie func(output []byte) error
}

func (b lying) Open(path string, options inference.Options) (inference.Model, error) {
	m, err := b.Backend.Open(path, options)
	if err != nil {
		return nil, err
	}
	return lyingModel{m, b.lie}, nil
}

type lyingModel struct {
	inference.Model
	lie func(output []byte) error
}

func (m lyingModel) NewInterpreter() (inference.Interpreter, error) {
	i, err := m.Model.NewInterpreter()
	if err != nil || i.Delegation().Delegate == inference.DelegateNone {
		return i, err
	}
	return &lyingInterpreter{Interpreter: i, lie: m.lie}, nil
}

type lyingInterpreter struct {
	inference.Interpreter
	lie func(output []byte) error
	// runs counts those of ReadOutput.
	runs int
}

func (i *lyingInterpreter) ReadOutput(data []byte) error {
	if err := i.Interpreter.ReadOutput(data); err != nil {
		return err
	}
	i.runs++
	if i.runs <= 2 {
		return nil // the warm-up
	}
	return i.lie(data)
}

// checked is what /api/models has about the kernels of a model.
type checked struct {
	Result, Reason, Against string
	Images                  int
	ClearImages             int `json:"clear_images"`
	OtherFirstClasses       int `json:"other_first_classes"`
	Correlation             *float64
	Rejected                []struct{ Runtime, Version, Delegate, Reason, Against, At string }
	delegate                string
}

func (s *service) checked(name string) checked {
	s.t.Helper()
	var list struct {
		Models []struct {
			Name, Delegate string
			Checked        checked
		}
	}
	if err := json.Unmarshal(s.get("/api/models").body, &list); err != nil {
		s.t.Fatal(err)
	}
	for _, m := range list.Models {
		if m.Name == name {
			m.Checked.delegate = m.Delegate
			return m.Checked
		}
	}
	s.t.Fatalf("no model %s", name)
	return checked{}
}

// A delegate that computes wrongly never answers: the reference kernels do, and everything
// that an operator looks at shows it.
func TestLyingKernels(t *testing.T) {
	for name, lie := range map[string]func(output []byte) error{
		"other classes": func(out []byte) error { out[0], out[1], out[2] = out[2], out[0], out[1]; return nil },
		"all zero":      func(out []byte) error { clear(out); return nil },
		"saturated":     func(out []byte) error { out[0], out[1], out[2] = 255, 255, 255; return nil },
		"always red":    func(out []byte) error { out[0], out[1], out[2] = 250, 3, 3; return nil },
		"fails":         func([]byte) error { return fmt.Errorf("%w: device lost", edgelens.ErrInference) },
	} {
		t.Run(name, func(t *testing.T) {
			c := settings(t)
			withColors(t, c)
			for _, start := range []string{"first start", "start with a verdict"} {
				t.Run(start, func(t *testing.T) { answersRightAndDegraded(startOn(t, c, NewRuntimes(c), lying{tflite.New(), lie})) })
			}
			if files, err := filepath.Glob(filepath.Join(c.DataDir, "checked", "*.json")); err != nil || len(files) != 1 {
				t.Errorf("%d verdicts, %v", len(files), err)
			}
		})
	}
}

func answersRightAndDegraded(s *service) {
	t := s.t
	t.Helper()
	for class, color := range colors {
		if a := s.raw("/api/recognize", modeltest.Image(color, 64, 64)); a.status != 200 || len(a.Predictions) == 0 || a.Predictions[0].Label != class {
			t.Errorf("%s: %d %s", class, a.status, a.body)
		}
	}
	got := s.checked("colors")
	if got.Result != "reference" || got.delegate != "none" || len(got.Rejected) != 1 || got.Rejected[0].Delegate != "xnnpack" || got.Rejected[0].Runtime != "tflite" ||
		got.Rejected[0].Reason == "" || got.Rejected[0].At == "" || !strings.Contains(got.Rejected[0].Against, "without a delegate") {
		t.Errorf("checked is %+v", got)
	}
	if status, h := s.ready(); status != 200 || h.Status != "degraded" || len(h.Reasons) != 1 || h.Reasons[0].Name != "kernels of colors" {
		t.Errorf("/readyz: %d %+v", status, h)
	}
	metrics := string(s.get("/metrics").body)
	for _, line := range []string{`edgelens_model_check{model="colors",result="reference"} 1`, `edgelens_model_rejected_kernels{model="colors"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
}

func TestHealthyKernels(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	s := start(t, c)
	if got := s.checked("colors"); got.Result != "passed" || got.delegate != "xnnpack" || got.Images != 10 || got.Correlation == nil || *got.Correlation < 0.99 || len(got.Rejected) != 0 {
		t.Errorf("checked is %+v", got)
	}
	if status, h := s.ready(); status != 200 || h.Status != "ok" {
		t.Errorf("/readyz: %d %+v", status, h)
	}
	files, err := filepath.Glob(filepath.Join(c.DataDir, "checked", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d verdicts, %v", len(files), err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestKernelCheckOff(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	c.Inference.Check = false
	s := start(t, c)
	if got := s.checked("colors"); got.Result != "off" || got.delegate != "xnnpack" || got.Against != "" {
		t.Errorf("checked is %+v", got)
	}
	if _, err := os.Stat(filepath.Join(c.DataDir, "checked")); !os.IsNotExist(err) {
		t.Errorf("a verdict was stored: %v", err)
	}
}
