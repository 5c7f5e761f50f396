package inference_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/inference"
	"edgelens/inference/fake"
	"edgelens/internal/testutil"
	"edgelens/models"
)

// manyWays is a Backend whose model runs in ways named "runtime delegate".
type manyWays struct {
	// errs are of ways that cannot be opened.
	errs map[string]error
	// deaf ignores the runtime that is asked for.
	deaf bool

	mu     *sync.Mutex
	opened []*fake.Backend
	asked  []string
}

func (b *manyWays) Open(path string, options inference.Options) (inference.Model, error) {
	runtime, delegate := options.Runtime, options.Delegate
	if runtime == inference.RuntimeAuto || runtime == "" || b.deaf {
		runtime = inference.RuntimeTFLite
		if b.errs["auto is litert"] != nil {
			runtime = inference.RuntimeLiteRT
		}
	}
	if delegate == inference.DelegateAuto {
		delegate = inference.DelegateXNNPACK
	}
	way := strings.TrimSpace(runtime + " " + delegate + " " + options.Accelerator)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, way)
	if err := b.errs[way]; err != nil {
		return nil, err
	}
	one := fake.Image(4, 10)
	one.Runs = inference.Delegation{Runtime: runtime, Version: "1.2", Delegate: delegate, Accelerator: options.Accelerator}
	b.opened = append(b.opened, one)
	return one.Open(path, options)
}

// verdicts is a Checker with a result for each way; passed where there is none.
type verdicts map[string]edgelens.CheckResult

func (v verdicts) Start(models.Model) inference.Check { return v }

func (v verdicts) Compare(_ context.Context, _ *models.Spec, pool *inference.Pool) edgelens.KernelCheck {
	runs := pool.Spec().Delegation
	result, ok := v[runs.Runtime+" "+runs.Delegate]
	if !ok {
		result = edgelens.CheckPassed
	}
	return edgelens.KernelCheck{Result: result, Reason: "of " + runs.Runtime, At: time.Unix(1, 0),
		KernelComparison: edgelens.KernelComparison{Images: 10, ClearImages: 8, OtherFirstClasses: 7}}
}

func TestNextSlowerWay(t *testing.T) {
	const failed = edgelens.CheckFailed
	notInstalled := fmt.Errorf("%w: %w", edgelens.ErrModel, inference.ErrNotInstalled)
	missing := &inference.OperatorError{Operator: "CONV_2D", Version: "9", Err: &inference.RuntimeError{Sentence: "it needs another"}}
	for name, c := range map[string]struct {
		backend  manyWays
		delegate string
		verdicts verdicts
		want     string // what runs the model, and how the check ends; "" where nothing does
		rejected []string
	}{
		"agrees":           {want: "tflite xnnpack passed"},
		"cannot be judged": {verdicts: verdicts{"tflite xnnpack": edgelens.CheckUnknown}, want: "tflite xnnpack unknown"},
		"other runtime": {verdicts: verdicts{"tflite xnnpack": failed}, want: "litert xnnpack passed",
			rejected: []string{"tflite xnnpack"}},
		"other runtime is not installed": {verdicts: verdicts{"tflite xnnpack": failed, "tflite none": edgelens.CheckReference}, want: "tflite none reference",
			backend: manyWays{errs: map[string]error{"litert xnnpack": notInstalled}}, rejected: []string{"tflite xnnpack"}},
		"both": {verdicts: verdicts{"tflite xnnpack": failed, "litert xnnpack": failed, "tflite none": edgelens.CheckReference}, want: "tflite none reference",
			rejected: []string{"tflite xnnpack", "litert xnnpack"}},
		"backend of one runtime": {verdicts: verdicts{"tflite xnnpack": failed}, want: "tflite none passed",
			backend: manyWays{deaf: true}, rejected: []string{"tflite xnnpack"}},
		"model for one runtime": {verdicts: verdicts{"litert xnnpack": failed, "litert none": edgelens.CheckReference}, want: "litert none reference",
			backend:  manyWays{errs: map[string]error{"auto is litert": missing, "tflite xnnpack": missing, "tflite none": missing}},
			rejected: []string{"litert xnnpack"}},
		"no delegate is asked for": {delegate: inference.DelegateNone, verdicts: verdicts{"litert none": failed}, want: "tflite none passed",
			backend: manyWays{errs: map[string]error{"auto is litert": missing}}, rejected: []string{"litert none"}},
		"nothing else": {verdicts: verdicts{"tflite xnnpack": failed},
			backend: manyWays{errs: map[string]error{"litert xnnpack": notInstalled, "litert none": notInstalled, "tflite none": missing}}},
	} {
		t.Run(name, func(t *testing.T) {
			var log testutil.LogBuffer
			metrics := prometheus.NewRegistry()
			c.backend.mu = new(sync.Mutex)
			config := inference.Config{Interpreters: 2, Threads: 1, Delegate: inference.DelegateAuto, InvokeTimeout: time.Minute}
			if c.delegate != "" {
				config.Delegate = c.delegate
			}
			loader := inference.NewLoader(config, inference.LoaderParts{
				Registry: oneModel{}, Backend: &c.backend, Checker: c.verdicts, Log: log.Logger(), Metrics: metrics,
			})
			_, err := loader.Describe(t.Context(), "")
			check := loader.Checks()["cats"]
			var rejected []string
			for _, r := range check.Rejected {
				rejected = append(rejected, r.Runtime+" "+r.Delegate)
				if r.OtherFirstClasses != 7 || r.ClearImages != 8 || r.Version != "1.2" || r.Reason != "of "+r.Runtime || r.At.IsZero() {
					t.Errorf("rejected as %+v", r)
				}
			}
			if (err != nil) != (c.want == "") || !slices.Equal(rejected, c.rejected) {
				t.Errorf("%v, rejected %v", err, rejected)
			}
			if c.want != "" {
				last := c.backend.opened[len(c.backend.opened)-1]
				if got := fmt.Sprint(last.Runs.Runtime, " ", last.Runs.Delegate, " ", check.Result); got != c.want {
					t.Errorf("runs on %s, want %s (asked for %v)", got, c.want, c.backend.asked)
				}
				if got := testutil.Metrics(t, metrics); got["edgelens_model_check cats "+string(check.Result)] != 1 || got["edgelens_model_rejected_kernels cats"] != float64(len(rejected)) {
					t.Errorf("metrics %v", got)
				}
			}
			if log.Contains("event=kernel_check_failed model=cats") != (len(c.rejected) > 0 || err != nil) {
				t.Error(log.String())
			}
			if err := loader.Close(t.Context()); err != nil {
				t.Error(err)
			}
			for _, b := range c.backend.opened {
				if b.Built.Load() != b.Closed.Load() || b.ModelsClosed.Load() != 1 {
					t.Errorf("%d interpreters built, %d closed, %d models closed", b.Built.Load(), b.Closed.Load(), b.ModelsClosed.Load())
				}
			}
		})
	}
}

// Without a Checker the check is off, which is visible.
func TestCheckOff(t *testing.T) {
	var log testutil.LogBuffer
	metrics := prometheus.NewRegistry()
	loader := inference.NewLoader(inference.Config{Interpreters: 1, Threads: 1, InvokeTimeout: time.Minute}, inference.LoaderParts{
		Registry: oneModel{}, Backend: fake.Image(4, 10), Log: log.Logger(), Metrics: metrics,
	})
	if _, err := loader.Describe(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := testutil.Metrics(t, metrics); got["edgelens_model_check cats off"] != 1 || loader.Checks()["cats"].Result != edgelens.CheckOff || !log.Contains("checked=off") {
		t.Errorf("%v, %v\n%s", got, loader.Checks(), log.String())
	}
	if err := loader.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
