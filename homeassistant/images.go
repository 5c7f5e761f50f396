package homeassistant

import "sync"

// maxImages is the maximum number of devices whose images wait.
const maxImages = 100

// images are those to be published: the last one of each device. It is safe for use by many goroutines.
type images struct {
	wake chan struct{}

	mu      sync.Mutex
	waiting map[string][]byte
}

func newImages() *images { return &images{wake: make(chan struct{}, 1), waiting: map[string][]byte{}} }

// ShowImage publishes a thumbnail as the last image of a device; without a connection it is dropped.
func (a *Announcer) ShowImage(device string, thumbnail []byte) {
	if !a.config.Images || len(thumbnail) == 0 {
		return
	}
	a.images.mu.Lock()
	_, replaces := a.images.waiting[device]
	full := !replaces && len(a.images.waiting) >= maxImages
	if !full {
		a.images.waiting[device] = thumbnail
	}
	a.images.mu.Unlock()
	if replaces || full {
		a.metrics.dropped.WithLabelValues(dropImage).Inc()
	}
	select {
	case a.images.wake <- struct{}{}:
	default:
	}
}

// take returns one of the images.
func (i *images) take() (device string, image []byte, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for device, image := range i.waiting {
		delete(i.waiting, device)
		return device, image, true
	}
	return "", nil, false
}

// discard drops all images.
func (i *images) discard(m *metrics) {
	i.mu.Lock()
	defer i.mu.Unlock()
	m.dropped.WithLabelValues(dropImage).Add(float64(len(i.waiting)))
	clear(i.waiting)
}
