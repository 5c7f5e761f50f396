package web_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"edgelens/internal/testutil/browsertest"
)

// sizes are those of windows.
var sizes = map[string][2]int64{"phone": {360, 800}, "desktop": {1440, 900}}

// All views in all forms, for people who change them: EDGELENS_TEST_VIEWS=folder.
func TestScreenshotsOfViews(t *testing.T) {
	folder := os.Getenv("EDGELENS_TEST_VIEWS")
	if folder == "" {
		t.Skip("EDGELENS_TEST_VIEWS is not set, so no screenshots are written")
	}
	ctx := browsertest.New(t)
	for _, content := range []string{"empty", "full"} {
		f := newFake(t)
		if content == "full" {
			f.fill()
		}
		for _, theme := range []string{"light", "dark"} {
			prefer(t, ctx, f.URL, "theme", theme)
			for device, size := range sizes {
				browsertest.Size(t, ctx, size[0], size[1])
				for name, address := range views {
					if content == "empty" && (name == "device" || name == "record") {
						continue
					}
					show(t, ctx, f.URL+address)
					browsertest.Screenshot(t, ctx, filepath.Join(folder, fmt.Sprintf("%s-%s-%s-%s.png", name, content, theme, device)))
				}
			}
		}
	}
}

// The screenshots of the sensors for the documentation: scripts/screenshots writes them.
func TestScreenshotsOfSensors(t *testing.T) {
	folder := os.Getenv("EDGELENS_TEST_SCREENSHOTS")
	if folder == "" {
		t.Skip("EDGELENS_TEST_SCREENSHOTS is not set, so no screenshots are written")
	}
	ctx := browsertest.New(t)
	f := newFake(t)
	f.fill()
	for device, theme := range map[string]string{"phone": "light", "desktop": "dark"} {
		prefer(t, ctx, f.URL, "theme", theme)
		browsertest.Size(t, ctx, map[string]int64{"phone": 390, "desktop": 1280}[device], map[string]int64{"phone": 844, "desktop": 800}[device])
		show(t, ctx, f.URL+"/?view=sensors&ids=room_101%252Ftemperature,room_102%252Ftemperature")
		browsertest.Until(t, ctx, "the chart is drawn", "document.querySelector('.chart canvas') && document.querySelectorAll('.legend b')[1]?.textContent")
		browsertest.Screenshot(t, ctx, filepath.Join(folder, "page-sensors-"+device+".webp"))
	}
}
