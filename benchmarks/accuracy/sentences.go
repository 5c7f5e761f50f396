package accuracy

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"edgelens/internal/board"
	"edgelens/internal/console"
)

// maxNamed is the maximum number of images that a sentence names.
const maxNamed = 5

// counted is a number of things.
func counted(n int, word string) string { return fmt.Sprintf("%d %s", n, console.Plural(n, word)) }

// facts are the facts about the run; folders are named without their parents.
func (s *Summary) facts() [][2]string {
	r := s.Run
	from := "classes by sub-folder"
	if r.From != "" {
		from = "classes by " + r.From
	}
	rows := [][2]string{
		{"images", fmt.Sprintf("%s, %s", counted(r.Images, "labeled image"), from)},
		{"model", fmt.Sprintf("%s, %s", cmp.Or(r.Variants[0].Model, "the default"), cmp.Or(r.Variants[0].Digest, "unknown digest"))},
		{"measured", fmt.Sprintf("%s by edgelens %s, seed %d, on %s (%d cores)", r.Started.UTC().Format("2006-01-02 15:04 MST"), r.Version, r.Seed, cmp.Or(r.Board.CPU, "an unknown CPU"), r.Board.Cores)},
		{"command", s.command()},
	}
	if r.Target != "" {
		rows = append(rows, [2]string{"service", r.Target})
	}
	return rows
}

// notShown are the flags that do not change what is measured.
var notShown = []string{"--out", "--markdown", "--title", "--note", "--require", "--resume", "--write", "--config", "--data-dir", "--models-dir"}

// command is the command line without the folders of this machine, and without where reports go.
func (s *Summary) command() string {
	var words []string
	for _, word := range s.Run.Command {
		flag, value, isFlag := strings.Cut(word, "=")
		switch {
		case slices.Contains(notShown, flag):
			continue
		case !isFlag && filepath.IsAbs(word):
			word = filepath.Base(word)
		case strings.ContainsAny(value, " *"):
			word = flag + "='" + value + "'"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// remarks are the sentences before the tables.
func (s *Summary) remarks() []string {
	var lines []string
	if s.Run.Ended.IsZero() {
		lines = append(lines, fmt.Sprintf("NOT COMPLETE: it was interrupted, with answers about %d of %s; continue with --resume.", s.Images, counted(s.Run.Images, "image")))
	}
	lines = append(lines, s.Run.Notes...)
	if n := len(s.Run.Unmatched); n > 0 {
		names := make([]string, 0, maxNamed)
		for _, u := range s.Run.Unmatched[:min(maxNamed, n)] {
			names = append(names, u.describe())
		}
		lines = append(lines, fmt.Sprintf("%s without a class of the model, not measured: %s%s.", counted(n, "image"), strings.Join(names, "; "), more(n)))
	}
	for _, kind := range []string{FailureAbsent, FailureUnreadable, FailureNotImage, FailureFailed} {
		var names []string
		for _, f := range s.Failures {
			if f.Failure == kind {
				names = append(names, oneLine(f.Image))
			}
		}
		if n := len(names); n > 0 {
			lines = append(lines, fmt.Sprintf("%s %s, counted apart: %s%s.", counted(n, "file"), kind, strings.Join(names[:min(maxNamed, n)], ", "), more(n)))
		}
	}
	for _, warning := range board.Warnings(s.Run.Board, s.Run.Before) {
		lines = append(lines, "Times: "+warning+".")
	}
	return append(lines, s.Hints...)
}

func more(n int) string {
	if n <= maxNamed {
		return ""
	}
	return fmt.Sprintf(" and %d more, in report.json", n-maxNamed)
}

// legend explains the words of the tables.
func (s *Summary) legend() []string {
	compared := 0
	for _, in := range s.Frames {
		for _, m := range in.Variants {
			if m.Paired != nil {
				compared++
			}
		}
	}
	if compared == 0 {
		return nil
	}
	line := fmt.Sprintf("\"Real\": if the two were equally right, chance alone would make them differ this much on the same images in less than one of 20 such comparisons (exact McNemar test, p < %g). \"Not distinguishable\": these images do not show which one is better; that does not prove them equal.", alpha)
	if compared >= 20 {
		line += fmt.Sprintf(" Of %d comparisons, about %d would be called real by chance.", compared, compared/20)
	}
	return []string{line}
}

// found are the sentences about the threshold for a precision.
func (s *Summary) found() []string {
	var lines []string
	for _, p := range s.Wanted {
		lines = append(lines, fmt.Sprintf("Threshold for a precision of %s%%: %g. Of %s, %s%% get an answer, and %s%% of these answers are right (%s to %s); %s, images %s.",
			percent(p.Wanted), p.At, counted(p.Answered.N, "image"), percent(p.Answered.Value), percent(p.Precision.Value), percent(p.Precision.Low), percent(p.Precision.High),
			p.Variant, shownIn(p.Frame)))
		if warning := p.Warning(); warning != "" {
			lines = append(lines, "Warning: "+warning)
		}
	}
	return lines
}
