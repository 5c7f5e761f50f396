package accuracy

import (
	"cmp"
	"slices"

	"edgelens/benchmarks/stats"
)

// outcome is an answer in the form in which many fit into memory.
type outcome struct {
	image  int32 // its index in the order of the records
	class  int32
	answer int32
	// rank is the place of the right class among the answered ones, from 1; 0 where it is not among them.
	rank        int8
	probability float64 // of the first answer
	ms          float32
}

// right reports whether the first answer is right.
func (o outcome) right() bool { return o.rank == 1 }

// results are the outcomes of a run.
type results struct {
	run *Run
	// cases has the outcomes by case, each sorted by image.
	cases    [][]outcome
	failures []Failure
	images   int // with at least one answer or failure
}

// Failure is an image that could not be measured.
type Failure struct {
	Image   string `json:"image"`
	Failure string `json:"failure"`
	Reason  string `json:"reason"`
}

// readResults reads the records of a folder. Of two answers about the same image in the same case, the first counts.
func readResults(dir string) (*results, error) {
	run, err := ReadRun(dir)
	if err != nil {
		return nil, err
	}
	r := &results{run: run, cases: make([][]outcome, run.Cases())}
	at, failed := map[string]int32{}, map[int32]bool{}
	err = readAnswers(dir, run, func(a Answer) {
		image, known := at[a.Image]
		if !known {
			image = int32(len(at))
			at[a.Image] = image
		}
		if a.Failure == "" {
			r.cases[a.Case] = append(r.cases[a.Case], newOutcome(a, image))
		} else if !failed[image] {
			failed[image] = true
			r.failures = append(r.failures, Failure{a.Image, a.Failure, a.Reason})
		}
	})
	if err != nil {
		return nil, err
	}
	r.images = len(at)
	for i, outcomes := range r.cases {
		slices.SortStableFunc(outcomes, func(a, b outcome) int { return int(a.image - b.image) })
		r.cases[i] = slices.CompactFunc(outcomes, func(a, b outcome) bool { return a.image == b.image })
	}
	return r, nil
}

func newOutcome(a Answer, image int32) outcome {
	return outcome{
		image: image, class: int32(a.Class), answer: int32(a.Classes[0]), rank: int8(slices.Index(a.Classes[:min(TopK, len(a.Classes))], a.Class) + 1),
		probability: a.Probabilities[0], ms: a.MS,
	}
}

// Share is how many of N are right, with the 95% interval.
type Share struct {
	Right int     `json:"right"`
	N     int     `json:"n"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func newShare(right, n int) Share {
	interval := stats.Wilson(right, n)
	s := Share{Right: right, N: n, Low: interval.Low, High: interval.High}
	if n > 0 {
		s.Value = float64(right) / float64(n)
	}
	return s
}

// shareOf counts the outcomes for which is is true.
func shareOf(outcomes []outcome, is func(outcome) bool) Share {
	right := 0
	for _, o := range outcomes {
		if is(o) {
			right++
		}
	}
	return newShare(right, len(outcomes))
}

// Paired is the comparison of the first answers of two variants about the same images.
type Paired struct {
	// Beside is the other variant's name.
	Beside string `json:"beside"`
	N      int    `json:"n"`
	// OnlyBeside and OnlyThis are how many images one of them alone is right about.
	OnlyBeside int `json:"only_beside_right"`
	OnlyThis   int `json:"only_this_right"`
	// Points is the difference of the shares, in percentage points.
	Points float64 `json:"points"`
	// P is that of stats.McNemar.
	P float64 `json:"p"`
}

// alpha is the p-value below which a difference is called real.
const alpha = 0.05

// Real reports whether the images show a difference.
func (p Paired) Real() bool { return p.P < alpha }

// Words is what the images show.
func (p Paired) Words() string {
	if p.Real() {
		return "real"
	}
	return "not distinguishable"
}

// compare compares a variant with another on the images that both have answers about.
func compare(this, beside []outcome, name string) Paired {
	p := Paired{Beside: name}
	for i, j := 0, 0; i < len(this) && j < len(beside); {
		a, b := this[i], beside[j]
		if a.image < b.image {
			i++
			continue
		}
		if a.image > b.image {
			j++
			continue
		}
		p.N++
		switch {
		case a.right() && !b.right():
			p.OnlyThis++
		case b.right() && !a.right():
			p.OnlyBeside++
		}
		i, j = i+1, j+1
	}
	if p.N > 0 {
		p.Points = 100 * float64(p.OnlyThis-p.OnlyBeside) / float64(p.N)
	}
	p.P = stats.McNemar(p.OnlyBeside, p.OnlyThis)
	return p
}

// Confusion is how often one class got the answer of another.
type Confusion struct {
	Class    int    `json:"class"`
	Answer   int    `json:"answer"`
	Label    string `json:"label"`
	Answered string `json:"answered"`
	Count    int    `json:"count"`
}

// confusions returns the wrong answers, the most frequent first.
func confusions(outcomes []outcome, classes *Classes) []Confusion {
	counts := map[[2]int32]int{}
	for _, o := range outcomes {
		if !o.right() {
			counts[[2]int32{o.class, o.answer}]++
		}
	}
	all := make([]Confusion, 0, len(counts))
	for pair, count := range counts {
		all = append(all, Confusion{int(pair[0]), int(pair[1]), classes.Name(int(pair[0])), classes.Name(int(pair[1])), count})
	}
	slices.SortFunc(all, func(a, b Confusion) int {
		return cmp.Or(b.Count-a.Count, a.Class-b.Class, a.Answer-b.Answer)
	})
	return all
}
