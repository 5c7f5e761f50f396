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

// jpegStart is the marker at the start of every JPEG (ITU-T T.81, B.1.1.3), and
// jpegComment that of a comment.
var (
	jpegStart   = []byte{0xff, 0xd8}
	jpegComment = []byte{0xff, 0xfe}
)

const (
	imageWidth, imageHeight = 320, 240
	imageQuality            = 80
)

// draw returns a JPEG of a gradient of two colors with a disc in a third: nothing that a
// model recognizes, and never the same.
func draw(random *rand.Rand) []byte {
	from, to, disc := randomColor(random), randomColor(random), randomColor(random)
	x0, y0, r := random.IntN(imageWidth), random.IntN(imageHeight), 20+random.IntN(60)
	image := image.NewRGBA(image.Rect(0, 0, imageWidth, imageHeight))
	for y := range imageHeight {
		for x := range imageWidth {
			c := mix(from, to, x+y, imageWidth+imageHeight)
			if (x-x0)*(x-x0)+(y-y0)*(y-y0) < r*r {
				c = disc
			}
			image.SetRGBA(x, y, c)
		}
	}
	var out bytes.Buffer
	_ = jpeg.Encode(&out, image, &jpeg.Options{Quality: imageQuality}) // a buffer never fails
	return out.Bytes()
}

func randomColor(random *rand.Rand) color.RGBA {
	n := random.Uint32()
	return color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255}
}

func mix(from, to color.RGBA, i, n int) color.RGBA {
	part := func(a, b uint8) uint8 { return uint8((int(a)*(n-i) + int(b)*i) / n) }
	return color.RGBA{part(from.R, to.R), part(from.G, to.G), part(from.B, to.B), 255}
}

// withComment returns the JPEG with a comment; any other format unchanged.
func withComment(image []byte, device string, key int64) []byte {
	if !bytes.HasPrefix(image, jpegStart) {
		return image
	}
	comment := fmt.Sprintf("simulated: %s %d", device, key)
	out := make([]byte, 0, len(image)+len(comment)+4)
	out = append(append(out, jpegStart...), jpegComment...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(comment)+2)) // the length includes itself
	out = append(out, comment...)
	return append(out, image[len(jpegStart):]...)
}

// maxImage is the maximum size of a sent image: the limit of servers.
const maxImage = 10 << 20

// readImages reads image files and folders of them.
func readImages(paths []string) ([][]byte, error) {
	var images [][]byte
	for _, path := range paths {
		files, err := imagefile.List(path)
		if err != nil {
			return nil, fmt.Errorf("--images: %w", err)
		}
		for _, file := range files {
			image, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("--images: %w", err)
			}
			if len(image) == 0 || len(image) > maxImage {
				return nil, fmt.Errorf("--images: %s has %d bytes; an image has 1 to %d", file, len(image), maxImage)
			}
			images = append(images, image)
		}
	}
	return images, nil
}
