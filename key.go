package edgelens

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Scope is a kind of calls that a key permits.
type Scope string

// The scopes.
const (
	ScopeRecognize Scope = "recognize" // recognize images, and read the models
	ScopeJobs      Scope = "jobs"      // submit jobs, read and cancel them
	ScopeResults   Scope = "results"   // read results, their images and events
	ScopeDevices   Scope = "devices"   // read devices and change them
	ScopeCommands  Scope = "commands"  // send commands to devices: open doors
	ScopeAdmin     Scope = "admin"     // everything
	ScopeMetrics   Scope = "metrics"   // read metrics and the reasons of readiness
	ScopeLearn     Scope = "learn"     // give examples with labels, train heads on them, and roll these back
	ScopePage      Scope = "page"      // the read-only page: read all that it shows, and change nothing
)

// Scopes returns every scope.
func Scopes() []Scope {
	return []Scope{ScopeRecognize, ScopeJobs, ScopeResults, ScopeDevices, ScopeCommands, ScopeAdmin, ScopeMetrics, ScopeLearn, ScopePage}
}

// Key is what a client may do. Its secret, the token, is not a part of it: the client alone has it. The zero Key may do
// nothing.
type Key struct {
	// ID is public: logs and the owners of jobs have it.
	ID string
	// Name is unique among the keys that are not revoked.
	Name   string
	Scopes []Scope
	// Devices and Models are those that the key is bounded to; empty: all.
	Devices, Models []string
	// SeeAll lets the key see the jobs and results of others; ScopeAdmin implies it.
	SeeAll  bool
	Created time.Time
	// Expires is zero for a key that does not expire.
	Expires time.Time
	// LastUsed is to the minute; zero if the key was never used.
	LastUsed time.Time
	// Revoked is zero for a key that was not revoked.
	Revoked time.Time
}

// StoredKey is a key with the hash of its token, as it is kept.
type StoredKey struct {
	Key
	// Hash is the SHA-256 of the token.
	Hash [32]byte
}

// NoKey is the identity of a client where no key is needed: it may do everything, and owns what has no owner.
func NoKey() Key { return Key{Scopes: []Scope{ScopeAdmin}} }

// The limits of a key.
const (
	maxKeyName   = 64
	maxKeyBounds = 1000
	maxBound     = 200 // bytes of a device's id, or a model's name
)

// Check returns an ErrInvalid with every error of a key that is to be created.
func (k Key) Check() error {
	var errs []error
	problem := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...)))
	}
	if !printable(k.Name, maxKeyName) || strings.TrimSpace(k.Name) != k.Name {
		problem("the name of a key must have 1 to %d printable characters, and no blanks around them", maxKeyName)
	}
	if len(k.Scopes) == 0 {
		problem("a key needs at least one scope: %s", scopeNames())
	}
	for _, scope := range k.Scopes {
		if !slices.Contains(Scopes(), scope) {
			problem("there is no scope %q: choose of %s", scope, scopeNames())
		}
	}
	for _, bound := range []struct {
		name string
		list []string
	}{{"devices", k.Devices}, {"models", k.Models}} {
		if len(bound.list) > maxKeyBounds {
			problem("a key may be bounded to at most %d %s", maxKeyBounds, bound.name)
		}
		for _, one := range bound.list {
			if !printable(one, maxBound) || strings.ContainsAny(one, ", ") {
				problem("%s must be names without blanks and commas, not %q", bound.name, one)
			}
		}
	}
	if k.May(ScopeAdmin) && len(k.Devices)+len(k.Models) > 0 {
		problem("a key with the scope %s may do everything, so it cannot be bounded to devices or models: leave out the scope, or the bounds", ScopeAdmin)
	}
	return errors.Join(errs...)
}

func printable(text string, limit int) bool {
	return text != "" && utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func scopeNames() string {
	names := make([]string, 0, len(Scopes()))
	for _, scope := range Scopes() {
		names = append(names, string(scope))
	}
	return strings.Join(names, ", ")
}

// Usable returns an ErrUnauthorized with the reason if the key is revoked or has expired at that time.
func (k Key) Usable(now time.Time) error {
	switch {
	case !k.Revoked.IsZero():
		return fmt.Errorf("%w: this key was revoked; ask the operator for another", ErrUnauthorized)
	case !k.Expires.IsZero() && !now.Before(k.Expires):
		return fmt.Errorf("%w: this key expired on %s; ask the operator for another", ErrUnauthorized, k.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// May reports whether the key permits calls of a scope.
func (k Key) May(scope Scope) bool {
	return slices.Contains(k.Scopes, ScopeAdmin) || slices.Contains(k.Scopes, scope)
}

// MayUseModel reports whether the key permits a model.
func (k Key) MayUseModel(name string) bool {
	return len(k.Models) == 0 || slices.Contains(k.Models, name)
}

// MayUseDevice reports whether the key permits calls about a device.
func (k Key) MayUseDevice(id string) bool {
	return len(k.Devices) == 0 || slices.Contains(k.Devices, id)
}

// MaySee reports whether the key may see a job or result of that owner and device; see Visible.
func (k Key) MaySee(owner, device string) bool { return k.Visible().Includes(owner, device) }

// MayCancel reports whether the key may cancel a job of that owner: its own, or with ScopeAdmin any. To see a job is
// not enough.
func (k Key) MayCancel(owner string) bool { return k.May(ScopeAdmin) || owner != "" && owner == k.ID }

// Visible returns which jobs, results and events the key may see; nil means all. It may see its own, those of the devices
// that it is bounded to by name, and with SeeAll those of others.
func (k Key) Visible() *Visibility {
	if k.SeeAll || k.May(ScopeAdmin) {
		return nil
	}
	return &Visibility{Owner: k.ID, Devices: k.Devices}
}

// Visibility selects jobs, results and events: those of an owner, and those of devices. A nil *Visibility selects all,
// the zero Visibility nothing.
type Visibility struct {
	// Owner is the ID of a key; empty selects none, not what has no owner.
	Owner string
	// Devices are the IDs of devices.
	Devices []string
}

// Includes reports whether what has that owner and device is selected.
func (v *Visibility) Includes(owner, device string) bool {
	return v == nil || owner != "" && owner == v.Owner || device != "" && slices.Contains(v.Devices, device)
}

// Session is the session of a browser, which a client has started with its key.
type Session struct {
	Key Key
	// Cookie identifies it, and is as secret as a key; it ends at Expires.
	Cookie  string
	Expires time.Time
	// CSRFToken comes with each change by this session: a page of another origin cannot know it.
	CSRFToken string
}
