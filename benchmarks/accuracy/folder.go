package accuracy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"edgelens"
	"edgelens/benchmarks/record"
	"edgelens/internal/atomicfile"
)

const (
	runFile     = "accuracy.json"
	answersFile = "answers.jsonl"
)

// IsFolder reports whether a folder has the records of a measurement.
func IsFolder(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, runFile))
	return err == nil
}

// Writer writes a folder. It is for one goroutine.
type Writer struct {
	dir     string
	answers *os.File
	// failed is the error of the first write that failed: it may have written a part of a line, and nothing may follow
	// it.
	failed error
}

// Create creates the folder, which must not exist, with the description of a run.
func Create(dir string, run *Run) (*Writer, error) {
	if err := record.MakeFolder(dir); err != nil {
		return nil, err
	}
	w := &Writer{dir: dir}
	if err := w.Update(run); err != nil {
		return nil, err
	}
	return w, w.open(os.O_CREATE | os.O_EXCL)
}

// Resume opens a folder to continue it. A last line that a crash cut off is dropped.
func Resume(dir string) (*Writer, error) {
	name := filepath.Join(dir, answersFile)
	size, err := completeSize(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("continue %s: %w", dir, err)
	}
	if err == nil {
		if err := os.Truncate(name, size); err != nil {
			return nil, fmt.Errorf("continue %s: %w", dir, err)
		}
	}
	w := &Writer{dir: dir}
	return w, w.open(os.O_CREATE)
}

// completeSize is the size of a file up to the end of its last complete line.
func completeSize(name string) (int64, error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer file.Close() // read only
	in, size := bufio.NewReaderSize(file, maxLine), int64(0)
	for {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return 0, fmt.Errorf("%w: a line of %s is too long", edgelens.ErrInvalid, answersFile)
		}
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return 0, err
		}
		size += int64(len(line))
	}
}

func (w *Writer) open(how int) (err error) {
	if w.answers, err = os.OpenFile(filepath.Join(w.dir, answersFile), os.O_WRONLY|os.O_APPEND|how, 0o644); err != nil {
		return fmt.Errorf("write the records: %w", err)
	}
	return nil
}

// Dir returns the folder.
func (w *Writer) Dir() string { return w.dir }

// Update rewrites the description of the run.
func (w *Writer) Update(run *Run) error { return writeJSON(filepath.Join(w.dir, runFile), run) }

func writeJSON(path string, content any) error {
	data, err := json.MarshalIndent(content, "", "  ")
	if err == nil {
		err = atomicfile.Write(path, append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// Add writes answers, all at once. After an error it writes nothing more.
func (w *Writer) Add(answers []Answer) error {
	if w.failed != nil {
		return w.failed
	}
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, a := range answers {
		if err := encoder.Encode(a); err != nil {
			return fmt.Errorf("write the records: %w", err)
		}
	}
	if _, err := w.answers.Write(lines.Bytes()); err != nil {
		w.failed = fmt.Errorf("write the records: %w", err)
	}
	return w.failed
}

// Close closes the folder's file.
func (w *Writer) Close() error { return w.answers.Close() }

// ReadRun reads the description of a run.
func ReadRun(dir string) (*Run, error) {
	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if err != nil {
		return nil, fmt.Errorf("read the records: %w; give a folder of `edgelens bench accuracy`", err)
	}
	run := &Run{}
	if err := json.Unmarshal(data, run); err != nil {
		return nil, fmt.Errorf("read the records: %w: %s of %s: %v", edgelens.ErrInvalid, runFile, dir, err)
	}
	if err := run.check(); err != nil {
		return nil, fmt.Errorf("read the records: %w: %s of %s: %v", edgelens.ErrInvalid, runFile, dir, err)
	}
	return run, nil
}

// check returns what cannot be in a description.
func (r *Run) check() error {
	if len(r.Frames) == 0 || len(r.Variants) == 0 {
		return errors.New("it has no frames or no variants")
	}
	for i, v := range r.Variants {
		if v.Beside < -1 || v.Beside >= max(i, 1) || v.Beside == -1 && i > 0 {
			return fmt.Errorf("variant %d is compared with variant %d", i, v.Beside)
		}
	}
	return nil
}

// maxLine is the maximum size of a line in bytes.
const maxLine = 64 << 10

// readAnswers passes each complete line to take. The error wraps edgelens.ErrInvalid where a line is not an Answer of
// the run.
func readAnswers(dir string, run *Run, take func(Answer)) error {
	file, err := os.Open(filepath.Join(dir, answersFile))
	if err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	defer file.Close() // read only
	in := bufio.NewReaderSize(file, maxLine)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return nil // what is left was cut off by a crash
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			err = errors.New("it is too long")
		}
		var a Answer
		if err == nil {
			err = json.Unmarshal(line, &a)
		}
		if err == nil {
			err = a.check(run)
		}
		if err != nil {
			return fmt.Errorf("read the records: %w: %s, line %d: %v", edgelens.ErrInvalid, answersFile, n, err)
		}
		take(a)
	}
}

// check returns what cannot be in an answer.
func (a Answer) check(run *Run) error {
	switch {
	case a.Case < 0 || a.Case >= run.Cases():
		return fmt.Errorf("there is no case %d", a.Case)
	case a.Image == "":
		return errors.New("the image has no name")
	case len(a.Classes) != len(a.Probabilities):
		return fmt.Errorf("it has %d classes and %d probabilities", len(a.Classes), len(a.Probabilities))
	case a.Failure == "" && len(a.Classes) == 0:
		return errors.New("it has no answer")
	}
	for _, p := range a.Probabilities {
		if !(p >= 0 && p <= 1) {
			return fmt.Errorf("%v is no probability", p)
		}
	}
	return nil
}

// ReadAnswers reads the answers of a folder, in the order of their measurement.
func ReadAnswers(dir string) ([]Answer, error) {
	run, err := ReadRun(dir)
	if err != nil {
		return nil, err
	}
	var answers []Answer
	err = readAnswers(dir, run, func(a Answer) { answers = append(answers, a) })
	return answers, err
}
