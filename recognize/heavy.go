package recognize

import (
	"time"

	"edgelens"
)

// Heavy images take a hundred times as long to decode as ordinary ones. A few of them at a time
// would hold all slots, so that everyone else waits for seconds. While others arrive, they
// have one slot of their own, or all but two of many.
const (
	// heavyMemory is the memory for decoding, and heavyEncoded the size, in bytes, beyond which an
	// image is heavy. A photograph of 12 megapixels has 45 MB and 6 MB.
	heavyMemory, heavyEncoded = 48 << 20, 8 << 20
	// An image that is decoded for slowFactor times as long as recognitions typically take, and
	// for minSlow, is as good as heavy.
	slowFactor, minSlow = 8, 100 * time.Millisecond
)

func isHeavy(req *edgelens.Request, bytes int64) bool {
	return bytes > heavyMemory || len(req.Image) > heavyEncoded
}

// decodesAhead notes that the image of work that holds a slot is decoded before it has an
// interpreter: while it is, others can use that.
func (a *admission) decodesAhead(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t.ahead = true
	a.awaitSlow()
}

// The rest must be called with the lock held.

// isSlow reports whether work holds a slot of heavy images.
func (a *admission) isSlow(t *ticket) bool {
	return t.heavy || t.ahead && t.holds && a.slowIn(t) <= 0
}

// slowIn is how long work may be decoded until it is slow.
func (a *admission) slowIn(t *ticket) time.Duration {
	return max(minSlow, slowFactor*a.typical) - a.now().Sub(t.started)
}

// slow is how many hold a slot of heavy images.
func (a *admission) slow() int {
	n := 0
	for t := range a.running {
		if a.isSlow(t) {
			n++
		}
	}
	return n
}

// heavySlots is how many slots are for heavy images while others arrive.
func (a *admission) heavySlots() int { return max(1, a.slots-2) }

// heavyWait is how long a heavy image must wait for a slot of its own at least: until others
// have not arrived for a while, or 0.
func (a *admission) heavyWait() time.Duration {
	if a.slow() < a.heavySlots() {
		return 0
	}
	return max(0, reserved-a.now().Sub(a.latelyLight))
}

// awaitSlow serves those who wait once running work is slow, which makes room.
func (a *admission) awaitSlow() {
	if !a.waits() {
		return
	}
	for t := range a.running {
		if t.ahead && t.holds && !t.heavy {
			if left := a.slowIn(t); left > 0 {
				a.serveAfter(left)
			}
		}
	}
}

// MostAtOnce returns how many images are decoded at a time at most with that many slots: in
// each slot, in that of a device, and slow ones that made room for others.
func MostAtOnce(slots int) int { return 2*slots + 1 }
