package record

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgelens"
	"edgelens/internal/atomicfile"
)

const (
	runFile     = "run.json"
	samplesFile = "samples.csv"
	figuresFile = "figures.csv"
)

var (
	samplesHeader = []string{"suite", "case", "run", "worker", "due_ns", "sent_ns", "done_ns", "status"}
	figuresHeader = []string{"suite", "case", "run", "name", "value"}
)

// FolderName is the name of the folder of a benchmark with that start.
func FolderName(start time.Time) string { return "bench-" + start.Format("20060102-150405") }

// Writer writes a folder. It is for one goroutine.
type Writer struct {
	dir     string
	samples *csvFile
	figures *csvFile
}

// MakeFolder makes a folder for records, which must not exist.
func MakeFolder(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make the folder for the records: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder for the records: %w", err)
	}
	return nil
}

// Create creates the folder, which must not exist, and writes run.json.
func Create(dir string, run *Run) (*Writer, error) {
	if err := MakeFolder(dir); err != nil {
		return nil, err
	}
	w := &Writer{dir: dir}
	if err := w.Update(run); err != nil {
		return nil, err
	}
	var err error
	if w.samples, err = createCSV(filepath.Join(dir, samplesFile), samplesHeader); err != nil {
		return nil, err
	}
	if w.figures, err = createCSV(filepath.Join(dir, figuresFile), figuresHeader); err != nil {
		return nil, errors.Join(err, w.samples.close())
	}
	return w, nil
}

// Dir returns the folder.
func (w *Writer) Dir() string { return w.dir }

// Update rewrites run.json.
func (w *Writer) Update(run *Run) error {
	data, err := encode(run)
	if err != nil {
		return fmt.Errorf("write %s: %w", runFile, err)
	}
	if err := atomicfile.Write(filepath.Join(w.dir, runFile), data, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", runFile, err)
	}
	return nil
}

// Add writes samples and figures, and flushes them to the files.
func (w *Writer) Add(samples []Sample, figures []Figure) error {
	for _, s := range samples {
		w.samples.line(s.Suite, s.Case, strconv.Itoa(s.Run), strconv.Itoa(s.Worker),
			nanoseconds(s.Due), nanoseconds(s.Sent), nanoseconds(s.Done), s.Status)
	}
	for _, f := range figures {
		w.figures.line(f.Suite, f.Case, strconv.Itoa(f.Run), f.Name, strconv.FormatFloat(f.Value, 'g', -1, 64))
	}
	return errors.Join(w.samples.flush(), w.figures.flush())
}

// Close closes the files.
func (w *Writer) Close() error { return errors.Join(w.samples.close(), w.figures.close()) }

func nanoseconds(d time.Duration) string { return strconv.FormatInt(int64(d), 10) }

type csvFile struct {
	file *os.File
	out  *csv.Writer
}

func createCSV(name string, header []string) (*csvFile, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	c := &csvFile{file, csv.NewWriter(file)}
	c.line(header...)
	return c, c.flush()
}

func (c *csvFile) line(fields ...string) { _ = c.out.Write(fields) } // flush returns the error

func (c *csvFile) flush() error {
	c.out.Flush()
	return c.out.Error()
}

func (c *csvFile) close() error { return errors.Join(c.flush(), c.file.Close()) }

// Records is the content of a folder.
type Records struct {
	Run     Run
	Samples []Sample
	Figures []Figure
}

// Read reads a folder. The error wraps edgelens.ErrInvalid where a file has another format than Writer's; a truncated
// last line after a crash is no error.
func Read(dir string) (*Records, error) {
	data, err := os.ReadFile(filepath.Join(dir, runFile))
	if err != nil {
		return nil, fmt.Errorf("read the records: %w; give a folder of `edgelens bench`", err)
	}
	r := &Records{}
	if err := json.Unmarshal(data, &r.Run); err != nil {
		return nil, fmt.Errorf("read the records: %w: %s of %s: %v", edgelens.ErrInvalid, runFile, dir, err)
	}
	err = readCSV(filepath.Join(dir, samplesFile), samplesHeader, func(f *fields) {
		r.Samples = append(r.Samples, Sample{Suite: f.text(), Case: f.text(), Run: int(f.number()), Worker: int(f.number()),
			Due: time.Duration(f.number()), Sent: time.Duration(f.number()), Done: time.Duration(f.number()), Status: f.text()})
	})
	if err != nil {
		return nil, err
	}
	err = readCSV(filepath.Join(dir, figuresFile), figuresHeader, func(f *fields) {
		r.Figures = append(r.Figures, Figure{Suite: f.text(), Case: f.text(), Run: int(f.number()), Name: f.text(), Value: f.float()})
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// fields are the fields of one line, read from left to right.
type fields struct {
	rest []string
	err  error
}

func (f *fields) text() string {
	first := f.rest[0]
	f.rest = f.rest[1:]
	return first
}

func (f *fields) number() int64 {
	n, err := strconv.ParseInt(f.text(), 10, 64)
	f.err = errors.Join(f.err, err)
	return n
}

func (f *fields) float() float64 {
	v, err := strconv.ParseFloat(f.text(), 64)
	f.err = errors.Join(f.err, err)
	return v
}

// readCSV passes each complete line but the header to take. Text after the last newline was truncated by a crash.
func readCSV(name string, header []string, take func(*fields)) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	in := csv.NewReader(bytes.NewReader(data[:bytes.LastIndexByte(data, '\n')+1]))
	in.ReuseRecord = true
	in.FieldsPerRecord = len(header)
	for n := 1; ; n++ {
		line, err := in.Read()
		switch {
		case errors.Is(err, io.EOF) && n > 1:
			return nil
		case err == nil && n == 1 && !slices.Equal(line, header):
			err = fmt.Errorf("the first line must be %s", strings.Join(header, ","))
		case err == nil && n > 1:
			f := &fields{rest: line}
			take(f)
			err = f.err
		}
		if err != nil {
			return fmt.Errorf("read the records: %w: %s, line %d: %v", edgelens.ErrInvalid, name, n, err)
		}
	}
}
