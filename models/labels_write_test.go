package models_test

import (
	"slices"
	"strings"
	"testing"

	"edgelens/models"
)

// Labels are read as they were written, whatever their words look like, and as plain lines where that can be.
func TestFormatLabels(t *testing.T) {
	for name, test := range map[string]struct {
		labels []string
		begins string
	}{
		"words":           {[]string{"closed", "open"}, "closed\nopen\n"},
		"numbers, words":  {[]string{"0 bins", "1 bin", "2 bins"}, "0  0 bins\n"},
		"counted from 1":  {[]string{"1 car", "2 cars"}, "0  1 car\n"},
		"in disorder":     {[]string{"1: up", "0: down"}, "0  1: up\n"},
		"numbers":         {[]string{"0", "1", "2"}, "0\n"},
		"a CSV":           {[]string{"id,name", "1,open", "2,closed"}, "0  id,name\n"},
		"JSON":            {[]string{`["a"`, `"b"]`}, ""},
		"an item":         {[]string{`item { id: 1 name: "x" }`, "y"}, ""},
		"numbers at ends": {[]string{"lane 2", "lane 1", "lane 0"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			form, err := models.FormatLabels(test.labels)
			if err != nil {
				t.Fatal(err)
			}
			read, err := models.ParseLabels(form)
			if err != nil || !slices.Equal(read, test.labels) {
				t.Errorf("%q is read as %q, %v", form, read, err)
			}
			if !strings.HasPrefix(string(form), test.begins) {
				t.Errorf("%q", form)
			}
		})
	}
	if _, err := models.FormatLabels([]string{"", ""}); err == nil {
		t.Error("no labels are a list")
	}
}

func FuzzFormatLabels(f *testing.F) {
	f.Add("0 bins", "1 bin", "2 bins")
	f.Add("closed", "open", "{")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		labels := []string{a, b, c}
		form, err := models.FormatLabels(labels)
		if err != nil {
			return
		}
		if read, err := models.ParseLabels(form); err != nil || !slices.Equal(read, labels) {
			t.Errorf("%q is read as %q, %v", labels, read, err)
		}
	})
}
