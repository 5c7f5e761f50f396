package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"edgelens/benchmarks/suite"
	"edgelens/benchmarks/tune"
	"edgelens/inference"
	"edgelens/inference/runtimes"
	"edgelens/internal/app"
	"edgelens/internal/tuned"
	"edgelens/models"
)

// modelRounds is how often the fastest candidates are measured alone.
const modelRounds = 3

// modelTuning measures what can run a model, alone. It is for one goroutine.
type modelTuning struct {
	child  []string
	window time.Duration
	// inputs are files with the same images as tensors: of the model, and of its float32 variant.
	inputs, realInputs string
	// refused has why a variant may not be chosen.
	refused map[string]error
	// reference are the scores of TensorFlow Lite's own kernels.
	reference [][]float32
	// agreements and ran have what the first measurement of each found.
	agreements map[suite.ModelSetting]agreement
	ran        map[suite.ModelSetting]*suite.ModelTimes
}

// tuneModel returns the runtime, delegate and variant with the shortest Invoke on one thread whose answers agree with
// TensorFlow Lite's own kernels.
func (c TuneConfig) tuneModel(ctx context.Context, model models.Model, images []suite.Image, out, progress io.Writer) (_ tuned.Settings, err error) {
	dir, err := os.MkdirTemp("", "edgelens-tune-*")
	if err != nil {
		return tuned.Settings{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if model.BuiltIn { // this process alone has its file
		if model.Path, err = copyTo(dir, model.Path); err != nil {
			return tuned.Settings{}, err
		}
	}
	variants, err := variantSettings(model.Path, dir)
	if err != nil {
		return tuned.Settings{}, err
	}
	t := &modelTuning{window: max(c.Window/3, 10*time.Millisecond), refused: map[string]error{}, agreements: map[suite.ModelSetting]agreement{}, ran: map[suite.ModelSetting]*suite.ModelTimes{}}
	if t.child, err = childCommand(c.Settings); err != nil {
		return tuned.Settings{}, err
	}
	if len(c.Images) == 0 {
		images = nil // generated scenes have more in them
	}
	if t.inputs, t.realInputs, err = writeInputs(dir, model, c.Settings.Preprocess, images); err != nil {
		return tuned.Settings{}, err
	}
	for _, v := range variants {
		if v.Variant == suite.VariantInt8 {
			_, t.refused[v.Variant] = app.CompareRequantized(ctx, model.Task, model.Path, v.File)
		}
	}
	candidates := modelCandidates(app.NewRuntimes(c.Settings), model, variants)
	if err := t.refer(ctx, candidates); err != nil {
		return tuned.Settings{}, err
	}
	tried, err := tune.Search(ctx, candidates, min(c.Rounds, modelRounds), nil, func(ctx context.Context, s suite.ModelSetting) (float64, error) {
		fmt.Fprintf(progress, "the model on %s, %s, %s\n", s.Runtime, s.Delegate, cmp.Or(s.Variant, "as it is")) // progress only
		return t.measure(ctx, s)
	})
	if err != nil {
		return tuned.Settings{}, err
	}
	if err := t.print(out, tried); err != nil {
		return tuned.Settings{}, err
	}
	return t.best(tried)
}

// modelCandidates are the ways to run a model on one thread, and the graphics processor, which LiteRT runs models on.
// Requantizing is for a delegate, and the float32 variant is for comparison.
func modelCandidates(set *runtimes.Set, model models.Model, variants []suite.ModelSetting) []suite.ModelSetting {
	names := []string{inference.RuntimeTFLite}
	if _, err := set.LiteRT(); err == nil {
		names = append(names, inference.RuntimeLiteRT)
	}
	if model.Runtime == inference.RuntimeTFLite || model.Runtime == inference.RuntimeLiteRT {
		names = []string{model.Runtime} // its manifest decides
	}
	var candidates []suite.ModelSetting
	if slices.Contains(names, inference.RuntimeLiteRT) && !model.BuiltIn {
		candidates = append(candidates, suite.ModelSetting{Runtime: inference.RuntimeLiteRT, Accelerator: inference.AcceleratorGPU, Delegate: inference.DelegateAuto, Threads: 1, Interpreters: 1, File: model.Path})
	}
	for _, name := range names {
		for _, delegate := range []string{inference.DelegateAuto, inference.DelegateNone} {
			candidates = append(candidates, suite.ModelSetting{Runtime: name, Delegate: delegate, Threads: 1, Interpreters: 1, File: model.Path})
		}
		for _, v := range variants {
			v.Runtime = name
			candidates = append(candidates, v)
		}
	}
	return candidates
}

// refer sets the reference: the file as it is on TensorFlow Lite's own kernels, or, where that lacks an operator, on
// LiteRT's.
func (t *modelTuning) refer(ctx context.Context, candidates []suite.ModelSetting) error {
	var errs []error
	for _, s := range candidates {
		if s.Variant != "" || s.Delegate != inference.DelegateNone {
			continue
		}
		times, err := suite.MeasureModelInChild(ctx, t.child, suite.ModelRequest{ModelSetting: s, Window: time.Millisecond, Inputs: t.inputs})
		if err == nil {
			t.reference = times.Scores
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("run the model without a delegate, to compare with: %w", errors.Join(errs...))
}

// measure returns minus the median duration of an Invoke in milliseconds. A candidate whose answers disagree is an
// error.
func (t *modelTuning) measure(ctx context.Context, s suite.ModelSetting) (float64, error) {
	request := suite.ModelRequest{ModelSetting: s, Window: t.window}
	if t.ran[s] == nil {
		request.Inputs = t.inputs
		if s.Variant == suite.VariantFloat32 {
			request.Inputs = t.realInputs
		}
	}
	times, err := suite.MeasureModelInChild(ctx, t.child, request)
	if err != nil {
		return 0, err
	}
	if request.Inputs != "" {
		t.ran[s] = times
		if t.agreements[s], err = compareScores(ctx, t.reference, times.Scores); err != nil {
			return 0, err
		}
	}
	if err := t.agreements[s].check(); err != nil {
		return 0, err
	}
	return -1000 * medianInvoke(times.Inferences).Seconds(), nil
}

// best returns the settings of the fastest candidate on the processor that may be chosen, with an accelerator if that is
// faster: the service uses both.
func (t *modelTuning) best(tried []tune.Tried[suite.ModelSetting]) (tuned.Settings, error) {
	var errs []error
	for _, one := range tried {
		s := one.Candidate
		if s.Accelerator != "" {
			continue
		}
		if err := t.problem(one); err != nil {
			errs = append(errs, fmt.Errorf("%s, %s: %w", s.Runtime, s.Delegate, err))
			continue
		}
		settings := tuned.Settings{Runtime: s.Runtime, Delegate: s.Delegate, Requantize: s.Variant == suite.VariantInt8, Accelerators: t.faster(tried, one.Score())}
		if s.Runtime == inference.RuntimeTFLite {
			settings.Runtime = inference.RuntimeAuto // so that models with newer operators still run
		}
		return settings, nil
	}
	return tuned.Settings{}, fmt.Errorf("the model could not be measured: %w", errors.Join(errs...))
}

// faster returns the accelerator that may be chosen and is faster than score; "" for none.
func (t *modelTuning) faster(tried []tune.Tried[suite.ModelSetting], score float64) string {
	for _, one := range tried {
		if one.Candidate.Accelerator != "" && t.problem(one) == nil && one.Score() > score {
			return one.Candidate.Accelerator
		}
	}
	return ""
}

// problem is why a measured candidate cannot be chosen; nil where it can.
func (t *modelTuning) problem(one tune.Tried[suite.ModelSetting]) error {
	switch {
	case one.Err != nil:
		return one.Err
	case one.Candidate.Variant == suite.VariantFloat32:
		return errors.New("for comparison: no setting makes it")
	}
	return t.refused[one.Candidate.Variant]
}
