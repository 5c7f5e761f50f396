package tflite

import (
	"fmt"
	"strconv"
	"strings"
)

// oldest is the oldest version of TensorFlow Lite whose C API has what is called here;
// scripts/install-tflite has it, too.
var oldest = [2]int{2, 17}

// checkVersion returns an error, a sentence on what to do, for a library that is older than
// the oldest or does not name its version.
func checkVersion(version string) error {
	var found [2]int
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	for i, number := range []string{major, minor} {
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("the TensorFlow Lite library calls itself version %.20q, which is not a version: use one from %d.%d to 2.20", version, oldest[0], oldest[1])
		}
		found[i] = n
	}
	if found[0] < oldest[0] || found[0] == oldest[0] && found[1] < oldest[1] {
		return fmt.Errorf("the TensorFlow Lite library is version %s, and edgelens needs %d.%d or later: replace lib/edgelens/libtensorflowlite_c.so beside the program, or set TFLITE_ROOT to a newer library and build again", version, oldest[0], oldest[1])
	}
	return nil
}
