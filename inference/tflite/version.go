package tflite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// oldest is the oldest version of TensorFlow Lite whose C API has what is called here;
// scripts/install-tflite has it, too.
var oldest = [2]int{2, 17}

// newest is the newest version whose options of XNNPACK are known throughout.
var newest = [2]int{2, 20}

// checkVersion returns an error, a sentence on what to do, for a library that is older than
// the oldest or does not name its version.
func checkVersion(version string) error {
	found, err := parseVersion(version)
	if err != nil {
		return fmt.Errorf("the TensorFlow Lite library calls itself version %.20q, which is not a version: use one from %d.%d to %d.%d", version, oldest[0], oldest[1], newest[0], newest[1])
	}
	if slices.Compare(found[:], oldest[:]) < 0 {
		return fmt.Errorf("the TensorFlow Lite library is version %s, and edgelens needs %d.%d or later: replace lib/edgelens/libtensorflowlite_c.so beside the program, or set TFLITE_ROOT to a newer library and build again", version, oldest[0], oldest[1])
	}
	return nil
}

// knowsOptions reports whether all options of XNNPACK are known of that version.
func knowsOptions(version string) bool {
	found, err := parseVersion(version)
	return err == nil && slices.Compare(found[:], oldest[:]) >= 0 && slices.Compare(found[:], newest[:]) <= 0
}

// parseVersion returns the major and minor number.
func parseVersion(version string) (found [2]int, err error) {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	for i, number := range []string{major, minor} {
		if found[i], err = strconv.Atoi(number); err != nil {
			return found, err
		}
	}
	return found, nil
}
