package accuracy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"edgelens"
	"edgelens/benchmarks/accuracy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake answers with the class that is an image's text, or with the error of that name. It is an Answerer and a Decoder.
type fake struct {
	mu    sync.Mutex
	asked []string
	// after is called with the number of images so far.
	after func(n int)
}

var failures = map[string]error{
	"bad": edgelens.ErrBadImage, "text": edgelens.ErrUnsupportedFormat, "huge": edgelens.ErrTooLarge, "slow": edgelens.ErrDeadline, "broken": edgelens.ErrInference,
	"no model": edgelens.ErrModel, "none": nil,
}

func (f *fake) Answer(_ context.Context, variant int, image []byte) (accuracy.Reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	text := string(image)
	if strings.HasPrefix(text, "BM") {
		text = "1"
	}
	f.asked = append(f.asked, fmt.Sprint(variant, " ", text))
	if f.after != nil {
		f.after(len(f.asked))
	}
	if err, ok := failures[text]; ok {
		if err == nil {
			return accuracy.Reply{}, nil
		}
		return accuracy.Reply{}, fmt.Errorf("recognize: %w", err)
	}
	class := int(text[0] - '0')
	return accuracy.Reply{Took: time.Millisecond, Predictions: []edgelens.Prediction{{ClassID: class, Probability: 0.9}, {ClassID: 9, Probability: 0.1}}}, nil
}

func (f *fake) Upright(image []byte) (accuracy.Pixels, error) {
	if err := failures[string(image)]; err != nil {
		return accuracy.Pixels{}, fmt.Errorf("decode: %w", err)
	}
	return accuracy.Pixels{Width: 1, Height: 1, RGB: []byte{1, 2, 3}}, nil
}

// measurement is that of a folder with a labels file that has class 1 for every file.
func measurement(t *testing.T, dir string, files ...string) accuracy.Measurement {
	t.Helper()
	run := newRun([]accuracy.Frame{{}, {Width: 2, Height: 1}}, "center", "stretch")
	run.Ended = time.Time{}
	set := &accuracy.Set{Folder: dir}
	for _, file := range files {
		set.Items = append(set.Items, accuracy.Item{File: file, Class: 1})
	}
	run.Images = len(files)
	return accuracy.Measurement{Run: run, Set: set, Workers: 3, Progress: func(int, int, string) {}}
}

func TestMeasure(t *testing.T) {
	images := folder(t, map[string]string{"a": "1", "b": "3", "bad": "bad", "text": "text", "huge": "huge", "slow": "slow", "broken": "broken", "none": "none", "empty": "", "sub/x": ""})
	m := measurement(t, images, "a", "b", "bad", "text", "huge", "slow", "broken", "none", "empty", "sub", "gone")
	f := &fake{}
	m.Answerer, m.Decoder = f, f
	last := 0
	m.Progress = func(done, all int, _ string) {
		if all != 11 || done != last+1 {
			t.Errorf("%d of %d after %d", done, all, last)
		}
		last = done
	}
	dir := filepath.Join(t.TempDir(), "x")
	w, err := accuracy.Create(dir, m.Run)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Measure(t.Context(), w), w.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := accuracy.Summarize(dir)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, failed := range s.Failures {
		kinds[failed.Image] = failed.Failure
	}
	want := map[string]string{"bad": accuracy.FailureNotImage, "text": accuracy.FailureNotImage, "huge": accuracy.FailureNotImage, "empty": accuracy.FailureNotImage,
		"slow": accuracy.FailureFailed, "broken": accuracy.FailureFailed, "none": accuracy.FailureFailed, "sub": accuracy.FailureUnreadable, "gone": accuracy.FailureAbsent}
	if fmt.Sprint(kinds) != fmt.Sprint(want) {
		t.Errorf("failures %v, want %v", kinds, want)
	}
	for _, in := range s.Frames {
		for _, v := range in.Variants {
			if in.Frame == "as-is" && (v.Top1.N != 2 || v.Top1.Right != 1) || in.Frame != "as-is" && v.Top1.N < 2 {
				t.Errorf("%s %s: %+v", in.Frame, v.Name, v.Top1)
			}
		}
	}
	if last != 11 {
		t.Errorf("progress ended at %d", last)
	}
}

// A file that no decoder takes is not read into memory.
func TestHugeFile(t *testing.T) {
	images := folder(t, map[string]string{"a": "1"})
	if err := os.Truncate(filepath.Join(images, "a"), 257<<20); err != nil {
		t.Fatal(err)
	}
	m := measurement(t, images, "a")
	f := &fake{}
	m.Answerer, m.Decoder = f, f
	dir := filepath.Join(t.TempDir(), "x")
	w, err := accuracy.Create(dir, m.Run)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Measure(t.Context(), w), w.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err := accuracy.Summarize(dir); err != nil || len(s.Failures) != 1 || s.Failures[0].Failure != accuracy.FailureUnreadable {
		t.Errorf("%+v, %v", s, err)
	}
}

// After a failed write, which may have left a part of a line, nothing follows.
func TestNothingIsWrittenAfterAFailedWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	w, err := accuracy.Create(dir, newRun(asIs, "center"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var before, limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(unix.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(unix.SIGXFSZ) })
	limit = before
	limit.Cur = 100
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	full := w.Add([]accuracy.Answer{answer(0, 1, 3, 0.9, 3), answer(0, 2, 3, 0.9, 3), answer(0, 3, 3, 0.9, 3)})
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if full == nil || w.Add([]accuracy.Answer{answer(0, 4, 3, 0.9, 3)}) == nil {
		t.Error("a write after a failed one is no error")
	}
	if data, err := os.ReadFile(filepath.Join(dir, "answers.jsonl")); err != nil || len(data) != 100 {
		t.Errorf("%d bytes were written, %v", len(data), err)
	}
}

func TestErrorThatIsNotOfAnImageEndsIt(t *testing.T) {
	images := folder(t, map[string]string{"a": "1", "b": "no model"})
	m := measurement(t, images, "a", "b")
	f := &fake{}
	m.Answerer, m.Decoder = f, f
	w, err := accuracy.Create(filepath.Join(t.TempDir(), "x"), m.Run)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := m.Measure(t.Context(), w); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("%v", err)
	}
}

// An interrupted run is continued where it ended, and each image is asked once in each case.
func TestResume(t *testing.T) {
	files := map[string]string{}
	var names []string
	for i := range 40 {
		name := fmt.Sprintf("%02d", i)
		files[name], names = "1"+name, append(names, name)
	}
	m := measurement(t, folder(t, files), names...)
	m.Run.Frames = asIs
	dir := filepath.Join(t.TempDir(), "x")
	w, err := accuracy.Create(dir, m.Run)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := &fake{after: func(n int) {
		if n == 21 { // in the midst of an image
			cancel()
		}
	}}
	m.Answerer, m.Decoder = first, first
	err = m.Measure(ctx, w)
	if err := w.Close(); err != nil || !errors.Is(ctx.Err(), context.Canceled) {
		t.Fatal(err)
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	s, err := accuracy.Summarize(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept := s.Frames[0].Variants[0].Top1.N + s.Frames[0].Variants[1].Top1.N
	if kept < 15 || kept > 21 {
		t.Errorf("%d answers were kept of %d", kept, len(first.asked))
	}
	answers := filepath.Join(dir, "answers.jsonl")
	torn, err := os.OpenFile(answers, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = torn.WriteString(`{"case":0,"image":"39","cla`)
	}
	if err := errors.Join(err, torn.Close()); err != nil {
		t.Fatal(err)
	}
	second := &fake{}
	m.Answerer = second
	if w, err = accuracy.Resume(dir); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Measure(t.Context(), w), w.Close()); err != nil {
		t.Fatal(err)
	}
	if len(second.asked) != 80-kept {
		t.Errorf("asked %d times, after %d answers of 80", len(second.asked), kept)
	}
	if s, err = accuracy.Summarize(dir); err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Frames[0].Variants {
		if v.Top1.N != 40 || v.Top1.Right != 40 {
			t.Errorf("%s: %+v", v.Name, v.Top1)
		}
	}
	data, err := os.ReadFile(answers)
	if err != nil || strings.Count(string(data), "\n") != 80 {
		t.Errorf("%v, %d lines", err, strings.Count(string(data), "\n"))
	}
	third := &fake{}
	m.Answerer = third
	if w, err = accuracy.Resume(dir); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Measure(t.Context(), w), w.Close()); err != nil || len(third.asked) != 0 {
		t.Errorf("a complete run asked %q, %v", third.asked, err)
	}
}

func TestParametersMustBeTheSame(t *testing.T) {
	p := newRun(asIs, "center").Parameters
	if err := p.Check(newRun(asIs, "center").Parameters); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*accuracy.Parameters){
		"labeled images":         func(p *accuracy.Parameters) { p.Set = "x" },
		"variants or models":     func(p *accuracy.Parameters) { p.Variants[0].Digest = "x" },
		"frames":                 func(p *accuracy.Parameters) { p.Frames = append(p.Frames, accuracy.Frame{Width: 2, Height: 1}) },
		"seed":                   func(p *accuracy.Parameters) { p.Seed++ },
		"target":                 func(p *accuracy.Parameters) { p.Target = "http://x" },
		"settings of preprocess": func(p *accuracy.Parameters) { p.Preprocess = "x" },
		"settings of inference":  func(p *accuracy.Parameters) { p.Inference = "x" },
	} {
		changed := newRun(asIs, "center").Parameters
		change(&changed)
		if err := p.Check(changed); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestFolderIsNeverOverwritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	w, err := accuracy.Create(dir, newRun(asIs, "center"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := accuracy.Create(dir, newRun(asIs, "center")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
}

func TestBrokenRecords(t *testing.T) {
	_, good := summarize(t, newRun(asIs, "center"), answer(0, 1, 3, 0.9, 3))
	for name, tt := range map[string]struct{ file, content, want string }{
		"no JSON":                 {"accuracy.json", "{", "accuracy.json"},
		"no variants":             {"accuracy.json", "{}", "no frames or no variants"},
		"a variant beside itself": {"accuracy.json", `{"frames":["as-is"],"variants":[{"beside":-1},{"beside":1}]}`, "variant 1"},
		"an unknown frame":        {"accuracy.json", `{"frames":["9:16"],"variants":[{"beside":-1}]}`, "frame"},
		"a line that is no JSON":  {"answers.jsonl", "x\n", "line 1"},
		"an unknown case":         {"answers.jsonl", `{"case":1,"image":"a","classes":[1],"probabilities":[1]}` + "\n", "no case 1"},
		"no answer":               {"answers.jsonl", `{"case":0,"image":"a"}` + "\n", "no answer"},
		"no name":                 {"answers.jsonl", `{"case":0,"classes":[1],"probabilities":[1]}` + "\n", "no name"},
		"no probability":          {"answers.jsonl", `{"case":0,"image":"a","classes":[1],"probabilities":[2]}` + "\n", "2 is no probability"},
		"lists of other lengths":  {"answers.jsonl", `{"case":0,"image":"a","classes":[1],"probabilities":[]}` + "\n", "1 classes and 0"},
		"a very long line":        {"answers.jsonl", strings.Repeat("x", 1<<20) + "\n", "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, tt.file), []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := accuracy.Summarize(dir); !errors.Is(err, edgelens.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	if _, err := accuracy.Summarize(t.TempDir()); err == nil || !strings.Contains(err.Error(), "edgelens bench accuracy") {
		t.Errorf("no folder of records: %v", err)
	}
}

// FuzzSummarize: any content of a folder is summarized or rejected with an error.
func FuzzSummarize(f *testing.F) {
	f.Add(`{"frames":["as-is","16:9"],"variants":[{"name":"center","beside":-1},{"name":"pad","beside":0}],"labels":["a","b"],"classes":2}`,
		`{"case":0,"image":"a.jpg","class":1,"classes":[1],"probabilities":[0.5],"ms":3}`+"\n"+`{"case":3,"image":"b.jpg","class":-1,"failure":"absent"}`+"\n{")
	f.Fuzz(func(t *testing.T, run, answers string) {
		dir := folder(t, map[string]string{"accuracy.json": run, "answers.jsonl": answers})
		s, err := accuracy.Summarize(dir)
		if err != nil {
			if !errors.Is(err, edgelens.ErrInvalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if len(s.Run.Variants)*len(s.Run.Frames) > 100 {
			return
		}
		if err := s.Text(io.Discard); err != nil {
			t.Error(err)
		}
	})
}
