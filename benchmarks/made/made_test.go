package made_test

import (
	"bytes"
	"image"
	_ "image/jpeg"
	"testing"

	"edgelens/benchmarks/made"
)

func TestJPEGIsTheSameEveryTime(t *testing.T) {
	one := made.JPEG(160, 90)
	config, _, err := image.DecodeConfig(bytes.NewReader(one))
	if err != nil || config.Width != 160 || config.Height != 90 {
		t.Errorf("%+v, %v", config, err)
	}
	if !bytes.Equal(one, made.JPEG(160, 90)) {
		t.Error("the same size gives another image")
	}
	if bytes.Equal(one, made.JPEG(90, 160)) {
		t.Error("another size gives the same image")
	}
}
