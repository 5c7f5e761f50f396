package study_test

import (
	"bytes"
	"encoding/hex"
	"image"
	"testing"

	_ "edgelens/tools/studies/study"
)

// The headers are of images of one pixel; encoders would register their decoders.
func TestImagesOfEveryFormatAreDecoded(t *testing.T) {
	for format, header := range map[string]string{
		"bmp":  "424d3a0000000000000036000000280000000100000001000000010018000000000004000000130b0000130b00000000000000000000",
		"png":  "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de",
		"webp": "524946461a000000574542505650384c0d0000002f00000010071011118888fe0700",
		"jpeg": "ffd8ffc0000b080001000101011100ffda0008",
	} {
		data, err := hex.DecodeString(header)
		if err != nil {
			t.Fatal(err)
		}
		config, got, err := image.DecodeConfig(bytes.NewReader(data))
		if err != nil || got != format || config.Width != 1 || config.Height != 1 {
			t.Errorf("%s: %s, %+v, %v", format, got, config, err)
		}
	}
}
