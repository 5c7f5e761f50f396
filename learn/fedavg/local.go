package fedavg

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"edgelens"
	"edgelens/learn/softmax"
)

// The limits of Options.
const (
	MaxEpochs = 1000
	MaxRate   = 1000
)

// Options are how a node trains on its own examples.
type Options struct {
	// Epochs is how often each example is used, 1 to MaxEpochs.
	Epochs int
	// Batch is how many examples one step uses; 0 for all.
	Batch int
	// Rate is the learning rate, above 0, and Momentum the share of the previous step that is added, from 0 to below 1.
	Rate, Momentum float64
	// L2 is the weight of the squared weights in the loss; see softmax.Loss.
	L2 float64
	// Proximal is the mu of FedProx: mu/2 times the squared distance from the base parameters is added to the loss, so that
	// nodes with different examples do not drift apart. 0 is FedAvg. Rate times Proximal must be below 1.
	Proximal float64
	// Seed decides the order of the examples.
	Seed uint64
}

// Check returns an edgelens.ErrInvalid for options that cannot be used.
func (o Options) Check() error {
	within := func(name string, value, low, high float64) error {
		if value >= low && value <= high { // not NaN
			return nil
		}
		return fmt.Errorf("%w: local training: %s is %v; use %v to %v", edgelens.ErrInvalid, name, value, low, high)
	}
	if o.Epochs < 1 || o.Epochs > MaxEpochs {
		return fmt.Errorf("%w: local training: %d epochs; use 1 to %d", edgelens.ErrInvalid, o.Epochs, MaxEpochs)
	}
	if o.Batch < 0 {
		return fmt.Errorf("%w: local training: a batch of %d examples; use 0 for all, or more", edgelens.ErrInvalid, o.Batch)
	}
	if o.Rate == 0 {
		return fmt.Errorf("%w: local training: the rate is 0, so that nothing is learned", edgelens.ErrInvalid)
	}
	for _, err := range []error{
		within("the rate", o.Rate, 0, MaxRate), within("the momentum", o.Momentum, 0, 0.999),
		within("l2", o.L2, 0, MaxRate), within("the proximal term", o.Proximal, 0, MaxRate),
	} {
		if err != nil {
			return err
		}
	}
	if o.Rate*o.Proximal >= 1 {
		return fmt.Errorf("%w: local training: with a proximal term of %v and a rate of %v each step would overshoot the base head; their product must be below 1", edgelens.ErrInvalid, o.Proximal, o.Rate)
	}
	return nil
}

// LocalTrain is the work of one node in one round: it trains copies of the base parameters on the examples by stochastic
// gradient descent, and returns them with their loss on all the examples (softmax.Loss, without the proximal term). The same
// arguments give the same result. It checks ctx before each step. The error wraps edgelens.ErrInvalid for arguments that
// cannot be used and for a training that diverged, or edgelens.ErrCanceled.
func LocalTrain(ctx context.Context, base softmax.Params, data softmax.Data, o Options) (softmax.Params, float64, error) {
	if err := o.Check(); err != nil {
		return softmax.Params{}, 0, err
	}
	if err := checkData(base, data); err != nil {
		return softmax.Params{}, 0, err
	}
	batch := o.Batch
	if batch == 0 || batch > data.Len() {
		batch = data.Len()
	}
	stopped := func() error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("train on the examples of this node: %w: %w", edgelens.ErrCanceled, err)
		}
		return nil
	}
	var trained softmax.Params
	var err error
	if batch == data.Len() && spanPays(base, data.Len(), o) {
		t := newSpanTraining(base, data, o)
		err = t.run(stopped)
		trained = t.params()
	} else {
		trained, err = descend(base, data, batch, o, stopped)
	}
	if err != nil {
		return softmax.Params{}, 0, err
	}
	loss := softmax.Loss(trained, data, o.L2, make([]float64, len(base.Values)))
	if err := trained.Check(); err != nil || math.IsNaN(loss) || math.IsInf(loss, 0) {
		return softmax.Params{}, 0, fmt.Errorf("%w: the training on this node diverged; use a lower rate than %v", edgelens.ErrInvalid, o.Rate)
	}
	return trained, loss, nil
}

// descend takes the steps of gradient descent. It stops before the next one where stopped returns an error.
func descend(base softmax.Params, data softmax.Data, batch int, o Options, stopped func() error) (softmax.Params, error) {
	random := rand.New(rand.NewPCG(o.Seed, 0x6665646176670001)) // the second number only keeps it apart from other uses of the seed
	trained := base.Clone()
	gradient, velocity := make([]float64, len(base.Values)), make([]float64, len(base.Values))
	for range o.Epochs {
		order := random.Perm(data.Len())
		for len(order) > 0 {
			if err := stopped(); err != nil {
				return softmax.Params{}, err
			}
			size := min(batch, len(order))
			softmax.Loss(trained, data.At(order[:size]), o.L2, gradient)
			order = order[size:]
			for i, slope := range gradient {
				velocity[i] = o.Momentum*velocity[i] + slope + o.Proximal*(trained.Values[i]-base.Values[i])
				trained.Values[i] -= o.Rate * velocity[i]
			}
		}
	}
	return trained, nil
}

// checkData returns an edgelens.ErrInvalid where softmax.Loss could not be computed.
func checkData(base softmax.Params, data softmax.Data) error {
	if err := base.Check(); err != nil {
		return fmt.Errorf("%w: the base head: %w", edgelens.ErrInvalid, err)
	}
	if data.Len() == 0 || len(data.Classes) != data.Len() {
		return fmt.Errorf("%w: %d examples with %d classes cannot be trained on", edgelens.ErrInvalid, data.Len(), len(data.Classes))
	}
	for i, x := range data.Features {
		if len(x) != base.Features {
			return fmt.Errorf("%w: example %d has %d features, and the base head %d", edgelens.ErrInvalid, i, len(x), base.Features)
		}
		if c := data.Classes[i]; c < 0 || c >= base.Classes {
			return fmt.Errorf("%w: example %d is of the class %d, and the base head has %d", edgelens.ErrInvalid, i, c, base.Classes)
		}
	}
	return nil
}
