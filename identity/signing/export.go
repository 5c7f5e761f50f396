package signing

import (
	"encoding/json"

	"edgelens"
	"edgelens/internal/chain"
)

// isChainLine reports whether a value is a line of the export of a chain.
func isChainLine(value json.RawMessage) bool {
	var line struct {
		Kind  string `json:"kind"`
		Chain string `json:"chain"`
	}
	return json.Unmarshal(value, &line) == nil && line.Kind != "" && line.Chain != ""
}

// exported is the state of the verification of an export.
type exported struct {
	*Report
	keys Keys
	// first is the first line; last and hash are of the last link.
	first    chain.Line
	last     int64
	hash     string
	complete bool
	events, withoutContent,
	erased, expired int64
}

// export verifies the export of a chain.
func (r *Report) export(values []json.RawMessage, keys Keys) {
	x := &exported{Report: r, keys: keys}
	for n, value := range values {
		if x.complete {
			r.failed("There are lines after the head, in line %d.", n+1)
			return
		}
		if !x.line(n, value) {
			return
		}
	}
	if !x.complete {
		r.failed("The export is cut off: its head is missing, which is its last line.")
		return
	}
	r.proved("The %d events of the device %s follow each other up to event %d without a gap: %d are there, %d were erased, and %d have expired, as the node has signed.",
		x.last, x.first.Device, x.last, x.events, x.erased, x.expired)
	if x.withoutContent > 0 {
		r.noted("The contents of %d events are not in the export; their digests are.", x.withoutContent)
	}
}

// line verifies a line, and reports whether the next one can be.
func (x *exported) line(n int, value json.RawMessage) bool {
	var line chain.Line
	if err := json.Unmarshal(value, &line); err != nil {
		x.failed("Line %d is no line of a chain.", n+1)
		return false
	}
	if n == 0 {
		x.first = line
	}
	if line.Chain != x.first.Chain || line.Device != x.first.Device {
		x.failed("Line %d is of another chain.", n+1)
		return false
	}
	if line.Kind != chain.KindEvent && !x.signature(n, value, line.Kind) {
		return false
	}
	switch line.Kind {
	case chain.KindCheckpoint:
		return x.checkpoint(n, line)
	case chain.KindEvent, chain.KindTombstone:
		return x.link(n, line)
	case chain.KindHead:
		return x.head(n, line)
	}
	x.failed("Line %d is of the unknown kind %.20q.", n+1, line.Kind)
	return false
}

func (x *exported) signature(n int, value json.RawMessage, kind string) bool {
	proof, err := x.keys.VerifyObject(value)
	if err != nil {
		x.failed("Of line %d, a %.20s: %s", n+1, kind, sentence(err))
		return false
	}
	if kind == chain.KindHead {
		x.signed(proof, "the head of the chain")
	}
	return true
}

func (x *exported) checkpoint(n int, line chain.Line) bool {
	if n > 0 || line.Erased == nil || line.Expired == nil || line.Seq < 1 || *line.Erased+*line.Expired != line.Seq {
		x.failed("Line %d is a checkpoint where none may be, or its numbers do not fit.", n+1)
		return false
	}
	x.last, x.hash, x.erased, x.expired = line.Seq, line.Hash, *line.Erased, *line.Expired
	return true
}

// link verifies the line of an event or a tombstone.
func (x *exported) link(n int, line chain.Line) bool {
	switch {
	case line.Prev == nil:
		x.failed("Line %d has no hash of the line before.", n+1)
		return false
	case line.Seq != x.last+1:
		x.failed("After event %d, line %d has event %d: lines were removed or moved.", x.last, n+1, line.Seq)
		return false
	case *line.Prev != x.hash:
		x.failed("Line %d, event %d, does not follow the line before: one of them was replaced.", n+1, line.Seq)
		return false
	}
	hash, err := chain.Hash(line.Chain, line.Device, line.Seq, *line.Prev, line.Digest)
	if err != nil || hash != line.Hash {
		x.failed("Line %d, event %d, has not the hash of what it has.", n+1, line.Seq)
		return false
	}
	x.last, x.hash = line.Seq, line.Hash
	switch {
	case line.Kind == chain.KindTombstone && line.State == edgelens.ChainErased:
		x.erased++
	case line.Kind == chain.KindTombstone && line.State == edgelens.ChainExpired:
		x.expired++
	case line.Kind == chain.KindTombstone:
		x.failed("Line %d, event %d, is a tombstone of the unknown state %.20q.", n+1, line.Seq, line.State)
		return false
	default:
		return x.content(n, line)
	}
	return true
}

// content verifies the content of an event.
func (x *exported) content(n int, line chain.Line) bool {
	x.events++
	if len(line.Event) == 0 {
		x.withoutContent++
		return true
	}
	var e event
	if json.Unmarshal(line.Event, &e) == nil {
		if digest, err := chain.Digest(e.ID, e.Data); err == nil && digest == line.Digest {
			return true
		}
	}
	x.failed("Line %d: the content of event %d was changed.", n+1, line.Seq)
	return false
}

func (x *exported) head(n int, line chain.Line) bool {
	if line.Seq != x.last || line.Hash != x.hash {
		x.failed("The head is of event %d, and the line before it of event %d: lines were removed or replaced.", line.Seq, x.last)
		return false
	}
	x.complete = true
	return true
}
