package accuracy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"edgelens"
)

// Requirement is a difference of two variants in top-1 that must be measured.
type Requirement struct {
	Frame   Frame
	Variant string
	// Beside is the other variant.
	Beside string
	// Points is the minimum of Variant's top-1 minus Beside's, in percentage points; with Within, the maximum distance
	// of the two.
	Points float64
	Within bool
}

// ParseRequirement reads "FRAME, VARIANT, BESIDE, POINTS", where "+-POINTS" is Within. The error wraps
// edgelens.ErrInvalid.
func ParseRequirement(text string) (r Requirement, err error) {
	bad := fmt.Errorf("%w: a requirement must be \"FRAME, VARIANT, OTHER VARIANT, POINTS\", such as \"16:9, center, stretch, 14\": the top-1 of the first variant must be that many points over the other's; \"+-0.5\": within half a point of it; not %.100q", edgelens.ErrInvalid, text)
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	if len(parts) != 4 || parts[1] == "" || parts[2] == "" {
		return r, bad
	}
	points, within := strings.CutPrefix(parts[3], "+-")
	r = Requirement{Variant: parts[1], Beside: parts[2], Within: within}
	if r.Points, err = strconv.ParseFloat(points, 64); err != nil || math.IsNaN(r.Points) || within && r.Points < 0 {
		return r, bad
	}
	if r.Frame, err = ParseFrame(parts[0]); err != nil {
		return r, fmt.Errorf("%w: %w", bad, err)
	}
	return r, nil
}

// Known returns an ErrInvalid where a frame or variant is not among those of the run.
func (r Requirement) Known(p Parameters) error {
	if !slices.Contains(p.Frames, r.Frame) {
		return fmt.Errorf("%w: --require names the frame %s, which is not measured", edgelens.ErrInvalid, r.Frame)
	}
	for _, name := range []string{r.Variant, r.Beside} {
		if p.variant(name) < 0 {
			names := make([]string, len(p.Variants))
			for i, v := range p.Variants {
				names[i] = v.Name
			}
			return fmt.Errorf("%w: --require names the variant %q; measured are %s", edgelens.ErrInvalid, name, strings.Join(names, ", "))
		}
	}
	return nil
}

// variant is the index of the variant with a name; -1 where there is none.
func (p Parameters) variant(name string) int {
	return slices.IndexFunc(p.Variants, func(v Variant) bool { return v.Name == name })
}

// Required is a requirement with what was measured.
type Required struct {
	What string `json:"what"`
	Paired
	Want string `json:"want"`
	Met  bool   `json:"met"`
}

// Require evaluates a requirement that is Known.
func (s *Summary) Require(r Requirement) Required {
	frame := slices.Index(s.Run.Frames, r.Frame)
	at := func(name string) []outcome { return s.results.cases[s.Run.caseOf(frame, s.Run.variant(name))] }
	paired := compare(at(r.Variant), at(r.Beside), r.Beside)
	required := Required{What: fmt.Sprintf("%s: %s, against %s", r.Frame, r.Variant, r.Beside), Paired: paired}
	const slack = 1e-9 // points are quotients
	if r.Within {
		required.Want, required.Met = fmt.Sprintf("within %g points", r.Points), math.Abs(paired.Points) <= r.Points+slack
	} else {
		required.Want, required.Met = fmt.Sprintf("at least %+g points", r.Points), paired.Points >= r.Points-slack
	}
	required.Met = required.Met && paired.N > 0
	s.Required = append(s.Required, required)
	return required
}
