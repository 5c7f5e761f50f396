package groups_test

import (
	"testing"

	"edgelens/tools/studies/groups"
)

// The issue asks for eight groups of at least twelve images.
func TestImages(t *testing.T) {
	images, err := groups.Images()
	if err != nil {
		t.Fatal(err)
	}
	counts, files, before := map[string]int{}, map[string]bool{}, ""
	for _, i := range images {
		if i.Kind < before {
			t.Errorf("%s follows %s", i.Kind, before)
		}
		if files[i.File] {
			t.Errorf("%s is there twice", i.File)
		}
		before, files[i.File] = i.Kind, true
		counts[i.Kind]++
	}
	for kind, count := range counts {
		if count < 12 {
			t.Errorf("%s has %d images", kind, count)
		}
	}
	if len(counts) < 8 {
		t.Errorf("there are %d groups", len(counts))
	}
}
