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
	imageQuality            = 85
)

// shapes and grain are those of generated images: enough that the quality model rates
// them usable (250 shapes: all of 8; 120: 6 of 8; 40: 3 of 8).
const (
	shapes = 250
	grain  = 4
)

// drawImages returns a few generated images, the same for a seed.
func drawImages(seed uint64) [][]byte {
	random := rand.New(rand.NewPCG(seed, 1<<32))
	images := make([][]byte, 8)
	for i := range images {
		images[i] = draw(random)
	}
	return images
}

// draw returns a JPEG of colored shapes with grain: nothing that a model has learned.
func draw(random *rand.Rand) []byte {
	canvas := image.NewRGBA(image.Rect(0, 0, imageWidth, imageHeight))
	from, to := randomColor(random), randomColor(random)
	for y := range imageHeight {
		for x := range imageWidth {
			canvas.SetRGBA(x, y, mix(from, to, y, imageHeight))
		}
	}
	for range shapes {
		drawShape(canvas, random)
	}
	for i := range canvas.Pix {
		if i%4 < 3 { // not the alpha
			canvas.Pix[i] = uint8(min(255, max(0, int(canvas.Pix[i])+random.IntN(2*grain+1)-grain)))
		}
	}
	var out bytes.Buffer
	_ = jpeg.Encode(&out, canvas, &jpeg.Options{Quality: imageQuality}) // a buffer takes everything
	return out.Bytes()
}

// drawShape fills a rectangle or an ellipse somewhere.
func drawShape(canvas *image.RGBA, random *rand.Rand) {
	fill, isEllipse := randomColor(random), random.IntN(2) == 0
	box := image.Rect(0, 0, 6+random.IntN(50), 6+random.IntN(70)).Add(image.Pt(random.IntN(imageWidth), random.IntN(imageHeight)))
	for y := box.Min.Y; y < min(box.Max.Y, imageHeight); y++ {
		for x := box.Min.X; x < min(box.Max.X, imageWidth); x++ {
			dx, dy := 2*float64(x-box.Min.X)/float64(box.Dx())-1, 2*float64(y-box.Min.Y)/float64(box.Dy())-1
			if !isEllipse || dx*dx+dy*dy < 1 {
				canvas.SetRGBA(x, y, fill)
			}
		}
	}
}

func randomColor(random *rand.Rand) color.RGBA {
	channel := func() uint8 { return uint8(40 + random.IntN(176)) }
	return color.RGBA{channel(), channel(), channel(), 255}
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
