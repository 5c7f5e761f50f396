package coordinator

import (
	"cmp"
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"

	"edgelens/learn/fedavg"
	"edgelens/learn/federation"
)

// maxRefusals is how many refusals of a node have a receipt in a round; more are only counted.
const maxRefusals = 20

// received returns how many bytes of the upload of a ticket have come, and how many it has.
func (c *Coordinator) received(ticket string) (received, total int64, err error) {
	c.mu.Lock()
	_, _, err = c.partyByTicket(ticket)
	total = c.updateBytes()
	c.mu.Unlock()
	if err != nil {
		return 0, 0, err
	}
	received, err = c.uploads.received(ticket)
	return received, total, err
}

func (c *Coordinator) updateBytes() int64 {
	d := c.state.Definition
	return federation.UpdateBytes(len(d.Labels), d.Features, d.Settings.Secure)
}

// upload adds a part to the upload of a ticket, and returns how many bytes have come; see uploads.append.
func (c *Coordinator) upload(ticket string, offset, total int64, body io.Reader, interrupt func()) (int64, error) {
	c.mu.Lock()
	name, p, err := c.partyByTicket(ticket)
	want, number := c.updateBytes(), c.number()
	if err == nil && p.State != partyAsked {
		err = &federation.Refusal{Reason: federation.Replay, Detail: "the update of this node was received"}
	}
	c.mu.Unlock()
	if err == nil && total != want {
		reason := federation.WrongShape
		if total > want {
			reason = federation.TooLarge
		}
		err = &federation.Refusal{Reason: reason, Detail: fmt.Sprintf("an update has %d bytes, not %d", want, total)}
	}
	received := int64(0)
	if err == nil {
		received, err = c.uploads.append(ticket, offset, total, body, interrupt)
	}
	if err != nil {
		c.note(name, number, p, err)
		return received, err
	}
	return received, nil
}

// maxSpoiled is how often a node may send an upload anew that is not what it has signed.
const maxSpoiled = 3

func isWrongDigest(err error) bool {
	refused, ok := errors.AsType[*federation.Refusal](err)
	return ok && refused.Reason == federation.WrongDigest
}

// number returns that of the round in progress; 0 for none.
func (c *Coordinator) number() int {
	if c.state.Round == nil {
		return 0
	}
	return c.state.Round.Number
}

// note counts a refusal, and has a receipt of it where it came by a ticket. An upload that goes on elsewhere is the usual
// business after a cut.
func (c *Coordinator) note(name string, number int, p *party, err error) {
	refused, ok := errors.AsType[*federation.Refusal](err)
	if !ok && !isRefusal(err) {
		return
	}
	if !ok {
		refused = federation.RefusalOf(err)
	}
	c.metrics.refused.WithLabelValues(string(refused.Reason)).Inc()
	if name == "" || refused.Reason == federation.WrongOffset {
		return
	}
	if p != nil {
		c.mu.Lock()
		p.Refusals++
		many := p.Refusals > maxRefusals
		c.mu.Unlock()
		if many {
			return
		}
	}
	c.parts.Log.Warn("message of a node refused", "event", "federation_refused", "node", name, "round", number, "reason", string(refused.Reason), "detail", refused.Detail)
	c.receipt("refused", number, name, map[string]any{"reason": refused.Reason, "detail": refused.Detail})
}

// update takes the signed description of a whole upload, and returns the signed outcome. What the node did not sign does not
// end its part in the round.
func (c *Coordinator) update(ticket string, message []byte) ([]byte, error) {
	digest := federation.Digest(message)
	var u federation.Update
	name, err := c.openByTicket(ticket, federation.KindUpdate, message, &u)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	_, p, err := c.partyByTicket(ticket)
	if err != nil {
		number := c.number()
		c.mu.Unlock()
		c.note(name, number, p, err)
		return nil, err
	}
	r := c.state.Round
	if p.State != partyAsked {
		c.mu.Unlock()
		return c.repeated(r, name, p, digest)
	}
	err = c.check(r, p, u)
	if err != nil && !isRefusal(err) {
		c.mu.Unlock()
		return nil, err
	}
	if isWrongDigest(err) && p.Spoiled < maxSpoiled {
		// The parts of an upload are not signed: who has read the ticket on the way may have sent one of them.
		p.Spoiled++
		c.uploads.remove(p.Ticket)
		saved := c.save()
		c.mu.Unlock()
		c.note(name, r.Number, p, err)
		return nil, cmp.Or(saved, err)
	}
	p.State, p.Message = partyAccepted, digest
	if err != nil {
		p.State, p.Reason = partyRefused, string(federation.RefusalOf(err).Reason)
	} else {
		p.Update = &u
	}
	saved := c.save()
	c.mu.Unlock()
	if saved != nil {
		return nil, saved
	}
	if err != nil {
		c.note(name, r.Number, p, err)
	} else {
		c.metrics.bytes.Add(float64(u.Bytes))
		c.receipt("update", r.Number, name, u)
	}
	return c.outcome(name, r.Number, err, digest)
}

// repeated answers a message about an update that was accepted or refused before: with the same outcome if it is the same
// message, whose answer was lost.
func (c *Coordinator) repeated(r *round, name string, p *party, digest string) ([]byte, error) {
	if digest == p.Message {
		var refused error
		if p.State == partyRefused {
			refused = &federation.Refusal{Reason: federation.Reason(p.Reason)}
		}
		return c.outcome(name, r.Number, refused, digest)
	}
	err := &federation.Refusal{Reason: federation.Replay, Detail: "the update of this node was received"}
	c.note(name, r.Number, p, err)
	return nil, err
}

func (c *Coordinator) outcome(name string, number int, refused error, digest string) ([]byte, error) {
	o := federation.Outcome{Node: name, Round: number, Accepted: refused == nil, SHA256: digest}
	if refused != nil {
		o.Reason = federation.RefusalOf(refused).Reason
	}
	return federation.Seal(c.parts.Keys, federation.KindOutcome, o)
}

// check checks an update and what was uploaded. Its error is a Refusal, or wraps edgelens.ErrStorage. The lock must be held.
func (c *Coordinator) check(r *round, p *party, u federation.Update) error {
	d := c.state.Definition
	refuse := func(reason federation.Reason, format string, args ...any) error {
		return &federation.Refusal{Reason: reason, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case r.Phase != phaseTrain:
		return refuse(federation.NoTask, "the keys for masks are not complete yet")
	case u.Round != r.Number:
		return refuse(federation.Replay, "the update is of round %d, not %d", u.Round, r.Number)
	case u.Base != r.Base.Digest:
		return refuse(federation.StaleBase, "the update was trained from another head than that of the round")
	case u.Examples < d.Settings.MinExamples:
		return refuse(federation.NoExamples, "it was trained on %d examples; %d are needed", u.Examples, d.Settings.MinExamples)
	case u.Examples > 1e9 || !within(maxFigure, u.Norm, u.Noise, u.LossBefore, u.LossAfter):
		return refuse(federation.Malformed, "its figures cannot be")
	}
	data, err := c.uploads.read(p.Ticket)
	if err != nil {
		return err
	}
	if u.Bytes != int64(len(data)) || u.SHA256 != federation.Digest(data) {
		return refuse(federation.WrongDigest, "the %d bytes that were uploaded are not the %d that the node has signed", len(data), u.Bytes)
	}
	if d.Settings.Secure {
		_, err = federation.DecodeShare(data, len(d.Labels), d.Features)
	} else {
		err = c.checkPlain(r, u, data)
	}
	if err != nil {
		return err
	}
	return c.uploads.keep(p.Ticket, data)
}

// checkPlain checks the values of an update that is not masked.
func (c *Coordinator) checkPlain(r *round, u federation.Update, data []byte) error {
	d := c.state.Definition
	difference, err := federation.DecodeUpdate(data, len(d.Labels), d.Features)
	if err != nil {
		return err
	}
	base, err := c.readHead(r.Base)
	if err != nil {
		return err
	}
	err = rule(d.Settings, len(base.Params.Values), len(r.Parties)).CheckUpdate(fedavg.Update{Difference: difference, Examples: u.Examples}, base.Params)
	if reason := fedavg.ReasonOf(err); reason != "" {
		return &federation.Refusal{Reason: federation.Reason(reason), Detail: err.Error()}
	}
	return err
}

// maxFigure bounds the figures that a node reports. No honest one is near it, and their weighted sums are finite numbers: an infinite
// one cannot be written as JSON, so that the state could not be saved.
const maxFigure = 1e18

// within reports whether all values are numbers from 0 to limit.
func within(limit float64, values ...float64) bool {
	for _, v := range values {
		if !(v >= 0 && v <= limit) { // NaN too
			return false
		}
	}
	return true
}

// openByTicket verifies a message about the task of a ticket, which must be of the node that it was given to.
func (c *Coordinator) openByTicket(ticket, kind string, message []byte, into any) (string, error) {
	c.mu.Lock()
	owner, p, err := c.partyByTicket(ticket)
	if kind == federation.KindScore {
		owner, _, err = c.scorerByTicket(ticket)
	}
	number := c.number()
	c.mu.Unlock()
	if err == nil {
		var name string
		if name, err = c.open(kind, message, into); err == nil && name != owner {
			err = &federation.Refusal{Reason: federation.WrongKey, Detail: "the task is that of another node"}
		}
	}
	if err != nil {
		c.note(owner, number, p, err)
	}
	return owner, err
}

// maskKey takes the public key of a node for the masks of a round.
func (c *Coordinator) maskKey(ticket string, message []byte) ([]byte, error) {
	var k federation.MaskKey
	name, err := c.openByTicket(ticket, federation.KindMaskKey, message, &k)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, p, err := c.partyByTicket(ticket)
	if err != nil {
		return nil, err
	}
	if _, err := ecdh.P256().NewPublicKey(k.Key); err != nil || k.Round != c.state.Round.Number || c.state.Round.Phase != phaseKeys || p.State != partyAsked {
		return nil, &federation.Refusal{Reason: federation.Malformed, Detail: "the key for masks cannot be used now"}
	}
	p.MaskKey = k.Key
	if err := c.save(); err != nil {
		return nil, err
	}
	return c.outcome(name, k.Round, nil, federation.Digest(message))
}

// score takes the score of a candidate, and returns the signed outcome.
func (c *Coordinator) score(ticket string, message []byte) ([]byte, error) {
	var s federation.Score
	name, err := c.openByTicket(ticket, federation.KindScore, message, &s)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	_, asked, err := c.scorerByTicket(ticket)
	r := c.state.Round
	switch {
	case err != nil:
	case s.Round != r.Number || s.Candidate != r.Candidate.Digest:
		err = &federation.Refusal{Reason: federation.Replay, Detail: "the score is of another candidate"}
	case asked.Score != nil && *asked.Score != s:
		err = &federation.Refusal{Reason: federation.Replay, Detail: "the score of this node was received"}
	default:
		err = s.Check()
	}
	fresh := err == nil && asked.Score == nil
	number := c.number()
	if fresh {
		asked.Score = &s
		err = c.save()
	}
	c.mu.Unlock()
	if err != nil {
		c.note(name, number, nil, err)
		return nil, err
	}
	if fresh {
		c.receipt("score", number, name, s)
	}
	return c.outcome(name, number, nil, federation.Digest(message))
}

// scorerByTicket returns the node and scorer of a ticket. Its error is a Refusal.
func (c *Coordinator) scorerByTicket(ticket string) (string, *scorer, error) {
	if r := c.state.Round; r != nil {
		for name, s := range r.Scorers {
			if s.Ticket == ticket && s.Gone == "" {
				return name, s, nil
			}
		}
	}
	if name, closed := c.state.Closed[ticket]; closed {
		return name, nil, errLate
	}
	return "", nil, errNoTask
}
