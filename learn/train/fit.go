package train

import (
	"context"

	"edgelens/learn/head"
	"edgelens/learn/softmax"
)

// method is a way to find the parameters of a head.
type method struct {
	// decays are the weight decays to choose from, largest first; one for no choice.
	decays []float64
	// fit returns the parameters for data, and may change start, which has the right shape, into them.
	fit func(ctx context.Context, data softmax.Data, start softmax.Params, l2 float64) (softmax.Params, error)
}

// fits is how many steps of progress a fold takes.
func (m method) fits() int {
	if len(m.decays) == 1 {
		return 1
	}
	return len(m.decays) + 1
}

func methodOf(name string) method {
	if name == head.Imprinting {
		return method{decays: []float64{0}, fit: func(_ context.Context, data softmax.Data, start softmax.Params, _ float64) (softmax.Params, error) {
			return Imprint(data, start.Classes), nil
		}}
	}
	return method{decays: []float64{1e-2, 1e-3, 1e-4, 1e-5}, fit: fitFrom}
}

// Imprint returns the parameters that have the mean of the features of each class, brought to length 1, as its weights, and no
// biases (Qi, Brown and Lowe, 2018): the logits are cosines. The features must have length 1, and each class an example. A
// class whose features cancel each other out gets weights of 0.
func Imprint(data softmax.Data, classes int) softmax.Params {
	p := softmax.New(classes, len(data.Features[0]))
	for n, x := range data.Features {
		row := p.Row(data.Classes[n])
		for i, f := range x {
			row[i] += float64(f)
		}
	}
	for c := range classes {
		row := p.Row(c)
		if length := norm(row); length > 0 {
			scaleBy(row, 1/length)
		}
	}
	return p
}

// Fit returns the parameters that minimize softmax.Loss, from 0, by L-BFGS. It ends early where the loss has almost stopped to
// fall: the weight decay, not the number of steps, keeps it from learning the examples by heart. There must be an example.
// The error is that of ctx.
func Fit(ctx context.Context, data softmax.Data, classes int, l2 float64) (softmax.Params, error) {
	return fitFrom(ctx, data, softmax.New(classes, len(data.Features[0])), l2)
}

// fitFrom is Fit from parameters that are near the best ones, which it changes into them.
func fitFrom(ctx context.Context, data softmax.Data, p softmax.Params, l2 float64) (softmax.Params, error) {
	err := minimize(ctx, p.Values, func(values, gradient []float64) float64 {
		return softmax.Loss(softmax.Params{Classes: p.Classes, Features: p.Features, Values: values}, data, l2, gradient)
	})
	return p, err
}
