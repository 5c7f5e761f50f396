package stored_test

import (
	"testing"

	"edgelens"
	"edgelens/internal/stored"
)

// BenchmarkUnmarshalResult is the larger part of what a page of results costs.
func BenchmarkUnmarshalResult(b *testing.B) {
	r := &edgelens.Result{RequestID: "0197a000-0000-7000-8000-00000000000b", Model: edgelens.ModelRef{Name: "mobilenet_v2_1.0_224_int8", Digest: "sha256:5d3137241276e79c86d14a74fe43581398ae0e815191d3dba45495b810840e8c"}}
	for i := range 5 {
		r.Predictions = append(r.Predictions, edgelens.Prediction{ClassID: 280 + i, Label: "Egyptian cat", Probability: 0.7 / float64(i+1)})
	}
	r.Image = edgelens.ImageInfo{Width: 1280, Height: 720, Format: "jpeg", SHA256: "5d3137241276e79c86d14a74fe43581398ae0e815191d3dba45495b810840e8c"}
	text, err := stored.MarshalResult(r)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := stored.UnmarshalResult(text); err != nil {
			b.Fatal(err)
		}
	}
}
