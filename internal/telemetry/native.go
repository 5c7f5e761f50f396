package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens/internal/clip"
)

const (
	// maxNativeLine is the maximum number of bytes of a native library's line that are logged.
	maxNativeLine = 1000
	// nativeLines is how many lines are logged per nativeInterval; others are counted.
	nativeLines    = 50
	nativeInterval = 10 * time.Second
)

// nativeLog writes the lines of native libraries to the log. Only one goroutine may use it.
type nativeLog struct {
	log *slog.Logger
	// line is the beginning of a line that is not whole yet; long is set where it has more than that.
	line []byte
	long bool
	now  func() time.Time

	begun              time.Time
	logged, suppressed int
	lines              atomic.Int64
}

func newNativeLog(log *slog.Logger, metrics prometheus.Registerer) *nativeLog {
	n := &nativeLog{log: log, now: time.Now}
	metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "edgelens_native_messages_total",
		Help: "Lines that native libraries (TensorFlow Lite, LiteRT, XNNPACK, OpenCV) wrote to standard error, which the log has, but for those beyond 50 in 10 s.",
	}, func() float64 { return float64(n.lines.Load()) }))
	return n
}

// copyFrom logs what it reads until the end, or an error.
func (n *nativeLog) copyFrom(r io.Reader) {
	buffer := make([]byte, 4<<10)
	for {
		count, err := r.Read(buffer)
		n.add(buffer[:count])
		if err != nil {
			n.end()
			return
		}
	}
}

// add takes text, of which lines may be in several parts.
func (n *nativeLog) add(text []byte) {
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n')
		part := text
		if end >= 0 {
			part = text[:end]
		}
		room := maxNativeLine - len(n.line)
		n.long = n.long || len(part) > room
		n.line = append(n.line, part[:min(len(part), room)]...)
		if end < 0 {
			return
		}
		n.end()
		text = text[end+1:]
	}
}

// end logs the line that was begun, if any.
func (n *nativeLog) end() {
	line, long := clip.Line(string(bytes.TrimSpace(n.line)), maxNativeLine), n.long
	n.line, n.long = n.line[:0], false
	if line == "" {
		return
	}
	n.lines.Add(1)
	now := n.now()
	if now.Sub(n.begun) >= nativeInterval || now.Before(n.begun) {
		n.begun, n.logged = now, 0
	}
	if n.logged == nativeLines {
		n.suppressed++
		return
	}
	n.logged++
	attributes := []any{"event", "native_message", "text", line}
	if long {
		attributes = append(attributes, "cut", true)
	}
	if n.suppressed > 0 {
		attributes = append(attributes, "suppressed", n.suppressed)
		n.suppressed = 0
	}
	n.log.Log(context.Background(), nativeLevel(line), "native library", attributes...)
}

// nativeLevels are how the libraries begin their lines: TensorFlow Lite and LiteRT, OpenCV, XNNPACK, and glog's form.
var nativeLevels = []struct {
	form  *regexp.Regexp
	level slog.Level
}{
	{regexp.MustCompile(`^(?i:verbose|debug)[: ]|^\[ ?(?i:verb|debug)|^Debug \(|^V\d{4} `), slog.LevelDebug},
	{regexp.MustCompile(`^(?i:info)[: ]|^\[ ?(?i:info)|^Note \(|^I\d{4} `), slog.LevelInfo},
	{regexp.MustCompile(`^(?i:error|fatal)[: ]|^\[ ?(?i:error|fatal)|^(Error|Fatal error) |^[EF]\d{4} |^terminate called`), slog.LevelError},
}

// nativeLevel returns the level of a line; that of one that does not begin with a level is warn.
func nativeLevel(line string) slog.Level {
	for _, known := range nativeLevels {
		if known.form.MatchString(line) {
			return known.level
		}
	}
	return slog.LevelWarn
}
