package models_test

import (
	"fmt"
	"testing"

	"edgelens/models/modeltest"
)

// benchmarkFolder has 20 models of 4 MiB.
func benchmarkFolder(b *testing.B) string {
	dir := b.TempDir()
	model := modeltest.Mean(modeltest.Options{})
	model = append(make([]byte, 0, 4<<20), model...)[:4<<20]
	for i := range 20 {
		write(b, dir, fmt.Sprintf("m%02d.tflite", i), model)
	}
	return dir
}

func BenchmarkFirstList(b *testing.B) {
	dir := benchmarkFolder(b)
	b.SetBytes(20 * 4 << 20)
	for b.Loop() {
		open(b, dir).List()
	}
}

func BenchmarkList(b *testing.B) {
	r := open(b, benchmarkFolder(b))
	r.List()
	b.ReportAllocs()
	for b.Loop() {
		r.List()
	}
}

func BenchmarkGet(b *testing.B) {
	dir := benchmarkFolder(b)
	r := open(b, dir)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Get("m10"); err != nil {
			b.Fatal(err)
		}
	}
}
