package accuracy

import (
	"fmt"
	"slices"
	"strconv"

	"edgelens"
)

// Choices are the values of each setting to measure; of each, the first is that of the baseline.
type Choices struct {
	Fits []edgelens.Fit
	// Models are names; "" is the default model.
	Models     []string
	Requantize []bool
	Delegates  []string
	ReduceJPEG []float64
}

// Variant is one way to recognize the images.
type Variant struct {
	// Name is unique in a run, and short.
	Name  string `json:"name"`
	Model string `json:"model"`
	// Fit is that of the requests.
	Fit        edgelens.Fit `json:"fit"`
	Requantize bool         `json:"requantize"`
	// Delegate is the setting, and Runtime the delegate in use.
	Delegate   string  `json:"delegate"`
	Runtime    string  `json:"runtime,omitempty"`
	ReduceJPEG float64 `json:"reduce_jpeg"`
	// Digest is that of the model in use.
	Digest string `json:"digest,omitempty"`
	// Beside is the index of the variant that this one is compared with; -1 for the first.
	Beside int `json:"beside"`
}

// Variants returns the baseline, then the variants that differ from it in one setting; and the same for each other
// model, whose baseline is compared with the first model's.
func (c Choices) Variants() []Variant {
	var all []Variant
	for i, model := range c.Models {
		base := Variant{Model: model, Fit: c.Fits[0], Requantize: c.Requantize[0], Delegate: c.Delegates[0], ReduceJPEG: c.ReduceJPEG[0], Beside: -1}
		prefix := ""
		if i > 0 {
			base.Beside, prefix = 0, model+" "
		}
		base.Name = prefix + string(base.Fit)
		beside := len(all)
		all = append(all, base)
		add := func(name string, v Variant) {
			v.Name, v.Beside = prefix+name, beside
			all = append(all, v)
		}
		for _, fit := range c.Fits[1:] {
			v := base
			v.Fit = fit
			add(string(fit), v)
		}
		for _, requantize := range c.Requantize[1:] {
			v := base
			v.Requantize = requantize
			add(map[bool]string{true: "requantized", false: "not requantized"}[requantize], v)
		}
		for _, delegate := range c.Delegates[1:] {
			v := base
			v.Delegate = delegate
			add("delegate "+delegate, v)
		}
		for _, reduce := range c.ReduceJPEG[1:] {
			v := base
			v.ReduceJPEG = reduce
			add("reduce_jpeg "+strconv.FormatFloat(reduce, 'g', -1, 64), v)
		}
	}
	return all
}

// same reports whether two variants with their Digest and Runtime do the same.
func (v Variant) same(other Variant) bool {
	return v.Model == other.Model && v.Digest == other.Digest && v.Runtime == other.Runtime && v.Fit == other.Fit && v.ReduceJPEG == other.ReduceJPEG
}

// Distinct drops the variants that do the same as one before: a model that is not requantized because it is no legacy
// uint8 file, or that no delegate runs. It returns a sentence for each.
func Distinct(variants []Variant) (kept []Variant, notes []string) {
	at := make([]int, len(variants)) // in kept
	for i, v := range variants {
		if same := slices.IndexFunc(kept, v.same); same >= 0 {
			at[i] = same
			notes = append(notes, fmt.Sprintf("%s is not measured: with this model it is the same as %s.", v.Name, kept[same].Name))
			continue
		}
		if v.Beside >= 0 {
			v.Beside = at[v.Beside]
		}
		at[i] = len(kept)
		kept = append(kept, v)
	}
	return kept, notes
}
