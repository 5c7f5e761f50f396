//go:build cgo

package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgelens"
	"edgelens/internal/ledger"
)

func storedKey(id, name string) edgelens.StoredKey {
	return edgelens.StoredKey{
		Key: edgelens.Key{
			ID: id, Name: name, Scopes: []edgelens.Scope{edgelens.ScopeJobs, edgelens.ScopePage}, Devices: []string{"door", "gate"}, Models: []string{"m"}, SeeAll: true,
			Created: time.Date(2026, 4, 10, 8, 0, 0, 0, time.UTC), Expires: time.Date(2027, 4, 10, 8, 0, 0, 0, time.UTC),
		},
		Hash: [32]byte{1, 2, 31: 3},
	}
}

func TestKeysSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	first, second := storedKey("aaaaaaaa", "one"), storedKey("bbbbbbbb", "two")
	second.Devices, second.Models, second.Expires, second.Created = nil, nil, time.Time{}, first.Created.Add(time.Second)
	must(t, l.Keys.AddKey(t.Context(), first))
	must(t, l.Keys.AddKey(t.Context(), second))
	for name, taken := range map[string]edgelens.StoredKey{"name": storedKey("cccccccc", "one"), "id": storedKey("aaaaaaaa", "three")} {
		if err := l.Keys.AddKey(t.Context(), taken); !errors.Is(err, edgelens.ErrConflict) {
			t.Errorf("%s that is taken: %v, want ErrConflict", name, err)
		}
	}
	used, revoked := first.Created.Add(time.Hour), first.Created.Add(2*time.Hour)
	must(t, l.Keys.NoteKeyUse(t.Context(), map[string]time.Time{"aaaaaaaa": used, "dddddddd": used}))
	must(t, l.Keys.RevokeKey(t.Context(), "aaaaaaaa", revoked))
	must(t, l.Keys.RevokeKey(t.Context(), "aaaaaaaa", revoked.Add(time.Hour))) // it stays as it is
	if err := l.Keys.RevokeKey(t.Context(), "dddddddd", revoked); !errors.Is(err, edgelens.ErrNotFound) {
		t.Errorf("an unknown key: %v, want ErrNotFound", err)
	}
	third := storedKey("cccccccc", "one") // the name of a revoked key
	third.Created = second.Created.Add(time.Second)
	must(t, l.Keys.AddKey(t.Context(), third))
	closeLedger(t, l)
	l = open(t, dir, quiet())
	keys, err := l.Keys.Keys(t.Context())
	must(t, err)
	first.LastUsed, first.Revoked = used, revoked
	equal(t, "keys", keys, []edgelens.StoredKey{first, second, third})
}

func owned(owner, device string) func(*edgelens.JobSpec) {
	return func(s *edgelens.JobSpec) { s.Owner, s.Device = owner, device }
}

// The lists are full pages of what the client may see.
func TestListsOfOwners(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, quiet())
	var own, door []string
	for range 3 {
		for _, job := range []edgelens.Job{accept(t, l, owned("aaaaaaaa", "")), accept(t, l, owned("bbbbbbbb", "")), accept(t, l, owned("", "door")), accept(t, l, owned("", "gate"))} {
			must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
			switch {
			case job.Owner == "aaaaaaaa":
				own = append([]string{job.ID}, own...)
			case job.Device == "door":
				door = append([]string{job.ID}, door...)
			}
		}
	}
	closeLedger(t, l)
	l = open(t, dir, quiet())
	both := []string{door[0], own[0], door[1], own[1], door[2], own[2]}
	for name, c := range map[string]struct {
		visible *edgelens.Visibility
		want    []string
	}{
		"own":             {&edgelens.Visibility{Owner: "aaaaaaaa"}, own},
		"a device's":      {&edgelens.Visibility{Devices: []string{"door", ""}}, door},
		"own and those":   {&edgelens.Visibility{Owner: "aaaaaaaa", Devices: []string{"door"}}, both},
		"nothing":         {&edgelens.Visibility{}, nil},
		"no such owner":   {&edgelens.Visibility{Owner: "cccccccc"}, nil},
		"no empty device": {&edgelens.Visibility{Devices: []string{""}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var jobs, results []string
			for cursor := ""; ; {
				page, next, err := l.Jobs.Jobs(t.Context(), edgelens.JobFilter{Visible: c.visible, Limit: 2, Cursor: cursor})
				must(t, err)
				for _, job := range page {
					jobs = append(jobs, job.ID)
				}
				if next != "" && len(page) != 2 {
					t.Errorf("a page of %d with a next one", len(page))
				}
				if cursor = next; next == "" {
					break
				}
			}
			page, _, err := l.Results.Results(t.Context(), edgelens.ResultFilter{Visible: c.visible, Limit: 100})
			must(t, err)
			for _, result := range page {
				results = append(results, result.JobID)
				if !c.visible.Includes(result.Owner, result.Device) {
					t.Errorf("%+v", result)
				}
			}
			equal(t, "jobs", jobs, c.want)
			equal(t, "results", results, c.want)
		})
	}
	page, _, err := l.Jobs.Jobs(t.Context(), edgelens.JobFilter{Limit: 100})
	must(t, err)
	equal(t, "all jobs", len(page), 12)
}

// The same idempotency key of another client is another one, and reveals nothing.
func TestIdempotencyKeysOfOwners(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	submit := func(owner, key, seed string) (edgelens.Job, bool, error) {
		spec := specOf(image(seed))
		spec.Owner, spec.IdempotencyKey = owner, key
		return l.Jobs.Accept(t.Context(), spec, image(seed))
	}
	ids := map[string]string{}
	for _, owner := range []string{"", "aaaaaaaa", "bbbbbbbb"} {
		job, existing, err := submit(owner, "k", "picture of "+owner)
		if err != nil || existing || job.IdempotencyKey != "k" {
			t.Fatalf("%q: existing %v, %v", owner, existing, err)
		}
		ids[owner] = job.ID
		equal(t, "key", jobOf(t, l, job.ID).IdempotencyKey, "k")
		equal(t, "owner", jobOf(t, l, job.ID).Owner, owner)
	}
	for owner, id := range ids {
		job, existing, err := submit(owner, "k", "picture of "+owner)
		if err != nil || !existing || job.ID != id {
			t.Errorf("%q again: %s, existing %v, %v, want %s", owner, job.ID, existing, err, id)
		}
		if _, _, err := submit(owner, "k", "other"); !errors.Is(err, edgelens.ErrConflict) {
			t.Errorf("%q with another image: %v", owner, err)
		}
	}
	// Nobody can write the key of another owner's row.
	if _, _, err := submit("", "aaaaaaaa\nk", "x"); !errors.Is(err, edgelens.ErrInvalid) {
		t.Errorf("a line feed in a key: %v", err)
	}
}

func TestEventsHaveOwners(t *testing.T) {
	l := open(t, t.TempDir(), quiet())
	job := accept(t, l, owned("aaaaaaaa", ""))
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	job = accept(t, l, owned("", "door"))
	must(t, l.Jobs.Finish(t.Context(), job.ID, resultOf("cat", 0.5)))
	must(t, l.Devices.SaveDevices(t.Context(), edgelens.Device{ID: "gate", Dialect: "fungxi", State: edgelens.DeviceAccepted, FirstSeen: time.Now(), LastSeen: time.Now()}))
	var got []string
	for _, e := range allEvents(t, l) {
		got = append(got, e.Type+" "+e.Owner+"/"+e.Device)
	}
	equal(t, "events", got, []string{"job aaaaaaaa/", "job aaaaaaaa/", "recognition aaaaaaaa/", "job /door", "job /door", "recognition /door", "device /gate"})
}

// Rows of the version before keys have no owner, and their events the devices that they are about.
func TestRowsWithoutOwnersAreMigrated(t *testing.T) {
	dir := t.TempDir()
	const id, resultID = "019d0000-0000-7000-8000-000000000001", "019d0000-0000-7000-8000-000000000002"
	old, err := ledger.OpenAtVersion(t.Context(), dir, 10)
	must(t, err)
	for _, statement := range []string{
		`INSERT INTO jobs (id, source, device, queue, model, top_k, min_score, no_cache, sha256, bytes, status, created_at, finished_at, image, idempotency_key)
			VALUES ('` + id + `', 'http', 'door', 'bulk', 'm', 3, 0.25, 0, '', 8, 'failed', 1, 2, 0, 'k')`,
		`INSERT INTO results (id, job_id, source, device, outcome, label, probability, created_at) VALUES ('` + resultID + `', '` + id + `', 'http', 'door', 'error', '', 0, 2)`,
		`INSERT INTO events (type, subject, at, data) VALUES ('job', '` + id + `', 1, '{"id":"` + id + `","device":"door"}')`,
		`INSERT INTO events (type, subject, at, data) VALUES ('job', 'x', 1, '{"id":"x"}')`,
		`INSERT INTO events (type, subject, at, data) VALUES ('device', 'gate', 1, '{"id":"gate"}')`,
	} {
		_, err := old.ExecContext(t.Context(), statement)
		must(t, err)
	}
	must(t, old.Close())
	must(t, os.Mkdir(filepath.Join(dir, "images"), 0o700))
	l := open(t, dir, quiet())
	job := jobOf(t, l, id)
	equal(t, "owner and key", job.Owner+"/"+job.IdempotencyKey, "/k")
	var devices []string
	for _, e := range allEvents(t, l) {
		devices = append(devices, e.Owner+"/"+e.Device)
	}
	equal(t, "events", devices, []string{"/door", "/", "/gate"})
	keys, err := l.Keys.Keys(t.Context())
	must(t, err)
	equal(t, "keys", len(keys), 0)
}
