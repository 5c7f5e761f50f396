package api_test

import (
	"bytes"
	"strings"
	"testing"

	"edgelens/api"
)

func FuzzFormKey(f *testing.F) {
	contentType, body := fields(field{"top_k", "3", ""}, field{"api_key", "elk_x", ""}, field{"file", anImage, "cat.jpg"})
	f.Add(body.Bytes(), contentType, true)
	f.Add(body.Bytes()[:40], contentType, false)
	f.Add([]byte("a=b&api_key=elk_x&image=AAAA"), "application/x-www-form-urlencoded", true)
	f.Add([]byte("api_key=elk"), "application/x-www-form-urlencoded", false)
	f.Fuzz(func(t *testing.T, head []byte, contentType string, whole bool) {
		value, settled := api.FieldIn(head, contentType, "api_key", whole)
		if value != strings.TrimSpace(value) || value != "" && !settled {
			t.Errorf("%q, settled %v", value, settled)
		}
		// With more of the form, what was found stays.
		if again, _ := api.FieldIn(append(bytes.Clone(head), "\r\n&x=y"...), contentType, "api_key", whole); !whole && settled && value != "" && again != value {
			t.Errorf("%q, then %q", value, again)
		}
	})
}
