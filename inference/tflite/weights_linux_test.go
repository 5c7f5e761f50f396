//go:build cgo

package tflite_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"edgelens/inference"
	"edgelens/inference/tflite"
	"edgelens/internal/testutil"
	"edgelens/models"
	"edgelens/models/modeltest"
	"edgelens/models/tflitefile"
)

func open(t testing.TB, path string) inference.Model {
	t.Helper()
	m, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after those of its interpreters
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func add(t testing.TB, m inference.Model) inference.Interpreter {
	t.Helper()
	i, err := m.NewInterpreter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	return i
}

// noise returns an input that is the same for the same seed.
func noise(i inference.Interpreter, seed uint64) []byte {
	input, random := make([]byte, i.Input().Bytes()), rand.New(rand.NewPCG(seed, 1))
	for n := range input {
		input[n] = byte(random.Uint32())
	}
	if i.Input().DType == models.Float32 {
		for n := 0; n < len(input); n += 4 {
			models.PutFloat32(input[n:], 2*random.Float32()-1)
		}
	}
	return input
}

func answer(i inference.Interpreter, input []byte) ([]byte, error) {
	output := make([]byte, i.Output().Bytes())
	return output, errors.Join(inference.SetInput(i, input), i.Invoke(), i.ReadOutput(output))
}

// wide is a model with 12 kB of weights for each output and little else.
func wide(out int) []byte {
	const in = 32 * 32 * 3
	random, data := rand.New(rand.NewPCG(3, 4)), []byte(nil)
	for range in * out {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(random.Float32()-0.5))
	}
	g := &tflitefile.Subgraph{Name: "main"}
	image := g.Add(&tflitefile.Tensor{Name: "image", Shape: []int{1, in}, Type: tflitefile.Float32})
	weights := g.Add(&tflitefile.Tensor{Name: "weights", Shape: []int{out, in}, Type: tflitefile.Float32, Data: data})
	bias := g.Add(&tflitefile.Tensor{Name: "bias", Shape: []int{out}, Type: tflitefile.Float32, Data: make([]byte, 4*out)})
	scores := g.Add(&tflitefile.Tensor{Name: "scores", Shape: []int{1, out}, Type: tflitefile.Float32})
	g.Inputs, g.Outputs = []int{image}, []int{scores}
	g.Operators = []*tflitefile.Operator{{Code: tflitefile.FullyConnected, Inputs: []int{image, weights, bias}, Outputs: []int{scores}, Options: &tflitefile.FullyConnectedOptions{}}}
	file, err := (&tflitefile.Model{Subgraphs: []*tflitefile.Subgraph{g}}).Write()
	if err != nil {
		panic(err)
	}
	return file
}

// paths returns files of this project's making, and shared ones where there are some.
func paths(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{
		"wide":            write(t, wide(512)),
		"float32 network": write(t, modeltest.Network(tflitefile.Float32)),
		"uint8 network":   write(t, modeltest.Network(tflitefile.Uint8)),
		"brightness":      write(t, modeltest.Brightness{}.File()),
		"int8 mean":       write(t, modeltest.Mean(modeltest.Options{Side: 8, DType: models.Int8, Softmax: true})),
	}
	if os.Getenv("EDGELENS_TEST_SHARED") == "" {
		return all
	}
	for _, name := range []string{"tf2_mobilenet_v2_1.0_224_ptq", "mobilenet_v2_1.0_224_quant", "mobilenet_v1_0.25_128_quant", "mobilenet_v1_1.0_224_quant_embedding_extractor"} {
		all[name] = testutil.Shared(t, "models", name+".tflite")
	}
	return all
}

// Shared weights change no bit of an answer, of the first interpreter or a later one.
func TestSharedWeightsAnswerAlike(t *testing.T) {
	for name, path := range paths(t) {
		t.Run(name, func(t *testing.T) {
			m := open(t, path)
			tflite.Unshare(m)
			alone := add(t, m)
			m = open(t, path)
			sharing := []inference.Interpreter{add(t, m), add(t, m), add(t, m)}
			for seed := range uint64(5) {
				want, err := answer(alone, noise(alone, seed))
				if err != nil {
					t.Fatal(err)
				}
				for n, i := range sharing {
					if got, err := answer(i, noise(i, seed)); err != nil || !bytes.Equal(got, want) {
						t.Errorf("interpreter %d, input %d: other bits, or %v", n, seed, err)
					}
				}
			}
			if first, last := sharing[0].Delegation(), sharing[2].Delegation(); first != last || first.Unshared != "" {
				t.Errorf("runs %s, a further one %s", first, last)
			}
		})
	}
}

// Interpreters are built and closed while others run, as a pool does when it replaces one.
func TestSharedWeightsWhileOthersRun(t *testing.T) {
	m := open(t, write(t, wide(512)))
	first := add(t, m)
	input := noise(first, 1)
	want, err := answer(first, input)
	if err != nil {
		t.Fatal(err)
	}
	same := func(i inference.Interpreter) {
		if got, err := answer(i, input); err != nil || !bytes.Equal(got, want) {
			t.Errorf("other bits, or %v", err)
		}
	}
	var group sync.WaitGroup
	done := make(chan struct{})
	group.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				same(first)
			}
		}
	})
	var builders sync.WaitGroup
	for range 3 {
		builders.Go(func() {
			for range 10 {
				i, err := m.NewInterpreter()
				if err != nil {
					t.Error(err)
					return
				}
				same(i)
				if err := i.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	builders.Wait()
	close(done)
	group.Wait()
	// The weights outlive the interpreter that brought them.
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	same(add(t, m))
}

// Where weights cannot be shared, interpreters work without that, and say so.
func TestWeightsThatCannotBeShared(t *testing.T) {
	path := write(t, wide(512))
	reference := add(t, open(t, path))
	input := noise(reference, 1)
	want, err := answer(reference, input)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T, i inference.Interpreter, reason string) {
		t.Helper()
		if got, err := answer(i, input); err != nil || !bytes.Equal(got, want) {
			t.Errorf("other bits, or %v", err)
		}
		d := i.Delegation()
		if d.Delegate != inference.DelegateXNNPACK || !strings.Contains(d.Unshared, reason) || (reason == "") != (d.Unshared == "") {
			t.Errorf("delegate %s, unshared %q; want %q", d.Delegate, d.Unshared, reason)
		}
	}
	t.Run("no memory", func(t *testing.T) {
		m := open(t, path)
		if err := tflite.FailSharing(m); err != nil {
			t.Fatal(err)
		}
		check(t, add(t, m), "too little memory")
		check(t, add(t, m), "too little memory")
	})
	t.Run("packed otherwise each time", func(t *testing.T) {
		m := open(t, path)
		check(t, add(t, m), "")
		tflite.SpoilSharing(m)
		check(t, add(t, m), "") // its own, among the shared ones
		check(t, add(t, m), "otherwise for each")
	})
}

// further returns the private memory of each of n interpreters after the first, having run.
func further(t testing.TB, m inference.Model, n int) int64 {
	t.Helper()
	run := func() {
		i := add(t, m)
		if _, err := answer(i, noise(i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	run()
	before := testutil.PrivateBytes(t)
	for range n {
		run()
	}
	return (testutil.PrivateBytes(t) - before) / int64(n)
}

// memoryChild names a model file for the process that TestMemoryOfFurtherInterpreters starts.
const memoryChild, memoryChildAlone = "EDGELENS_TEST_FURTHER", "EDGELENS_TEST_FURTHER_ALONE"

func TestMemoryChild(t *testing.T) {
	path := os.Getenv(memoryChild)
	if path == "" {
		t.Skip("is run by TestMemoryOfFurtherInterpreters")
	}
	m := open(t, path)
	if os.Getenv(memoryChildAlone) != "" {
		tflite.Unshare(m)
	}
	fmt.Printf("further=%d\n", further(t, m, 8))
}

// A further interpreter has no copy of the weights. It is measured in a process of its
// own: in this one, memory that was freed before would be used again.
func TestMemoryOfFurtherInterpreters(t *testing.T) {
	const mib = 1 << 20
	measure := func(t *testing.T, path, alone string) (bytes int64) {
		t.Helper()
		command := exec.Command(os.Args[0], "-test.run=^TestMemoryChild$", "-test.v")
		command.Env = append(os.Environ(), memoryChild+"="+path, memoryChildAlone+"="+alone)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			if n, _ := fmt.Sscanf(line, "further=%d", &bytes); n == 1 {
				return bytes
			}
		}
		t.Fatalf("no figure in\n%s", out)
		return 0
	}
	for name, c := range map[string]struct {
		path       string
		max, alone int64 // bytes: at most, and at least without sharing
	}{
		"wide":             {write(t, wide(512)), mib / 2, 5 * mib},
		"int8 MobileNetV2": {"tf2_mobilenet_v2_1.0_224_ptq.tflite", 43 * mib / 10, 13 * mib / 2}, // 4.1 MiB with TensorFlow Lite 2.17.1, 3.8 with 2.20
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.HasPrefix(c.path, "/") {
				c.path = testutil.Shared(t, "models", c.path)
			}
			shared, alone := measure(t, c.path, ""), measure(t, c.path, "yes")
			t.Logf("%d kB each, %d without sharing", shared>>10, alone>>10)
			if shared > c.max || alone < c.alone {
				t.Errorf("%d kB each, %d without sharing; want %d at most, %d at least", shared>>10, alone>>10, c.max>>10, c.alone>>10)
			}
		})
	}
}

// Opening, building, running and closing leaves nothing behind.
func TestSharedWeightsDoNotLeak(t *testing.T) {
	path := write(t, wide(50))
	cycle := func() {
		m, err := tflite.New().Open(path, inference.Options{Threads: 1, Delegate: inference.DelegateAuto})
		if err != nil {
			t.Fatal(err)
		}
		var interpreters []inference.Interpreter
		for range 2 {
			i, err := m.NewInterpreter()
			if err != nil {
				t.Fatal(err)
			}
			interpreters = append(interpreters, i)
			if _, err := answer(i, make([]byte, i.Input().Bytes())); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range interpreters { // before the model
			if err := i.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	for range 20 { // until the allocators are warm
		cycle()
	}
	testutil.DoesNotLeak(t, 200, 256<<10, cycle)
}

// BenchmarkFurther builds interpreters after the first of a model, and reports the private
// memory of each. "alone" is without shared weights; its memory is too small after "shared"
// in the same process, which leaves some to use again.
func BenchmarkFurther(b *testing.B) {
	path := testutil.Shared(b, "models", "tf2_mobilenet_v2_1.0_224_ptq.tflite")
	for _, name := range []string{"shared", "alone"} {
		b.Run(name, func(b *testing.B) {
			m := open(b, path)
			if name == "alone" {
				tflite.Unshare(m)
			}
			private := further(b, m, 8)
			for b.Loop() {
				i, err := m.NewInterpreter()
				if err != nil {
					b.Fatal(err)
				}
				if err := i.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(private)/(1<<20), "MiB/interpreter") // Loop drops what was reported before
		})
	}
}

// BenchmarkSharedInvoke runs interpreters with and without shared weights in turn, and
// reports the best and median time of each.
func BenchmarkSharedInvoke(b *testing.B) {
	for _, name := range []string{"tf2_mobilenet_v2_1.0_224_ptq", "mobilenet_v2_1.0_224_quant", "mobilenet_v1_0.25_128_quant"} {
		b.Run(name, func(b *testing.B) {
			path := testutil.Shared(b, "models", name+".tflite")
			shared, alone := open(b, path), open(b, path)
			tflite.Unshare(alone)
			var two [2]inference.Interpreter
			for n, m := range []inference.Model{shared, alone} {
				add(b, m)
				two[n] = add(b, m) // a further one
			}
			var times [2][]time.Duration
			for b.Loop() {
				for n, i := range two {
					start := time.Now()
					if err := i.Invoke(); err != nil {
						b.Fatal(err)
					}
					times[n] = append(times[n], time.Since(start))
				}
			}
			for n, name := range []string{"shared", "alone"} {
				slices.Sort(times[n])
				b.ReportMetric(times[n][0].Seconds()*1e3, name+"-best-ms")
				b.ReportMetric(times[n][len(times[n])/2].Seconds()*1e3, name+"-p50-ms")
			}
		})
	}
}
