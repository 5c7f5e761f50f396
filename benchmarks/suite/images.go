package suite

import "edgelens/benchmarks/made"

// MadeImages returns generated images: JPEGs of 1280x720 and 1920x1080 with shapes and grain, which cost as much to
// decode as photographs of that size. They are the same every time.
func MadeImages() []Image {
	return []Image{{"made_720p.jpg", made.JPEG(1280, 720)}, {"made_1080p.jpg", made.JPEG(1920, 1080)}}
}
