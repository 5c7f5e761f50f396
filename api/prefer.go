package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// preferences are what a client wishes by Prefer headers (RFC 7240). What is unknown or
// cannot be read is ignored, as the standard demands, and is missing in
// Preference-Applied.
type preferences struct {
	// async is respond-async.
	async bool
	// signed is a preference of this service: the answer is to be signed.
	signed bool
	// wait is how long the client waits for its answer, up to maxWait; 0 if that is not
	// known.
	wait time.Duration
}

func readPreferences(h http.Header) preferences {
	var p preferences
	waits := false // the first of several counts
	for _, line := range h.Values("Prefer") {
		for preference := range strings.SplitSeq(line, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, value, _ := strings.Cut(preference, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "respond-async":
				p.async = true
			case "signed":
				p.signed = true
			case "wait":
				seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
				if err == nil && seconds > 0 && !waits {
					p.wait = min(time.Duration(seconds)*time.Second, maxWait)
				}
				waits = true
			}
		}
	}
	return p
}

// preferenceApplied is the response header that names the preferences that count.
const preferenceApplied = "Preference-Applied"

// limit returns a context that ends when the client stops waiting, and adds the applied
// preference to the response.
func (p preferences) limit(ctx context.Context, response http.Header) (context.Context, context.CancelFunc) {
	if p.wait == 0 {
		return ctx, func() {}
	}
	response.Set(preferenceApplied, "wait="+strconv.Itoa(int(p.wait.Seconds())))
	return context.WithTimeout(ctx, p.wait)
}
