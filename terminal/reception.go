package terminal

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"edgelens"
	"edgelens/terminal/clock"
	"edgelens/terminal/dialect"
)

const (
	// repeats is the age from which the same image of a camera is a new record: a camera
	// resends a message within seconds, and "no signal" looks the same an hour later.
	repeats = 30 * time.Second
	// maxInteractive is the maximum number of images of a device in the interactive queue,
	// the one in progress included; the rest wait in the bulk queue: a device that sends
	// faster than its images are recognized must not delay the others.
	maxInteractive = 2
)

// reception returns what is stored of a record: with its ID, which is the same whenever
// it is sent again, its freshness, its sinks, and the job that recognizes its image.
func (k *recordKeeper) reception(msg item, device string, entry dialect.Entry, verdict clock.Verdict) edgelens.Reception {
	record := entry.Record
	record.Dialect, record.Device, record.ReceivedAt, record.CapturedAt = msg.dialect.Name(), device, msg.receivedAt, verdict.At
	record.Freshness, record.FreshnessReason = freshness(msg, entry.Record, verdict)
	record.Retained = msg.stored() != ""
	if len(entry.Image) > 0 {
		digest := sha256.Sum256(entry.Image)
		record.ImageSHA256, record.ImageBytes = hex.EncodeToString(digest[:]), int64(len(entry.Image))
	}
	record.ID = edgelens.RecordID(record.Dialect, record.Device, record.Kind, record.Key, record.ImageSHA256)
	former, repeatsAfter := "", time.Duration(0)
	if entry.FormerKey != record.Key && !entry.Repeats {
		former = edgelens.RecordID(record.Dialect, record.Device, record.Kind, entry.FormerKey, record.ImageSHA256)
	}
	if entry.Repeats {
		repeatsAfter = repeats
	}
	return edgelens.Reception{
		FormerID: former, RepeatsAfter: repeatsAfter, SentAgain: msg.Retained || msg.Duplicate,
		Record: record, Image: entry.Image, Routes: k.routes(&record),
		Held: func() bool { return k.registry.quarantined(device) },
		Job: edgelens.JobSpec{
			Source: "mqtt", Model: k.config.Model, Task: edgelens.TaskClassification, TopK: k.config.TopK, MinScore: k.config.MinScore, View: k.registry.settings(device).View(),
		},
		MaxWaiting: k.config.MaxWaiting, MaxInteractive: min(maxInteractive, k.config.MaxWaiting),
	}
}

// freshness combines the evidence of a record's age: a message out of the broker's store
// is old whatever its time, and the device's own statement counts where its time does not
// prove worse.
func freshness(msg item, record edgelens.Record, verdict clock.Verdict) (edgelens.Freshness, string) {
	stored := msg.stored()
	switch {
	case stored != "":
		return edgelens.FreshnessReplayed, stored
	case record.Freshness == edgelens.FreshnessReplayed, verdict.Freshness == edgelens.FreshnessFresh && record.Freshness != "":
		return record.Freshness, record.FreshnessReason
	default:
		return verdict.Freshness, verdict.Reason
	}
}
