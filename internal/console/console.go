// Package console formats output for a terminal. Its functions are safe for use by many goroutines.
package console

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// IsTerminal reports whether out is a terminal.
func IsTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Plural returns word, with an s unless n is 1.
func Plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// NewBytes returns a function that shows, as a bar on a terminal, how many of all bytes are done; nil elsewhere.
func NewBytes(out io.Writer, what string) func(done, all int64) {
	if !IsTerminal(out) {
		return nil
	}
	var bar *progressbar.ProgressBar
	return func(done, all int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(all, progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(30), progressbar.OptionShowBytes(true), progressbar.OptionSetDescription(what),
				progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionOnCompletion(func() { fmt.Fprintln(out) })) // progress only
		}
		_ = bar.Set64(done) // an error only affects the bar
	}
}

// NewProgress returns a function that shows how many of all steps are done: as a bar on a terminal, otherwise as about
// that many lines.
func NewProgress(out io.Writer, lines int) func(done, all int, what string) {
	if !IsTerminal(out) {
		return func(done, all int, what string) {
			if done%max(1, all/lines) == 0 {
				fmt.Fprintf(out, "%d of %d: %s\n", done, all, what) // progress only
			}
		}
	}
	var bar *progressbar.ProgressBar
	return func(done, all int, what string) {
		if bar == nil {
			bar = progressbar.NewOptions(all, progressbar.OptionSetWriter(out), progressbar.OptionSetWidth(30), progressbar.OptionShowCount(),
				progressbar.OptionSetPredictTime(true), progressbar.OptionOnCompletion(func() { fmt.Fprintln(out) })) // progress only
		}
		bar.Describe(what)
		_ = bar.Set(done) // an error only affects the bar
	}
}
