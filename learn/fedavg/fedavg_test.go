package fedavg_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"edgelens"
	"edgelens/learn/fedavg"
	"edgelens/learn/softmax"
)

// update returns an update of 2 classes and 1 feature with the same number at each of the 4 places.
func update(value float64, examples int) fedavg.Update {
	d := softmax.New(2, 1)
	for i := range d.Values {
		d.Values[i] = value
	}
	return fedavg.Update{Difference: d, Examples: examples}
}

// clusters returns n examples around as many points as there are classes.
func clusters(seed uint64, n, classes, features int) softmax.Data {
	random := rand.New(rand.NewPCG(seed, 1))
	var d softmax.Data
	for i := range n {
		x := make([]float32, features)
		for j := range x {
			x[j] = float32(0.3 * random.NormFloat64())
		}
		x[i%classes]++
		d.Features, d.Classes = append(d.Features, x), append(d.Classes, i%classes)
	}
	return d
}

var options = fedavg.Options{Epochs: 20, Batch: 5, Rate: 0.5, Momentum: 0.5, L2: 1e-4, Seed: 7}

func TestLocalTrainLearns(t *testing.T) {
	base, data := softmax.New(3, 5), clusters(1, 60, 3, 5)
	trained, loss, err := fedavg.LocalTrain(t.Context(), base, data, options)
	if err != nil {
		t.Fatal(err)
	}
	if start := math.Log(3); loss > start/3 {
		t.Errorf("the loss went from %v to %v only", start, loss)
	}
	if !reflect.DeepEqual(base, softmax.New(3, 5)) {
		t.Error("the base was changed")
	}
	again, _, _ := fedavg.LocalTrain(t.Context(), base, data, options)
	if !reflect.DeepEqual(trained, again) {
		t.Error("the same seed gave other parameters")
	}
	other := options
	other.Seed++
	if again, _, _ = fedavg.LocalTrain(t.Context(), base, data, other); reflect.DeepEqual(trained, again) {
		t.Error("another seed gave the same parameters")
	}
}

// TestProximal checks that the proximal term keeps what is trained near the base.
func TestProximal(t *testing.T) {
	base, data := softmax.New(3, 5), clusters(1, 60, 3, 5)
	previous := math.Inf(1)
	for _, mu := range []float64{0, 0.1, 1} {
		o := options
		o.Proximal = mu
		trained, _, err := fedavg.LocalTrain(t.Context(), base, data, o)
		if err != nil {
			t.Fatal(err)
		}
		if norm := fedavg.Norm(trained); norm > 0.8*previous {
			t.Errorf("with mu %v the distance is %v, and %v with less", mu, norm, previous)
		} else {
			previous = norm
		}
	}
}

func TestLocalTrainRefuses(t *testing.T) {
	base, data := softmax.New(3, 5), clusters(1, 6, 3, 5)
	outside, wide, nan := data.At([]int{0, 1}), data.At([]int{0, 1}), base.Clone()
	outside.Classes[1] = 3
	wide.Features[1] = make([]float32, 6)
	nan.Values[0] = math.NaN()
	change := func(f func(*fedavg.Options)) fedavg.Options {
		o := options
		f(&o)
		return o
	}
	for name, c := range map[string]struct {
		base softmax.Params
		data softmax.Data
		o    fedavg.Options
	}{
		"no examples":    {base, softmax.Data{}, options},
		"class outside":  {base, outside, options},
		"other features": {base, wide, options},
		"NaN in base":    {nan, data, options},
		"no epochs":      {base, data, change(func(o *fedavg.Options) { o.Epochs = 0 })},
		"epochs":         {base, data, change(func(o *fedavg.Options) { o.Epochs = fedavg.MaxEpochs + 1 })},
		"batch":          {base, data, change(func(o *fedavg.Options) { o.Batch = -1 })},
		"no rate":        {base, data, change(func(o *fedavg.Options) { o.Rate = 0 })},
		"NaN rate":       {base, data, change(func(o *fedavg.Options) { o.Rate = math.NaN() })},
		"momentum":       {base, data, change(func(o *fedavg.Options) { o.Momentum = 1 })},
		"l2":             {base, data, change(func(o *fedavg.Options) { o.L2 = -1 })},
		"proximal":       {base, data, change(func(o *fedavg.Options) { o.Proximal = math.Inf(1) })},
		"overshoots":     {base, data, change(func(o *fedavg.Options) { o.Rate, o.Proximal = 2, 0.5 })},
		"diverges":       {base, data, change(func(o *fedavg.Options) { o.Rate, o.L2, o.Epochs = 1000, 1000, 100 })},
	} {
		if _, _, err := fedavg.LocalTrain(t.Context(), c.base, c.data, c.o); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := fedavg.LocalTrain(ctx, base, data, options); !errors.Is(err, edgelens.ErrCanceled) {
		t.Errorf("a canceled training: %v", err)
	}
}

func TestClip(t *testing.T) {
	for _, c := range []struct{ value, norm, want, factor float64 }{
		{1, 4, 1, 1}, {1, 2, 1, 1}, {1, 1, 0.5, 0.5}, {-1000, 1, -0.5, 0.0005}, {0, 1, 0, 1},
	} {
		d := update(c.value, 1).Difference // of norm 2 |value|
		factor := fedavg.Clip(d, c.norm)
		if math.Abs(d.Values[3]-c.want) > 1e-12 || math.Abs(factor-c.factor) > 1e-12 {
			t.Errorf("clipped to %v, %v is %v by %v", c.norm, c.value, d.Values[3], factor)
		}
	}
}

func TestUpdateCheck(t *testing.T) {
	base := softmax.New(2, 1)
	with := func(change func(*fedavg.Update)) fedavg.Update {
		u := update(1, 3)
		change(&u)
		return u
	}
	for name, c := range map[string]struct {
		u    fedavg.Update
		want fedavg.Reason
	}{
		"good":        {update(1, 3), ""},
		"rounded":     {update(1.0000001, 3), ""},
		"above":       {update(1.001, 3), fedavg.NormAboveClip},
		"overflowing": {update(1e200, 3), fedavg.NormAboveClip},
		"none":        {update(1, 0), fedavg.NoExamples},
		"fewer":       {update(1, -5), fedavg.NoExamples},
		"NaN":         {with(func(u *fedavg.Update) { u.Difference.Values[3] = math.NaN() }), fedavg.NotFinite},
		"infinite":    {with(func(u *fedavg.Update) { u.Difference.Values[0] = math.Inf(-1) }), fedavg.NotFinite},
		"short":       {with(func(u *fedavg.Update) { u.Difference.Values = u.Difference.Values[:3] }), fedavg.WrongShape},
		"other":       {with(func(u *fedavg.Update) { u.Difference = softmax.New(1, 3) }), fedavg.WrongShape},
		"empty":       {fedavg.Update{}, fedavg.WrongShape},
	} {
		err := c.u.Check(base, 2)
		if got := fedavg.ReasonOf(err); got != c.want {
			t.Errorf("%s: the reason is %q, not %q", name, got, c.want)
		}
		if (c.want == "") != (err == nil) || err != nil && !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAggregate(t *testing.T) {
	base := update(10, 1).Difference
	for name, c := range map[string]struct {
		updates []fedavg.Update
		rule    fedavg.Rule
		want    float64
		refused map[int]fedavg.Reason
	}{
		"weighted":           {[]fedavg.Update{update(1, 3), update(-1, 1)}, fedavg.Rule{Method: fedavg.Mean}, 10.5, nil},
		"capped":             {[]fedavg.Update{update(1, 1_000_000), update(-1, 10)}, fedavg.Rule{Method: fedavg.Mean, MaxExamples: 10}, 10, nil},
		"refused":            {[]fedavg.Update{update(1, 1), update(1000, 1), update(math.NaN(), 9), update(2, 1)}, fedavg.Rule{Method: fedavg.Mean, MaxNorm: 4}, 11.5, map[int]fedavg.Reason{1: fedavg.NormAboveClip, 2: fedavg.NotFinite}},
		"trimmed":            {[]fedavg.Update{update(1, 1), update(-1e9, 1), update(2, 1), update(1e9, 1), update(3, 1)}, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.2}, 12, nil},
		"trimmed, weighted":  {[]fedavg.Update{update(1, 3), update(-9, 1), update(2, 1), update(9, 1), update(5, 900)}, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.01, MaxExamples: 4}, 10 + 25.0/8, nil},
		"trimmed to one":     {[]fedavg.Update{update(1, 1), update(2, 1), update(3, 1), update(4, 1), update(5, 1)}, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.4999999999}, 13, nil},
		"trimmed by a share": {[]fedavg.Update{update(1, 1), update(2, 1), update(3, 1), update(4, 1), update(5, 1), update(6, 1), update(7, 1), update(8, 1), update(9, 1), update(1000, 1)}, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.3}, 15.5, nil},
	} {
		got, refusals, err := fedavg.Aggregate(base, c.updates, c.rule)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, v := range got.Values {
			if math.Abs(v-c.want) > 1e-9 {
				t.Errorf("%s: the values are %v, not %v", name, got.Values, c.want)
			}
		}
		for i, err := range refusals {
			if fedavg.ReasonOf(err) != c.refused[i] {
				t.Errorf("%s: update %d is refused for %v", name, i, err)
			}
		}
	}
	if base.Values[0] != 10 {
		t.Error("the base was changed")
	}
}

func TestAggregateRefuses(t *testing.T) {
	five := []fedavg.Update{update(1, 1), update(1, 1), update(1, 1), update(1, 1), update(1, 1)}
	four := append([]fedavg.Update{update(math.NaN(), 1)}, five[1:]...)
	large := []fedavg.Update{update(math.MaxFloat64, 1)}
	for name, c := range map[string]struct {
		base    softmax.Params
		updates []fedavg.Update
		rule    fedavg.Rule
	}{
		"none":           {softmax.New(2, 1), nil, fedavg.Rule{Method: fedavg.Mean}},
		"all refused":    {softmax.New(2, 1), large, fedavg.Rule{Method: fedavg.Mean}},
		"four to mix":    {softmax.New(2, 1), four, fedavg.Rule{Method: fedavg.MixedTrimmedMean, Trim: 0.2}},
		"no mix":         {softmax.New(2, 1), five, fedavg.Rule{Method: fedavg.MixedTrimmedMean}},
		"four to trim":   {softmax.New(2, 1), four, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.2}},
		"unknown method": {softmax.New(2, 1), five, fedavg.Rule{Method: "median"}},
		"no trim":        {softmax.New(2, 1), five, fedavg.Rule{Method: fedavg.TrimmedMean}},
		"half trimmed":   {softmax.New(2, 1), five, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.5}},
		"NaN trimmed":    {softmax.New(2, 1), five, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: math.NaN()}},
		"cap":            {softmax.New(2, 1), five, fedavg.Rule{Method: fedavg.Mean, MaxExamples: -1}},
		"norm":           {softmax.New(2, 1), five, fedavg.Rule{Method: fedavg.Mean, MaxNorm: math.NaN()}},
		"base":           {update(math.Inf(1), 1).Difference, five, fedavg.Rule{Method: fedavg.Mean}},
	} {
		if _, _, err := fedavg.Aggregate(c.base, c.updates, c.rule); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDifferenceOfOtherShape(t *testing.T) {
	if _, err := fedavg.Difference(softmax.New(2, 1), softmax.New(1, 3)); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("the error is %v", err)
	}
}

// sizes are a head of eight classes on the features of MobileNet V1, and ten nodes with 40 examples.
const nodes, examples, classes, features = 10, 40, 8, 1024

func BenchmarkLocalTrain(b *testing.B) {
	base, data := softmax.New(classes, features), clusters(1, examples, classes, features)
	o := fedavg.Options{Epochs: 5, Batch: 10, Rate: 0.5, Momentum: 0.9}
	for b.Loop() {
		if _, _, err := fedavg.LocalTrain(b.Context(), base, data, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAggregate(b *testing.B) {
	base := softmax.New(classes, features)
	updates := make([]fedavg.Update, nodes)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range updates {
		updates[i] = fedavg.Update{Difference: base.Clone(), Examples: examples}
		for j := range base.Values {
			updates[i].Difference.Values[j] = random.NormFloat64()
		}
	}
	for _, rule := range []fedavg.Rule{{Method: fedavg.Mean}, {Method: fedavg.TrimmedMean, Trim: 0.2}, {Method: fedavg.MixedTrimmedMean, Trim: 0.1}} {
		b.Run(string(rule.Method), func(b *testing.B) {
			for b.Loop() {
				if _, _, err := fedavg.Aggregate(base, updates, rule); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestAccelerate(t *testing.T) {
	of := func(value float64) softmax.Params { return update(value, 1).Difference }
	next, err := fedavg.Accelerate(of(5), of(3), of(1), 0.5)
	if err != nil || next.Values[0] != 6 || next.Values[3] != 6 {
		t.Errorf("the head is %v, %v", next.Values, err)
	}
	for name, call := range map[string]func() (softmax.Params, error){
		"momentum": func() (softmax.Params, error) { return fedavg.Accelerate(of(5), of(3), of(1), 1) },
		"NaN":      func() (softmax.Params, error) { return fedavg.Accelerate(of(5), of(3), of(1), math.NaN()) },
		"shape":    func() (softmax.Params, error) { return fedavg.Accelerate(of(5), of(3), softmax.New(1, 3), 0.5) },
		"overflow": func() (softmax.Params, error) { return fedavg.Accelerate(of(1e308), of(1e308), of(-1e308), 0.9) },
	} {
		if _, err := call(); !errors.Is(err, edgelens.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
