package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/telemetry"
)

// nativeVariable has a process of this test do what it names.
const nativeVariable = "EDGELENS_TEST_NATIVE"

// nativeParts are what the processes do once standard error is captured.
var nativeParts = map[string]func(native *telemetry.Native){
	"lines": func(native *telemetry.Native) {
		write("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: tensor 3 is bad\n[ WARN:0@1.2] global loadsave.cpp\n")
		write("half a ")
		time.Sleep(20 * time.Millisecond)
		write("line\n\n  \nI0000 00:00:1.2 3 x.cc:4] one\nE0000 00:00:1.2 3 x.cc:4] two\nthree")
		end(native)
	},
	"flood": func(native *telemetry.Native) {
		for i := range 2000 {
			write(fmt.Sprint("line ", i, strings.Repeat("x", 20), "\n"))
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		end(native)
	},
	"long line": func(native *telemetry.Native) {
		write(strings.Repeat("y", 20_000) + "\nthe next\n")
		end(native)
	},
	"a child that holds it": func(native *telemetry.Native) {
		child := exec.Command("sleep", "60")
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			write(err.Error())
		}
		write("before\n")
		end(native)
		_ = child.Process.Kill()
	},
	"panic": func(*telemetry.Native) {
		done := make(chan struct{})
		go func() { panic("out of ideas") }()
		<-done
	},
	"abort": func(*telemetry.Native) {
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Minute)
	},
	"last words": func(*telemetry.Native) {
		write("ERROR: last words\n")
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGABRT)
		time.Sleep(time.Minute)
	},
	"fatal error": func(*telemetry.Native) { new(sync.Mutex).Unlock() },
	"killed": func(*telemetry.Native) {
		write("ERROR: last words\n")
		_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	},
	"panic with a full pipe": func(*telemetry.Native) {
		for range 2000 {
			write(strings.Repeat("z", 1000) + "\n")
		}
		panic("out of ideas")
	},
}

// write writes as a native library does.
func write(text string) { _, _ = syscall.Write(2, []byte(text)) }

func end(native *telemetry.Native) {
	if err := native.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close:", err)
	}
	write("as before\n")
}

// TestNativeProcess is the process; it does nothing by itself.
func TestNativeProcess(t *testing.T) {
	part, ok := nativeParts[os.Getenv(nativeVariable)]
	if !ok {
		t.Skip("for TestNative")
	}
	native, err := telemetry.CaptureNative()
	if err != nil {
		t.Fatal(err)
	}
	metrics := prometheus.NewRegistry()
	native.LogTo(telemetry.NewLogger(telemetry.Config{LogLevel: "debug", LogFormat: "json"}, native.Original()), metrics)
	part(native)
	fmt.Println("counted", sum(series(t, metrics, "edgelens_native_messages_total")))
}

// nativeLine is a line of the log.
type nativeLine struct {
	Level, Msg, Event, Text string
	Cut                     bool
	Suppressed              int
}

// runNative runs a part in a process, and returns its log, what else is in its standard error, and its standard output.
func runNative(t *testing.T, part string) (log []nativeLine, rest, output string) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestNativeProcess$", "-test.timeout=60s")
	command.Env = append(os.Environ(), nativeVariable+"="+part)
	var out, stderr bytes.Buffer
	command.Stdout, command.Stderr = &out, &stderr
	_ = command.Run() // some parts end with a crash
	for line := range strings.Lines(stderr.String()) {
		var l nativeLine
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "native library" && l.Event == "native_message" {
			log = append(log, l)
			continue
		}
		rest += line
	}
	return log, rest, out.String()
}

func TestNativeLines(t *testing.T) {
	log, rest, output := runNative(t, "lines")
	want := []nativeLine{
		{Level: "INFO", Text: "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."}, {Level: "ERROR", Text: "ERROR: tensor 3 is bad"},
		{Level: "WARN", Text: "[ WARN:0@1.2] global loadsave.cpp"}, {Level: "WARN", Text: "half a line"},
		{Level: "INFO", Text: "I0000 00:00:1.2 3 x.cc:4] one"}, {Level: "ERROR", Text: "E0000 00:00:1.2 3 x.cc:4] two"}, {Level: "WARN", Text: "three"},
	}
	if len(log) != len(want) {
		t.Fatalf("log %+v", log)
	}
	for i, l := range log {
		if l.Level != want[i].Level || l.Text != want[i].Text || l.Cut || l.Suppressed != 0 {
			t.Errorf("line %d is %+v, want %+v", i, l, want[i])
		}
	}
	if rest != "as before\n" || !strings.Contains(output, "counted 7") {
		t.Errorf("standard error has besides %q, standard output %q", rest, output)
	}
}

func TestNativeLinesAreLimited(t *testing.T) {
	log, rest, output := runNative(t, "flood")
	if len(log) != 50 || rest != "as before\n" || !strings.Contains(output, "counted 2000") {
		t.Errorf("%d lines, besides %q; %s", len(log), rest, output)
	}
	log, rest, _ = runNative(t, "long line")
	if len(log) != 2 || !log[0].Cut || len(log[0].Text) != 1000 || log[1].Text != "the next" || log[1].Cut || rest != "as before\n" {
		t.Errorf("%d lines, besides %q", len(log), rest)
	}
}

// A process that was started with the same standard error does not delay the end.
func TestNativeChildren(t *testing.T) {
	begun := time.Now()
	log, rest, _ := runNative(t, "a child that holds it")
	if took := time.Since(begun); took > 30*time.Second || len(log) != 1 || rest != "as before\n" {
		t.Errorf("after %v: %+v, besides %q", took, log, rest)
	}
}

// Go's report of a crash is in the original standard error, as without the capture, and so is what was written just before it.
func TestNativeCrashes(t *testing.T) {
	for part, want := range map[string][]string{
		"panic": {"panic: out of ideas", "goroutine "}, "abort": {"SIGABRT", "goroutine "}, "panic with a full pipe": {"panic: out of ideas", "goroutine "},
		"last words": {"last words", "SIGABRT", "goroutine "}, "killed": {"last words"}, "fatal error": {"fatal error: sync: unlock of unlocked mutex", "goroutine "},
	} {
		t.Run(part, func(t *testing.T) {
			for range 5 { // what is in time for the log depends on chance
				log, rest, _ := runNative(t, part)
				for _, line := range log {
					rest += line.Text
				}
				for _, text := range want {
					if !strings.Contains(rest, text) {
						t.Errorf("standard error lacks %q: %s", text, rest)
					}
				}
			}
		})
	}
}
