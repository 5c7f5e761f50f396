//go:build cgo

package page

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgelens/internal/testutil/browsertest"
)

// photos writes JPEGs of the photographs that scripts/screenshots fetches to a folder and returns their paths: a man with
// a camera, a cup of coffee, a cat, and a covered lens.
func photos(t *testing.T) []string {
	t.Helper()
	folder := t.TempDir()
	var names []string
	for _, name := range []string{"camera.png", "coffee.png", "chelsea.png"} {
		file, err := os.Open(filepath.Join(os.Getenv("EDGELENS_TEST_PHOTOS"), name))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := png.Decode(file)
		_ = file.Close()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, strings.TrimSuffix(name, ".png")+".jpg")
		writeJPEG(t, path, decoded)
		names = append(names, path)
	}
	gray := image.NewRGBA(image.Rect(0, 0, 320, 240)) // a covered lens: rated as unusable
	draw.Draw(gray, gray.Bounds(), image.NewUniform(color.Gray{Y: 6}), image.Point{}, draw.Src)
	path := filepath.Join(folder, "dark.jpg")
	writeJPEG(t, path, gray)
	return append(names, path)
}

func writeJPEG(t *testing.T, path string, content image.Image) {
	t.Helper()
	var encoded bytes.Buffer
	if err := jpeg.Encode(&encoded, content, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, encoded.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// change sends JSON to the service.
func (s *service) change(method, path, body string) {
	s.t.Helper()
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %d", method, path, response.StatusCode)
	}
}

// The screenshots of the documentation: scripts/screenshots writes them.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("EDGELENS_TEST_SCREENSHOTS")
	if folder == "" {
		t.Skip("EDGELENS_TEST_SCREENSHOTS is not set, so no screenshots are written")
	}
	images := photos(t)
	s := newService(t, "--ledger-keep-images=true", "--ledger-keep-sync=true")
	installed := t.TempDir()
	s.run("model", "pull", "--models-dir", installed)
	s.modelsFlag = []string{"--models-dir", installed}
	s.start()
	for round := range 3 {
		for i, one := range []struct {
			dialect, prefix string
			images          []int
		}{{"camera", "cam-yard-", []int{2, 3, 2}}, {"fungxi", "10311", []int{1}}, {"fungxi", "10267", []int{0}}} {
			arguments := []string{"--records", "17", "--dialect", one.dialect, "--serial-prefix", one.prefix, "--seed", fmt.Sprint(10*round + i + 1)}
			for _, n := range one.images {
				arguments = append(arguments, "--images", images[n])
			}
			if one.dialect == "fungxi" {
				arguments = append(arguments, "--damaged", "0.12")
			}
			s.simulate(arguments...)
		}
	}
	_, body := s.get("/api/devices", "application/json")
	for prefix, name := range map[string]string{"10267": "Front door", "cam-yard": "Yard", "10311": "Break room"} {
		at := strings.Index(body, `"id":"`+prefix)
		if at < 0 {
			t.Fatalf("no device %s...: %s", prefix, body)
		}
		id, _, _ := strings.Cut(body[at+len(`"id":"`):], `"`)
		s.change("PATCH", "/api/devices/"+id, `{"display_name":"`+name+`"}`)
	}
	photo, err := os.ReadFile(images[2])
	if err != nil {
		t.Fatal(err)
	}
	ctx := browsertest.New(t)
	for _, one := range []struct {
		name, theme, address string
		width, height        int64
		try                  bool
	}{
		{"page-now-desktop", "light", "/", 1280, 800, true}, {"page-now-phone", "light", "/", 390, 844, true},
		{"page-devices-desktop", "dark", "/?view=devices", 1280, 800, false}, {"page-devices-phone", "dark", "/?view=devices", 390, 844, false},
		{"page-history-desktop", "light", "/?view=history", 1280, 800, false}, {"page-system-desktop", "light", "/?view=system", 1280, 800, false},
	} {
		browsertest.Size(t, ctx, one.width, one.height)
		browsertest.Open(t, ctx, s.url)
		browsertest.Run(t, ctx, fmt.Sprintf("localStorage.setItem('edgelens.theme', %q)", one.theme))
		open(t, ctx, s.url+one.address)
		if one.try {
			drop(t, ctx, "cat.jpg", "image/jpeg", photo)
			browsertest.Until(t, ctx, "the photo is recognized", "document.querySelector('.meter')")
		}
		browsertest.Screenshot(t, ctx, filepath.Join(folder, one.name+".webp"))
	}
}
