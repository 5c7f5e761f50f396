package state

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"edgelens"
	"edgelens/internal/clip"
	"edgelens/internal/statements"
)

// Spec describes one state.
type Spec struct {
	// Name identifies it, in topics, too.
	Name string
	// Device is the terminal or camera whose images show it; empty for images over HTTP alone.
	Device string
	// Model is the classifier: a file, a folder of Frigate's, or a head.
	Model string
	View  edgelens.View
	// Threshold is the probability that an answer needs.
	Threshold float64
	// Count is how many equal answers in a row change the state.
	Count int
	// Every is the minimum time between two images that are recognized; those in between are skipped, unless a change is
	// pending. 0 recognizes each.
	Every time.Duration
	// StaleAfter is how long after the last recognized image the state is stale; 0 is never.
	StaleAfter time.Duration
	// On is the label for which a switch is on; empty for none. Class is the device class of Home Assistant, with On alone.
	On, Class string
}

// The limits of specs.
const (
	// MaxSpecs bounds the states, and with them the images that wait.
	MaxSpecs     = 100
	maxCount     = 20
	maxEvery     = 24 * time.Hour
	maxStale     = 365 * 24 * time.Hour
	maxListBytes = 64 << 10
)

// The defaults of a Spec: those of Frigate's state classification, and an hour.
const (
	defaultThreshold = 0.8
	defaultCount     = 3
	defaultStale     = time.Hour
)

var (
	validName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	validClass = regexp.MustCompile(`^[a-z_]{1,40}$`)
)

// ParseSpecs reads states as they are written in a setting, separated by ";":
//
//	gate device=cam1 model=gate region=0.1,0.2,0.4,0.5; bin model=bin threshold=0.9 count=5 every=10s stale_after=2h
//
// A state has a name, and what is not the default as key=value: device, model (which it must have), region, fit, threshold,
// count, every, stale_after, on, class. Values with spaces or ";" are quoted as in Go. An empty text is no states.
func ParseSpecs(text string) ([]Spec, error) {
	if len(text) > maxListBytes {
		return nil, fmt.Errorf("the states have %d bytes; at most %d can be used", len(text), maxListBytes)
	}
	all, err := statements.Split(text)
	if err != nil {
		return nil, err
	}
	var specs []Spec
	for _, words := range all {
		spec, err := parseSpec(words)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(specs, func(s Spec) bool { return s.Name == spec.Name }) {
			return nil, fmt.Errorf("two states have the name %s", spec.Name)
		}
		specs = append(specs, spec)
	}
	if len(specs) > MaxSpecs {
		return nil, fmt.Errorf("there are %d states; the limit is %d", len(specs), MaxSpecs)
	}
	return specs, nil
}

// parseSpec reads the words of one state, and validates it.
func parseSpec(words []statements.Word) (Spec, error) {
	if words[0].Key != "" {
		return Spec{}, fmt.Errorf("a state begins with its name, as in: gate device=cam1 model=gate; not with %q", clip.Line(words[0].Key+"=", 64))
	}
	spec := Spec{Name: words[0].Text, Threshold: defaultThreshold, Count: defaultCount, StaleAfter: defaultStale}
	seen := map[string]bool{}
	for _, w := range words[1:] {
		err := error(nil)
		switch {
		case w.Key == "":
			err = fmt.Errorf("%q has no value: write key=value", clip.Line(w.Text, 64))
		case seen[w.Key]:
			err = fmt.Errorf("%s is given twice", clip.Line(w.Key, 64))
		default:
			seen[w.Key] = true
			err = spec.set(w)
		}
		if err != nil {
			return Spec{}, fmt.Errorf("the state %q: %w", clip.Line(spec.Name, 64), err)
		}
	}
	if err := spec.Validate(); err != nil {
		return Spec{}, fmt.Errorf("the state %q: %w", clip.Line(spec.Name, 64), err)
	}
	return spec, nil
}

// set sets what a word names.
func (s *Spec) set(w statements.Word) (err error) {
	switch w.Key {
	case "device":
		s.Device = w.Value
	case "model":
		s.Model = w.Value
	case "region":
		s.View.Region, err = edgelens.ParseRegion(w.Value)
	case "fit":
		s.View.Fit = edgelens.Fit(w.Value)
	case "threshold":
		s.Threshold, err = strconv.ParseFloat(w.Value, 64)
	case "count":
		s.Count, err = strconv.Atoi(w.Value)
	case "every":
		s.Every, err = time.ParseDuration(w.Value)
	case "stale_after":
		s.StaleAfter, err = time.ParseDuration(w.Value)
	case "on":
		s.On = w.Value
	case "class":
		s.Class = w.Value
	default:
		return fmt.Errorf("there is no key %q; the keys are device, model, region, fit, threshold, count, every, stale_after, on and class", clip.Line(w.Key, 64))
	}
	if err != nil {
		return fmt.Errorf("%s=%q cannot be read: %w", w.Key, clip.Line(w.Value, 64), err)
	}
	return nil
}

// Validate returns what is wrong with a spec.
func (s Spec) Validate() error {
	switch {
	case !validName.MatchString(s.Name):
		return fmt.Errorf("the name must have 1 to 64 letters, digits, and . _ - after the first")
	case s.Model == "":
		return fmt.Errorf("it needs a model, as in model=gate: a classifier of the models folder, or a head")
	case len(s.Model) > 200 || len(s.Device) > 128 || len(s.On) > 200:
		return fmt.Errorf("model and on must have at most 200 bytes, device 128")
	case !(s.Threshold > 0 && s.Threshold <= 1): // NaN too
		return fmt.Errorf("threshold must be above 0 and at most 1, not %v", s.Threshold)
	case s.Count < 1 || s.Count > maxCount:
		return fmt.Errorf("count must be 1 to %d, not %d", maxCount, s.Count)
	case s.Every < 0 || s.Every > maxEvery:
		return fmt.Errorf("every must be 0 to %v, not %v", maxEvery, s.Every)
	case s.StaleAfter != 0 && s.StaleAfter < time.Second || s.StaleAfter > maxStale:
		return fmt.Errorf("stale_after must be 1s to %v, or 0 for never, not %v", maxStale, s.StaleAfter)
	case s.StaleAfter != 0 && s.StaleAfter <= s.Every:
		return fmt.Errorf("stale_after must be longer than every, or the state is stale between two images")
	case s.Class != "" && s.On == "":
		return fmt.Errorf("class needs on, the label for which the switch is on, as in: on=open class=garage_door")
	case s.Class != "" && !validClass.MatchString(s.Class):
		return fmt.Errorf("class must be a device class of Home Assistant's binary sensors, such as garage_door, not %q", clip.Line(s.Class, 40))
	}
	return s.View.Check()
}
