package edgelens_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// logCalls are the methods and functions that write a line or make an attribute of one.
var logCalls = []string{"Debug", "Info", "Warn", "Error", "DebugContext", "InfoContext", "WarnContext", "ErrorContext", "Log", "LogAttrs", "With"}

// attributeCalls are the functions of slog that make an attribute.
var attributeCalls = []string{"Any", "Float64", "Int", "Int64", "Uint64", "String", "Group"}

// otherUnits are the methods of a time.Duration that return it in another form, in which its unit is no longer known to the log's
// handler, and keys that name a unit.
var (
	otherUnits   = []string{"Seconds", "Minutes", "Hours", "Milliseconds", "Microseconds", "Nanoseconds"}
	keysOfUnits  = []string{"seconds", "second", "secs", "s", "minutes", "hours", "milliseconds", "microseconds", "nanoseconds", "us", "ns"}
	durationCall = []string{"Since", "Until"}
)

// durationProblem returns what is wrong with the durations in a call that writes to the log; "" for nothing.
func durationProblem(call *ast.CallExpr) string {
	problem := ""
	firstKey := 1 // after the line's text
	if isAttribute(call) {
		firstKey = 0
	}
	for i, argument := range call.Args {
		if text, ok := argument.(*ast.BasicLit); ok && text.Kind == token.STRING {
			key, _ := strconv.Unquote(text.Value)
			if last := key[strings.LastIndexByte(key, '_')+1:]; i >= firstKey && i < len(call.Args)-1 && slices.Contains(keysOfUnits, last) {
				problem = "the key " + key + " names a unit"
			}
		}
		ast.Inspect(argument, func(n ast.Node) bool {
			inner, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := inner.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if slices.Contains(otherUnits, method.Sel.Name) && len(inner.Args) == 0 {
				problem = "." + method.Sel.Name + "()"
			}
			if of, ok := method.X.(*ast.CallExpr); ok && method.Sel.Name == "String" {
				if f, ok := of.Fun.(*ast.SelectorExpr); ok && (slices.Contains(durationCall, f.Sel.Name) || f.Sel.Name == "Round") {
					problem = "a duration as text"
				}
			}
			return true
		})
	}
	return problem
}

// isAttribute reports whether a call makes an attribute, whose key is its first argument.
func isAttribute(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(attributeCalls, method.Sel.Name) {
		return false
	}
	x, ok := method.X.(*ast.Ident)
	return ok && x.Name == "slog"
}

// isLogCall reports whether a call writes to a log: a method of a logger with a text and more, or a function of slog.
func isLogCall(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) < 2 {
		return false
	}
	return isAttribute(call) || slices.Contains(logCalls, method.Sel.Name)
}

// Durations in logs are passed as a time.Duration, which the handler writes in milliseconds (internal/telemetry): one unit for all.
func TestLogsHaveOneUnitOfDurations(t *testing.T) {
	calls := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != "." && notOurs(path, filepath.ToSlash(path)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "test/") || strings.HasPrefix(path, "tools/") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isLogCall(call) {
				return true
			}
			calls++
			if problem := durationProblem(call); problem != "" {
				t.Errorf("%v: %s: pass the time.Duration itself, with the key \"ms\" or one without a unit", files.Position(call.Pos()), problem)
			}
			return true
		})
		return nil
	})
	if err != nil || calls < 100 {
		t.Errorf("%d calls found, %v", calls, err)
	}
}

func TestDurationProblems(t *testing.T) {
	for code, isProblem := range map[string]bool{
		`log.Info("m", "ms", time.Since(start))`:                                   false,
		`log.Info("m", "timeout", limit, "n", 3)`:                                  false,
		`log.Info("m", "seconds", 3)`:                                              true,
		`log.Info("m", "away_seconds", 3)`:                                         true,
		`log.Info("it took seconds", "n", 3)`:                                      false,
		`log.Info("m", "ms", time.Since(start).Seconds())`:                         true,
		`log.With("n", time.Since(start).Milliseconds())`:                          true,
		`log.Info("m", "ms", float64(took.Microseconds())/1000)`:                   true,
		`log.Info("m", "took", time.Since(start).Round(time.Second).String())`:     true,
		`slog.Float64("seconds", took)`:                                            true,
		`slog.Float64("ms", took.Seconds())`:                                       true,
		`slog.String("took", time.Since(start).String())`:                          true,
		`slog.Duration("ms", took)`:                                                false,
		`log.LogAttrs(ctx, slog.LevelInfo, "m", slog.Int("n", 1))`:                 false,
		`f.log.Warn("m", "event", "x", "paused", paused.Round(time.Second))`:       false,
		`seconds.Observe(time.Since(start).Seconds())`:                             false,
		`w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))`: false,
	} {
		expression, err := parser.ParseExpr(code)
		if err != nil {
			t.Fatal(err)
		}
		found := ""
		ast.Inspect(expression, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && isLogCall(call) && found == "" {
				found = durationProblem(call)
			}
			return true
		})
		if (found != "") != isProblem {
			t.Errorf("%s: %q, want a problem: %v", code, found, isProblem)
		}
	}
}
