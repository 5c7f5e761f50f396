package cross

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/testutil"
)

// allClasses and the times allow a slow emulator to return all classes.
var allClasses = []string{"--json", "--top-k=1000", "--recognize-timeout=5m", "--inference-invoke-timeout=5m"}

// closeCall is the maximum difference of two classes that swap the top place between the programs, where TensorFlow
// Lite's own kernels run, or a model computes in uint8: these round differently on each kind of processor, by design
// (https://github.com/tensorflow/tensorflow/issues/25087). XNNPACK's kernels for int8 and float32 do not.
const closeCall = 0.1

// closeCallUint8 is that of models that compute in uint8 by TensorFlow Lite's own kernels: largest seen on armv7 0.176.
const closeCallUint8 = 0.2

// sharedModels are the models of the manifest, whose files are in the shared folder.
var sharedModels = []string{"mobilenet_v2_1.0_224_int8", "mobilenet_v2_1.0_224_uint8", "mobilenet_v1_0.25_128_uint8"}

// programs are the two programs to compare, each a command and its arguments.
type programs struct{ native, cross []string }

func programsUnderTest(t *testing.T) programs {
	t.Helper()
	native, cross := strings.Fields(os.Getenv("EDGELENS_TEST_NATIVE")), strings.Fields(os.Getenv("EDGELENS_TEST_CROSS"))
	if len(native) == 0 || len(cross) == 0 {
		t.Skip("EDGELENS_TEST_NATIVE and EDGELENS_TEST_CROSS are not set: there is no cross-built program to compare; make check-arm64 and make check-armv7 build one")
	}
	return programs{native, cross}
}

func TestSameAnswersForGeneratedImages(t *testing.T) {
	p := programsUnderTest(t)
	folder := t.TempDir()
	images := makeImages(t, folder)
	for _, model := range makeModels(t, folder) {
		t.Run(model, func(t *testing.T) { p.check(t, folder, model, images) })
	}
}

func TestSameAnswersForPhotographs(t *testing.T) {
	p := programsUnderTest(t)
	shared := testutil.Shared(t)
	images := imagesIn(t, filepath.Join(shared, "images"))
	images = append(images, asJPEGs(t, images, t.TempDir())...)
	for _, model := range sharedModels {
		t.Run(model, func(t *testing.T) { p.check(t, filepath.Join(shared, "models"), model, images) })
	}
}

// check sends the images to both programs, prints a line for each answer, and fails where the results differ.
func (p programs) check(t *testing.T, modelsDir, model string, images []string) {
	where := []string{"--data-dir=" + t.TempDir(), "--models-dir=" + modelsDir}
	rows := [2]map[string]string{inspect(t, p.native, model, where), inspect(t, p.cross, model, where)}
	fmt.Printf("\n%s (%s; cross-built: %s)\n", model, rows[0]["runs"], rows[1]["runs"])
	same := []string{"delegate", "runs"}
	if rows[1]["delegate"] == "none" && rows[1]["runs"] == "not counted" {
		same = same[:1] // a library without XNNPACK does not count, and the other program runs without, too
	}
	for _, name := range same {
		if rows[0][name] == "" || rows[0][name] != rows[1][name] {
			t.Errorf("%s differs: %q, cross-built %q", name, rows[0][name], rows[1][name])
		}
	}

	tolerance := 0.0
	own, uint8s := rows[0]["delegate"] == "none", strings.HasPrefix(rows[0]["weights"], "uint8")
	switch {
	case own && uint8s:
		tolerance = closeCallUint8
	case own || uint8s:
		tolerance = closeCall
	}

	ask := append(append([]string{"recognize", "--model=" + model}, where...), allClasses...)
	var native []answer
	if err := recognize(with(p.native, ask), images, func(a answer) { native = append(native, a) }); err != nil {
		t.Fatal(err)
	}
	const row = "  %-22.22s  %-24.24s  %11s  %11s  %s\n"
	fmt.Printf(row, "IMAGE", "TOP", "NATIVE", "CROSS-BUILT", "LARGEST DIFFERENCE")
	i, compared, differ, swapped, largest := 0, 0, 0, 0, 0.0
	err := recognize(with(p.cross, ask), images, func(cross answer) {
		if i >= len(native) {
			return // recognize counts the answers
		}
		about, name := native[i], filepath.Base(images[i])
		i++
		v := compare(about, cross, tolerance)
		switch {
		case v.Problem != "":
			t.Errorf("%s: %s", name, v.Problem)
			fmt.Printf(row, name, "DIFFERENT", top(about), top(cross), v.Problem)
			return
		case v.Refused:
			fmt.Printf(row, name, "refused by both", about.Code, cross.Code, "-")
			return
		}
		compared++
		label := about.Predictions[0].Label
		if v.CloseCall {
			swapped++
			label = fmt.Sprintf("close call: %d, %d", about.Predictions[0].ClassID, cross.Predictions[0].ClassID)
		}
		if v.Difference != 0 {
			differ++
		}
		largest = max(largest, v.Difference)
		fmt.Printf(row, name, label, probability(about), probability(cross), fmt.Sprintf("%.6f", v.Difference))
	})
	if err != nil {
		t.Fatal(err)
	}
	if compared == 0 && !t.Failed() {
		t.Error("not one image was recognized: nothing is compared")
	}
	fmt.Printf("  %d images compared: the same on top in %d, %d close calls; other probabilities in %d, by %.6f at most\n",
		compared, compared-swapped, swapped, differ, largest)
}

// inspect returns what a program's `model inspect` prints, by the name of the row.
func inspect(t *testing.T, program []string, model string, where []string) map[string]string {
	t.Helper()
	command := with(program, append([]string{"model", "inspect", model}, where...))
	cmd := exec.Command(command[0], command[1:]...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, complaint.Bytes())
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(line, " ")
		rows[name] = strings.TrimSpace(value)
	}
	return rows
}

func with(program, args []string) []string {
	return append(program[:len(program):len(program)], args...)
}

func probability(a answer) string { return fmt.Sprintf("%.6f", a.Predictions[0].Probability) }

// top returns the summary of an answer.
func top(a answer) string {
	if len(a.Predictions) == 0 {
		return a.Code
	}
	return fmt.Sprintf("%d %.3f", a.Predictions[0].ClassID, a.Predictions[0].Probability)
}
