package main

import (
	"math"
	"math/rand/v2"
	"testing"

	"edgelens/learn/fedavg"
	"edgelens/learn/softmax"
	"edgelens/learn/train"
)

const classes, features = 4, 24

// clusters returns n examples of length 1 around a point for each class, which overlap.
func clusters(seed uint64, n int) softmax.Data {
	random := rand.New(rand.NewPCG(seed, 1))
	var d softmax.Data
	for i := range n {
		x, squares := make([]float32, features), 0.0
		for j := range x {
			v := 0.5 + 0.3*random.NormFloat64() // with a common part, as embeddings have
			if j == i%classes {
				v++
			}
			x[j] = float32(v)
			squares += v * v
		}
		for j := range x {
			x[j] /= float32(math.Sqrt(squares))
		}
		d.Features, d.Classes = append(d.Features, x), append(d.Classes, i%classes)
	}
	return d
}

// federationOf returns one like that of the report, for clusters.
func federationOf(seed uint64) federation {
	return federation{
		classes: classes, features: features, rounds: 40, local: fedavg.Options{Epochs: epochs, Rate: rate, L2: l2}, momentum: momentum,
		rule: fedavg.Rule{Method: fedavg.Mean}, attacker: int(seed % 10), seed: seed,
	}
}

// mean runs federations with data by three seeds and returns the mean of their held-out accuracies.
func mean(t *testing.T, alpha float64, change variant) float64 {
	t.Helper()
	sum, held := 0.0, clusters(100, 2000)
	for seed := range uint64(3) {
		nodes, err := partition(clusters(seed, 300), classes, 10, alpha, seed)
		if err != nil {
			t.Fatal(err)
		}
		f := federationOf(seed)
		change(&f)
		out, err := f.run(t.Context(), nodes)
		if err != nil {
			t.Fatal(err)
		}
		sum += accuracy(out.head, held) / 3
	}
	return sum
}

// TestFederatedIsNearCentral checks the figure of one point.
func TestFederatedIsNearCentral(t *testing.T) {
	central, held := 0.0, clusters(100, 2000)
	for seed := range uint64(3) {
		head, err := train.Fit(t.Context(), clusters(seed, 300), classes, l2)
		if err != nil {
			t.Fatal(err)
		}
		central += accuracy(head, held) / 3
	}
	federated := mean(t, alpha, func(*federation) {})
	if central < 0.7 || central > 0.99 || math.Abs(federated-central) > 0.01 {
		t.Errorf("the accuracy is %.3f, and %.3f with central training", federated, central)
	}
	if slow := mean(t, alpha, func(f *federation) { f.rounds, f.momentum = 5, 0 }); slow > federated-0.01 {
		t.Errorf("5 rounds without server momentum have an accuracy of %.3f, as high as 40 with it, %.3f: the test shows nothing", slow, federated)
	}
}

// TestTrimmedMeanHolds checks for each attack that a trimmed mean moves by less than two points, and that the plain mean
// does not stand the largest ones.
func TestTrimmedMeanHolds(t *testing.T) {
	trimmed := func(f *federation) {
		f.clip, f.rule = clip, fedavg.Rule{Method: fedavg.TrimmedMean, Trim: 0.2, MaxNorm: clip}
	}
	const even = 100
	honest := mean(t, even, func(f *federation) { trimmed(f); f.absent = true })
	for _, a := range attacks {
		poisoned := mean(t, even, func(f *federation) { trimmed(f); f.attack = &a })
		if math.Abs(poisoned-honest) > 0.02 {
			t.Errorf("%s: the accuracy moves from %.3f to %.3f", a.name, honest, poisoned)
		}
		if a.factor == 1000 && a.swap {
			if plain := mean(t, even, func(f *federation) { f.attack = &a }); plain > honest-0.1 {
				t.Errorf("%s: the plain mean has an accuracy of %.3f: the attack does nothing", a.name, plain)
			}
		}
	}
}

// TestRobustMeanHolds checks for each attack that the robust mean moves by less than two points, also where the classes of the nodes
// differ, and that ten honest nodes lose less than a point by it.
func TestRobustMeanHolds(t *testing.T) {
	mixed := func(f *federation) { f.clip, f.rule = clip, robust(0.1); f.rule.MaxNorm = clip }
	for _, differ := range []float64{1, 100} {
		honest := mean(t, differ, func(f *federation) { mixed(f); f.absent = true })
		for _, a := range attacks {
			if poisoned := mean(t, differ, func(f *federation) { mixed(f); f.attack = &a }); poisoned < honest-0.02 {
				t.Errorf("alpha %v, %s: the accuracy moves from %.3f to %.3f", differ, a.name, honest, poisoned)
			}
		}
		plain, all := mean(t, differ, func(f *federation) { f.clip = clip }), mean(t, differ, mixed)
		if all < plain-0.01 {
			t.Errorf("alpha %v: with ten honest nodes the accuracy is %.3f, and %.3f by the plain mean", differ, all, plain)
		}
	}
}

// TestRefusedUpdatesAreCounted checks that an update above the clip is refused in each round, and no other.
func TestRefusedUpdatesAreCounted(t *testing.T) {
	nodes, err := partition(clusters(1, 300), classes, 10, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := federationOf(1)
	f.clip, f.rule.MaxNorm, f.rounds, f.attack = clip, clip, 7, &attacks[1]
	out, err := f.run(t.Context(), nodes)
	if err != nil || out.refused != 7 {
		t.Errorf("%d updates were refused in 7 rounds, %v", out.refused, err)
	}
}

func TestMasksChangeNothing(t *testing.T) {
	nodes, err := partition(clusters(2, 100), classes, 5, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	f := federationOf(2)
	f.rounds = 3
	plain, err := f.run(t.Context(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	f.masked = true
	masked, err := f.run(t.Context(), nodes)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range plain.head.Values {
		if math.Abs(v-masked.head.Values[i]) > 1e-5 {
			t.Fatalf("value %d is %v, and %v with masks", i, v, masked.head.Values[i])
		}
	}
}

// TestNoiseCosts checks that noise with a small epsilon lowers the accuracy.
func TestNoiseCosts(t *testing.T) {
	quiet := mean(t, 1, func(f *federation) { f.clip = clip })
	if noisy := mean(t, 1, func(f *federation) { f.clip, f.noise = clip, 3 }); noisy > quiet-0.05 {
		t.Errorf("the accuracy is %.3f with noise, and %.3f without", noisy, quiet)
	}
}

func TestPartition(t *testing.T) {
	data := clusters(1, 200)
	// most returns the mean share of the largest class of a node.
	most := func(alpha float64) float64 {
		nodes, err := partition(data, classes, 10, alpha, 1)
		if err != nil {
			t.Fatal(err)
		}
		seen, share := map[*float32]bool{}, 0.0
		for _, n := range nodes {
			var counts [classes]int
			for i, x := range n.Features {
				seen[&x[0]] = true
				counts[n.Classes[i]]++
			}
			if n.Len() < minExamples {
				t.Errorf("a node has %d examples", n.Len())
			}
			share += float64(max(counts[0], counts[1], counts[2], counts[3])) / float64(n.Len()) / 10
		}
		if len(seen) != data.Len() {
			t.Errorf("%d of %d examples are with a node", len(seen), data.Len())
		}
		return share
	}
	if skewed, even := most(0.3), most(1000); skewed < even+0.15 {
		t.Errorf("the largest class of a node has a share of %.2f with alpha 0.3 and of %.2f with alpha 1000", skewed, even)
	}
	if _, err := partition(clusters(1, 19), classes, 10, 1, 1); err == nil {
		t.Error("19 examples were given to 10 nodes so that each has 2")
	}
}

func TestSkew(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	var node softmax.Data
	for i := range 40 {
		node.Features, node.Classes = append(node.Features, []float32{random.Float32()}), append(node.Classes, i%2)
	}
	least := 1.0
	for _, n := range skew([]softmax.Data{node, node, node, node}, alpha, 1) {
		counts := [2]int{}
		for _, c := range n.Classes {
			counts[c]++
		}
		if max(counts[0], counts[1]) != 20 {
			t.Errorf("a node has %v of its classes", counts)
		}
		least = min(least, float64(min(counts[0], counts[1]))/20)
	}
	if least > 0.3 {
		t.Errorf("no node has less than %.2f of a class", least)
	}
}

func TestSeries(t *testing.T) {
	s := series{1, 2, 3, 4, 5, 6}
	if got := s.String(); got != "3.5 ± 2.0" { // 2.571 x 1.871 / 2.449
		t.Errorf("the series is %s", got)
	}
	if got := s.minus(series{1, 1, 1, 1, 1, 1}).mean(); got != 2.5 {
		t.Errorf("the mean difference is %v", got)
	}
}
