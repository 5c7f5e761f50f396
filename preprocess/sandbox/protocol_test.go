package sandbox

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgelens"
	"edgelens/models"
)

func targetOf(fit edgelens.Fit) target {
	return target{
		Spec: models.InputSpec{TensorSpec: models.TensorSpec{Shape: []int{1, 2, 3, 3}, DType: models.Uint8, Scale: 0.1}, Width: 3, Height: 2, Channels: 3},
		View: edgelens.View{Fit: fit, Region: edgelens.Region{X: 0.1, Y: 1.0 / 3, Width: 0.5, Height: 0.25}},
	}
}

func TestLayout(t *testing.T) {
	starts, total := layout([]target{targetOf(edgelens.FitSweep), targetOf(edgelens.FitPad), targetOf(edgelens.FitStretch)})
	if want := []int{0, 18 * edgelens.MaxSweep, 18 * (edgelens.MaxSweep + 1)}; !reflect.DeepEqual(starts, want) || total != 18*(edgelens.MaxSweep+2) {
		t.Errorf("%v of %d, want %v", starts, total, want)
	}
}

func TestTask(t *testing.T) {
	text, err := describe([]target{targetOf(edgelens.FitPad)})
	if err != nil {
		t.Fatal(err)
	}
	sent := task{sequence: 7, size: 1 << 33, targets: text}
	got, err := parseTask(sent.append(nil))
	if err != nil || !reflect.DeepEqual(got, sent) {
		t.Errorf("%+v, %v; want %+v", got, err, sent)
	}
	if targets, err := got.read(); err != nil || !reflect.DeepEqual(targets, []target{targetOf(edgelens.FitPad)}) {
		t.Errorf("%+v, %v", targets, err)
	}
	if _, err := parseTask(make([]byte, taskHeader-1)); err == nil {
		t.Error("a short one is read")
	}
	if _, err := describe(make([]target, 10_000)); !errors.Is(err, edgelens.ErrModel) {
		t.Errorf("too many buffers: %v", err)
	}
}

// Every field of a target counts: a helper that keeps the last one would fill another tensor.
func TestTargetEqual(t *testing.T) {
	if a, b := targetOf(edgelens.FitPad), targetOf(edgelens.FitPad); !a.equal(b) {
		t.Error("two that are the same differ")
	}
	for name, change := range map[string]func(*target){
		"name": func(a *target) { a.Spec.Name = "x" }, "shape": func(a *target) { a.Spec.Shape = []int{1, 2, 3, 1} },
		"dtype": func(a *target) { a.Spec.DType = models.Int8 }, "scale": func(a *target) { a.Spec.Scale = 0.2 }, "zero": func(a *target) { a.Spec.ZeroPoint = 1 },
		"mean": func(a *target) { a.Spec.Mean[1] = 1 }, "std": func(a *target) { a.Spec.Std[2] = 1 }, "from": func(a *target) { a.Spec.NormalizationFrom = models.FromManifest },
		"width": func(a *target) { a.Spec.Width++ }, "height": func(a *target) { a.Spec.Height++ }, "channels": func(a *target) { a.Spec.Channels-- },
		"fit": func(a *target) { a.View.Fit = edgelens.FitCenter }, "region": func(a *target) { a.View.Region.X = 0.2 },
	} {
		a := targetOf(edgelens.FitPad)
		change(&a)
		if a.equal(targetOf(edgelens.FitPad)) {
			t.Errorf("another %s is the same", name)
		}
	}
}

func TestAnswer(t *testing.T) {
	targets := []target{targetOf(edgelens.FitSweep)}
	damaged := fmt.Errorf("decode png: %w: its data is damaged; save the image again and send that", edgelens.ErrBadImage)
	for name, test := range map[string]struct {
		filled models.Filled
		err    error
		want   answer
	}{
		"a tensor": {models.Filled{Timings: edgelens.Timings{Preprocess: time.Second}}, nil, answer{parts: 1, preprocess: time.Second}},
		"a sweep":  {models.Filled{Image: edgelens.ImageInfo{Damaged: true}, More: make([][]byte, 6)}, nil, answer{parts: 7, damaged: true}},
		"an error": {models.Filled{}, damaged, answer{status: 4, text: damaged.Error()}},
		"another":  {models.Filled{}, errors.New("a bug"), answer{status: 4, text: "decode the image: " + edgelens.ErrBadImage.Error()}},
	} {
		t.Run(name, func(t *testing.T) {
			a := answerOf(3, test.filled, test.err)
			a.messages = 99
			test.want.sequence, test.want.messages = 3, 99
			got, err := parseAnswer(a.append(nil), 3, targets)
			if err != nil || got != test.want {
				t.Fatalf("%+v, %v; want %+v", got, err, test.want)
			}
			if test.want.status != 0 && (!errors.Is(got.err(), edgelens.ErrBadImage) || got.err().Error() != test.want.text) {
				t.Errorf("the error is %v", got.err())
			}
		})
	}
}

func TestMalformedAnswers(t *testing.T) {
	good := answer{sequence: 3, parts: 1}
	text := "decode png: " + edgelens.ErrBadImage.Error() + ": x"
	for name, change := range map[string]func(*answer){
		"another sequence":           func(a *answer) { a.sequence = 4 },
		"no part":                    func(a *answer) { a.parts = 0 },
		"two parts of one":           func(a *answer) { a.parts = 2 },
		"a time that is negative":    func(a *answer) { a.preprocess = -1 },
		"a time of days":             func(a *answer) { a.preprocess = 24 * time.Hour },
		"an unknown status":          func(a *answer) { *a = answer{sequence: 3, status: byte(len(statuses)), text: text} },
		"a text without an error":    func(a *answer) { a.text = text },
		"an error without a text":    func(a *answer) { *a = answer{sequence: 3, status: 4} },
		"a text of another error":    func(a *answer) { *a = answer{sequence: 3, status: 1, text: text} },
		"an error with a tensor":     func(a *answer) { *a = answer{sequence: 3, status: 4, text: text, parts: 1} },
		"an error of a damaged one":  func(a *answer) { *a = answer{sequence: 3, status: 4, text: text, damaged: true} },
		"a text with a line feed":    func(a *answer) { *a = answer{sequence: 3, status: 4, text: text + "\n"} },
		"a text that is not unicode": func(a *answer) { *a = answer{sequence: 3, status: 4, text: text + "\xFF"} },
	} {
		t.Run(name, func(t *testing.T) {
			a := good
			change(&a)
			if got, err := parseAnswer(a.append(nil), 3, []target{targetOf(edgelens.FitPad)}); !errors.Is(err, errMalformed) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	packet := good.append(nil)
	for name, packet := range map[string][]byte{"short": packet[:len(packet)-1], "empty": nil, "long": append(packet, make([]byte, 2000)...)} {
		if got, err := parseAnswer(packet, 3, []target{targetOf(edgelens.FitPad)}); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Whatever a helper answers, what passes is a number of parts that the buffers have room
// for, or a known error with a text that can be shown.
func FuzzAnswer(f *testing.F) {
	f.Add(answer{sequence: 3, parts: 1, preprocess: time.Millisecond}.append(nil), false)
	f.Add(answer{sequence: 3, parts: 7, damaged: true}.append(nil), true)
	f.Add(answer{sequence: 3, status: 4, text: "decode png: " + edgelens.ErrBadImage.Error() + ": it is damaged"}.append(nil), false)
	f.Fuzz(func(t *testing.T, packet []byte, sweep bool) {
		targets := []target{targetOf(edgelens.FitPad), targetOf(edgelens.FitStretch)}
		most := 1
		if sweep {
			targets[0], most = targetOf(edgelens.FitSweep), edgelens.MaxSweep
		}
		a, err := parseAnswer(packet, 3, targets)
		if err != nil {
			return
		}
		if a.preprocess < 0 || a.preprocess > maxDuration {
			t.Errorf("took %v", a.preprocess)
		}
		if err := a.err(); err == nil {
			if a.parts < 1 || int(a.parts) > most {
				t.Errorf("%d parts", a.parts)
			}
		} else if text := err.Error(); len(text) > maxErrorText || strings.ContainsAny(text, "\x00\n\r\x1b") || edgelens.Code(err) == "" {
			t.Errorf("the error is %q", text)
		}
	})
}

func TestQuarantine(t *testing.T) {
	q, now := newQuarantine(), time.Now()
	q.now = func() time.Time { return now }
	image := func(n int) []byte { return fmt.Appendf(nil, "image %04d", n) }
	for n := range maxQuarantined + 2 {
		q.add(image(n), fmt.Errorf("%d", n))
	}
	for n, want := range map[int]string{0: "<nil>", 1: "<nil>", 2: "2", maxQuarantined + 1: fmt.Sprint(maxQuarantined + 1), 9999: "<nil>"} {
		if err := q.check(image(n)); fmt.Sprint(err) != want {
			t.Errorf("image %d: %v, want %s", n, err, want)
		}
	}
	if images, hits := q.counts(); images != maxQuarantined || hits != 2 {
		t.Errorf("%d images, %d hits", images, hits)
	}
	now = now.Add(quarantineTime / 2)
	q.add(image(5), errors.New("again"))
	now = now.Add(quarantineTime / 2)
	if err := q.check(image(6)); err != nil {
		t.Errorf("after an hour: %v", err)
	}
	if err := q.check(image(5)); fmt.Sprint(err) != "again" {
		t.Errorf("the one that was added again: %v", err)
	}
	if images, _ := q.counts(); images != 1 || len(q.sizes) != 1 || len(q.entries) != 1 {
		t.Errorf("%d images, %v", images, q.sizes)
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Config){
		"isolation must": func(c *Config) { c.Isolation = "on" },
		"timeout must":   func(c *Config) { c.Timeout = 0 },
		"memory must":    func(c *Config) { c.Memory = 1000 },
	} {
		c := DefaultConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for memory, want := range map[int64]int64{400 << 20: 352 << 20, 64 << 20: 56 << 20, 1 << 30: 976 << 20} {
		if got := LargestImage(memory); got != want {
			t.Errorf("of %d MB one image may have %d MB, want %d", memory>>20, got>>20, want>>20)
		}
	}
}
