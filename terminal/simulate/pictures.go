package simulate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"

	"edgelens/internal/imagefile"
)

// jpegStart is the marker that every JPEG begins with (ITU-T T.81, B.1.1.3), and
// jpegComment that of a comment.
var (
	jpegStart   = []byte{0xff, 0xd8}
	jpegComment = []byte{0xff, 0xfe}
)

const (
	pictureWidth, pictureHeight = 320, 240
	pictureQuality              = 80
)

// draw returns a JPEG of two colours that run into each other, with a disc in a
// third: nothing that a model would know, and never the same.
func draw(random *rand.Rand) []byte {
	from, to, disc := colour(random), colour(random), colour(random)
	x0, y0, r := random.IntN(pictureWidth), random.IntN(pictureHeight), 20+random.IntN(60)
	picture := image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))
	for y := range pictureHeight {
		for x := range pictureWidth {
			c := mix(from, to, x+y, pictureWidth+pictureHeight)
			if (x-x0)*(x-x0)+(y-y0)*(y-y0) < r*r {
				c = disc
			}
			picture.SetRGBA(x, y, c)
		}
	}
	var out bytes.Buffer
	_ = jpeg.Encode(&out, picture, &jpeg.Options{Quality: pictureQuality}) // a buffer takes everything
	return out.Bytes()
}

func colour(random *rand.Rand) color.RGBA {
	n := random.Uint32()
	return color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255}
}

func mix(from, to color.RGBA, i, n int) color.RGBA {
	part := func(a, b uint8) uint8 { return uint8((int(a)*(n-i) + int(b)*i) / n) }
	return color.RGBA{part(from.R, to.R), part(from.G, to.G), part(from.B, to.B), 255}
}

// withComment returns the JPEG with a comment; anything else as it is.
func withComment(picture []byte, device string, key int64) []byte {
	if !bytes.HasPrefix(picture, jpegStart) {
		return picture
	}
	comment := fmt.Sprintf("simulated: %s %d", device, key)
	out := make([]byte, 0, len(picture)+len(comment)+4)
	out = append(append(out, jpegStart...), jpegComment...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(comment)+2)) // the length counts itself
	out = append(out, comment...)
	return append(out, picture[len(jpegStart):]...)
}

// maxPicture is how large a picture may be that is sent: what servers take.
const maxPicture = 10 << 20

// readPictures reads files, and the pictures in folders.
func readPictures(paths []string) ([][]byte, error) {
	var pictures [][]byte
	for _, path := range paths {
		files, err := imagefile.List(path)
		if err != nil {
			return nil, fmt.Errorf("--images: %w", err)
		}
		for _, file := range files {
			picture, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("--images: %w", err)
			}
			if len(picture) == 0 || len(picture) > maxPicture {
				return nil, fmt.Errorf("--images: %s has %d bytes; a picture has 1 to %d", file, len(picture), maxPicture)
			}
			pictures = append(pictures, picture)
		}
	}
	return pictures, nil
}
