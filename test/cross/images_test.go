package cross

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"

	"edgelens/models"
	"edgelens/models/modeltest"
)

// makeModels writes models of colors, quantized both ways and not, for
// images as large as MobileNet's, and returns their names.
func makeModels(t *testing.T, folder string) []string {
	t.Helper()
	made := []struct {
		name  string
		dtype models.DType
	}{{"colors_int8", models.Int8}, {"colors_uint8", models.Uint8}, {"colors_float32", models.Float32}}
	var names []string
	for _, m := range made {
		file := modeltest.Mean(modeltest.Options{Side: 224, DType: m.dtype, Softmax: true, Labels: modeltest.Labels()})
		write(t, filepath.Join(folder, m.name+".tflite"), file)
		names = append(names, m.name)
	}
	return names
}

// makeImages writes noisy images with one dominant color, of sizes that are no multiple of a JPEG block, and a
// truncated one.
func makeImages(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	add := func(name string, data []byte) {
		file := filepath.Join(folder, name)
		write(t, file, data)
		files = append(files, file)
	}
	for name, rgba := range map[string]color.RGBA{"red": modeltest.Red, "green": modeltest.Green, "blue": modeltest.Blue} {
		for size, bounds := range map[string]image.Rectangle{
			"small": image.Rect(0, 0, 97, 131), "model": image.Rect(0, 0, 224, 224), "large": image.Rect(0, 0, 1283, 719),
		} {
			scene := noise(bounds, rgba)
			add(name+"_"+size+".png", asPNG(t, scene))
			add(name+"_"+size+".jpg", asJPEG(t, scene))
		}
	}
	whole := asJPEG(t, noise(image.Rect(0, 0, 300, 200), modeltest.Red))
	add("cut.jpg", whole[:len(whole)/2])
	slices.Sort(files)
	return files
}

// noise returns an image with random channels, the dominant one twice as bright as the others; the same in each run.
func noise(bounds image.Rectangle, leading color.RGBA) image.Image {
	chance := rand.New(rand.NewPCG(1, uint64(bounds.Dx())))
	scene := image.NewRGBA(bounds)
	lead := [3]uint8{leading.R, leading.G, leading.B}
	for i := range scene.Pix {
		value := uint8(chance.UintN(128))
		if channel := i % 4; channel == 3 {
			value = 255
		} else if lead[channel] != 0 {
			value += 127
		}
		scene.Pix[i] = value
	}
	return scene
}

// imagesIn returns the images below a folder.
func imagesIn(t *testing.T, folder string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && slices.Contains([]string{".jpg", ".jpeg", ".png", ".webp", ".bmp"}, strings.ToLower(filepath.Ext(name))) {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("there are no images in %s", folder)
	}
	return files
}

// asJPEGs writes each BMP as a JPEG and returns the new files: decoders of JPEGs differ by processor, copying a BMP's
// pixels hardly can.
func asJPEGs(t *testing.T, files []string, folder string) []string {
	t.Helper()
	var made []string
	for _, file := range files {
		base, isBMP := strings.CutSuffix(filepath.Base(file), ".bmp")
		if !isBMP {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scene, err := bmp.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		made = append(made, filepath.Join(folder, base+".bmp.jpg"))
		write(t, made[len(made)-1], asJPEG(t, scene))
	}
	return made
}

func asJPEG(t *testing.T, scene image.Image) []byte {
	t.Helper()
	rgba := image.NewRGBA(scene.Bounds()) // what the encoder halves the colors of is the same for every source
	draw.Draw(rgba, rgba.Bounds(), scene, scene.Bounds().Min, draw.Src)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, rgba, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func asPNG(t *testing.T, scene image.Image) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, scene); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
