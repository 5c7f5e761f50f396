package train

import (
	"context"
	"math"
)

// The constants of minimize.
const (
	// maxIterations bounds its time.
	maxIterations = 200
	// memory is how many of the last steps the curvature is estimated from.
	memory = 10
	// tolerance is the relative decrease of the loss, over flatSteps iterations, below which it ends.
	tolerance = 1e-4
	flatSteps = 3
	// armijo is the share of the decrease that the slope predicts which a step must bring.
	armijo = 1e-4
	// maxHalvings of a step; then no step brings a decrease that numbers of this precision can show.
	maxHalvings = 30
)

// minimize changes x to a minimum of a convex function, by L-BFGS with a backtracking line search (Nocedal and Wright,
// Numerical Optimization, 2006, algorithms 7.4 and 3.1). f returns the value at x and writes the gradient. The error is that
// of ctx; x is then somewhere on the way.
func minimize(ctx context.Context, x []float64, f func(x, gradient []float64) float64) error {
	gradient, next, nextGradient, direction := make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x)), make([]float64, len(x))
	value := f(x, gradient)
	var past history
	flat := 0
	for range maxIterations {
		if err := ctx.Err(); err != nil {
			return err
		}
		past.direction(gradient, direction)
		slope := dot(gradient, direction)
		if slope >= -1e-16 { // at the minimum, as far as can be seen
			return nil
		}
		step := 1.0
		if len(past.pairs) == 0 { // the first step has no curvature to go by
			step = min(1, 1/norm(gradient))
		}
		after, found := 0.0, false
		for range maxHalvings {
			for i := range x {
				next[i] = x[i] + step*direction[i]
			}
			if after = f(next, nextGradient); after <= value+armijo*step*slope {
				found = true
				break
			}
			step /= 2
		}
		if !found {
			return nil
		}
		past.add(x, next, gradient, nextGradient)
		if value-after < tolerance*math.Abs(value) {
			flat++
		} else {
			flat = 0
		}
		value = after
		copy(x, next)
		copy(gradient, nextGradient)
		if flat == flatSteps {
			return nil
		}
	}
	return nil
}

// history has the last steps, oldest first.
type history struct{ pairs []pair }

// pair is a step s with the difference y of the gradients that it made, and 1/(s·y).
type pair struct {
	s, y []float64
	rho  float64
}

// add adds a step, unless it has no curvature.
func (h *history) add(x, next, gradient, nextGradient []float64) {
	p := pair{s: make([]float64, len(x)), y: make([]float64, len(x))}
	for i := range x {
		p.s[i], p.y[i] = next[i]-x[i], nextGradient[i]-gradient[i]
	}
	curvature := dot(p.s, p.y)
	if curvature <= 1e-18 {
		return
	}
	p.rho = 1 / curvature
	if len(h.pairs) == memory {
		h.pairs = h.pairs[1:]
	}
	h.pairs = append(h.pairs, p)
}

// direction writes the step to try at a gradient: minus the gradient times the estimate of the inverse Hessian (the two-loop
// recursion).
func (h *history) direction(gradient, into []float64) {
	copy(into, gradient)
	alphas := make([]float64, len(h.pairs))
	for i := len(h.pairs) - 1; i >= 0; i-- {
		p := h.pairs[i]
		alphas[i] = p.rho * dot(p.s, into)
		addScaled(into, -alphas[i], p.y)
	}
	if n := len(h.pairs); n > 0 {
		last := h.pairs[n-1]
		scaleBy(into, 1/(last.rho*dot(last.y, last.y)))
	}
	for i, p := range h.pairs {
		addScaled(into, alphas[i]-p.rho*dot(p.y, into), p.s)
	}
	scaleBy(into, -1)
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func norm(v []float64) float64 { return math.Sqrt(dot(v, v)) }

func scaleBy(v []float64, factor float64) {
	for i := range v {
		v[i] *= factor
	}
}

func addScaled(v []float64, factor float64, w []float64) {
	for i := range v {
		v[i] += factor * w[i]
	}
}
