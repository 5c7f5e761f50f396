package models

import (
	"fmt"
	"math"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"edgelens"
)

// maxModelBytes is the limit of FlatBuffers: their offsets are signed 32-bit
// numbers (https://flatbuffers.dev/internals/).
const maxModelBytes = math.MaxInt32

var (
	modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// checkEntry reports what is missing or wrong in an entry, and puts the
// digests in lower case.
func (p *parser) checkEntry(at string, e *Entry) {
	switch {
	case e.Name == "":
		p.problem(at+": name", "is missing")
	case !modelName.MatchString(e.Name):
		p.problem(at+": name", "is not 1 to 100 letters, digits, \".\", \"_\" or \"-\", starting with a letter or digit")
	}
	p.checkFile(at, &e.File, maxModelBytes)
	if e.File.Name != "" && path.Ext(e.File.Name) != modelExt {
		p.problem(at+": file", "%.200q does not end in %s", e.File.Name, modelExt)
	}
	if e.Labels != nil {
		p.checkFile(at+": labels", e.Labels, maxLabelsBytes)
		if path.Ext(e.Labels.Name) == modelExt {
			p.problem(at+": labels: file", "%.200q is a model, not a list of labels", e.Labels.Name)
		}
	}
	if e.Task == taskClassify {
		e.Task = edgelens.TaskClassification
	}
	switch e.Task {
	case edgelens.TaskClassification:
	case edgelens.TaskEmbedding:
		if e.Labels != nil {
			p.problem(at+": labels", "are not for a model of task %q, which gives a feature vector", e.Task)
		}
		if e.Activation != ActivationAuto {
			p.problem(at+": output", "is not for a model of task %q, which gives a feature vector", e.Task)
		}
	default:
		p.problem(at+": task", "%.100q is not %q or %q", e.Task, edgelens.TaskClassification, edgelens.TaskEmbedding)
	}
	switch e.Activation {
	case ActivationAuto, ActivationProbabilities, ActivationLogits:
	default:
		p.problem(at+": output", "%.100q is not %q or %q", e.Activation, ActivationProbabilities, ActivationLogits)
	}
	if e.Fit.Check() != nil {
		p.problem(at+": fit", "%.100q is not center, stretch, sweep or pad", e.Fit)
	}
	if e.Runtime != "" && !KnownRuntime(e.Runtime) {
		p.problem(at+": runtime", "%.100q is not auto, tflite or litert", e.Runtime)
	}
}

func (p *parser) checkFile(at string, f *File, most int64) {
	if f.Name == "" {
		p.problem(at+": file", "is missing")
	} else if why := badFileName(f.Name); why != "" {
		p.problem(at+": file", "%.200q %s", f.Name, why)
	}
	f.SHA256 = strings.ToLower(f.SHA256)
	if f.SHA256 == "" {
		p.problem(at+": sha256", "is missing")
	} else if !hexSHA256.MatchString(f.SHA256) {
		p.problem(at+": sha256", "%.100q is not 64 hex digits", f.SHA256)
	}
	if f.Size == 0 {
		p.problem(at+": size", "is missing")
	} else if f.Size < 0 || f.Size > most {
		p.problem(at+": size", "%d is not between 1 and %d bytes", f.Size, most)
	}
	if f.Source != "" {
		u, err := url.Parse(f.Source)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			p.problem(at+": source", "%.200q is not an http(s) URL", f.Source)
		}
	}
}

// badFileName describes why a name cannot be that of a file in the models folder;
// "" if it can.
func badFileName(name string) string {
	switch {
	case strings.ContainsAny(name, `/\`):
		return "is a path; give the name of a file in the models folder"
	case strings.Contains(name, ".."):
		return `has ".." in it`
	case strings.HasPrefix(name, "."):
		return `starts with "."; such files are hidden`
	case name == ManifestFile:
		return "is the manifest itself"
	case len(name) > 200:
		return "has more than 200 bytes"
	case !printable(name):
		return "has characters that cannot be shown"
	}
	return ""
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// fileConflicts reports files that two entries list with different contents, and
// model files of two entries: either makes it unclear which entry a file in the
// folder belongs to.
func fileConflicts(entries []Entry) []error {
	var errs []error
	models, promised := map[string]string{}, map[string]File{}
	for _, e := range entries {
		if other, taken := models[e.File.Name]; taken && e.File.Name != "" {
			errs = append(errs, fmt.Errorf("%q: file: %q is already that of %q", e.Name, e.File.Name, other))
			continue
		}
		models[e.File.Name] = e.Name
		for _, f := range e.files() {
			if other, taken := promised[f.Name]; taken && f.Name != "" && (other.SHA256 != f.SHA256 || other.Size != f.Size) {
				errs = append(errs, fmt.Errorf("%q: file: another entry gives %q a different sha256 or size", e.Name, f.Name))
			}
			promised[f.Name] = f
		}
	}
	return errs
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
