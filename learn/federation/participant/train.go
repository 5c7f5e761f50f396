package participant

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"edgelens"
	"edgelens/internal/atomicfile"
	"edgelens/learn/fedavg"
	"edgelens/learn/federation"
	"edgelens/learn/masking"
	"edgelens/learn/privacy"
	"edgelens/learn/softmax"
)

// train makes the update of a round, unless it was made before a restart, and sends it.
func (p *Participant) train(ctx context.Context, to *client, task federation.Task, read examples) error {
	s := p.snapshot()
	if s.Pending == nil || s.Pending.Ticket != task.Ticket {
		if p.overBudget(s) || read.train.Len() < s.Definition.Settings.MinExamples {
			return nil // the round goes on without this node
		}
		p.doing(fmt.Sprintf("trains in round %d", task.Round))
		if err := p.prepare(ctx, to, s, task, read); err != nil {
			return err
		}
		s = p.snapshot()
	}
	data, err := os.ReadFile(filepath.Join(p.parts.Folder, updateFile))
	if err != nil {
		return fmt.Errorf("read the update: %w: %w", edgelens.ErrStorage, err)
	}
	p.doing(fmt.Sprintf("sends its update of round %d", task.Round))
	return p.send(ctx, to, s, task, data)
}

// send uploads an update, has it counted, and keeps a receipt of the outcome.
func (p *Participant) send(ctx context.Context, to *client, s state, task federation.Task, data []byte) error {
	text, refused, err := deliver(ctx, to, "/tasks/"+task.Ticket+"/update", data, s.Pending.Message)
	if err != nil {
		return err
	}
	outcome := federation.Outcome{Node: s.Node, Round: task.Round}
	if refused != nil {
		outcome.Reason = refused.Reason
	} else if err := federation.Open(p.parts.Keys, s.Coordinator, federation.KindOutcome, text, &outcome); err != nil {
		return fmt.Errorf("read the outcome of the update: %w", err)
	}
	details := map[string]any{"accepted": outcome.Accepted, "bytes": len(data), "sha256": federation.Digest(data)}
	if outcome.Accepted {
		p.metrics.updates.WithLabelValues("accepted").Inc()
		p.metrics.bytes.Add(float64(len(data)))
	} else {
		details["reason"] = outcome.Reason
		p.metrics.updates.WithLabelValues("refused").Inc()
		p.parts.Log.Warn("the coordinator refused the update", "event", "federation_refused", "round", task.Round, "reason", string(outcome.Reason))
	}
	p.receipt("outcome", task.Round, details)
	err = p.change(func(s *state) { s.Pending, s.MaskKey = nil, nil })
	p.removeUpdate()
	return err
}

// deliver uploads data and sends its signed description, and returns the answer, or the refusal. Where what has come is not what is
// described, as parts of an upload are not signed, it is sent anew.
func deliver(ctx context.Context, to *client, path string, data, message []byte) (answer []byte, refused *federation.Refusal, err error) {
	for range maxAttempts {
		if err = to.upload(ctx, path, data); err == nil {
			answer, err = to.send(ctx, path, message)
		}
		var is bool
		if refused, is = errors.AsType[*federation.Refusal](err); !is {
			return answer, nil, err
		}
		if refused.Reason != federation.WrongDigest {
			break
		}
	}
	return nil, refused, nil
}

// removeUpdate removes the values of an update. Where they stay by an error, nothing refers to them.
func (p *Participant) removeUpdate() { _ = os.Remove(filepath.Join(p.parts.Folder, updateFile)) }

// prepare trains, and stores the update with its description before any of it is sent.
func (p *Participant) prepare(ctx context.Context, to *client, s state, task federation.Task, read examples) error {
	base, err := p.head(ctx, to, s, task.Base)
	if err != nil {
		return err
	}
	if read.features != base.Params.Features {
		return fmt.Errorf("%w: the head is for embeddings of %d numbers, and those here have %d", edgelens.ErrConflict, base.Params.Features, read.features)
	}
	difference, u, err := localUpdate(ctx, base.Params, read.train, s.Definition.Settings)
	if err != nil {
		return err
	}
	data, err := p.encode(s, task, difference, &u)
	if err != nil {
		return err
	}
	u.Node, u.Round, u.Base, u.SHA256, u.Bytes = s.Node, task.Round, task.Base.Digest, federation.Digest(data), int64(len(data))
	message, err := federation.Seal(p.parts.Keys, federation.KindUpdate, u)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(filepath.Join(p.parts.Folder, updateFile), data, 0o600); err != nil {
		return fmt.Errorf("store the update: %w: %w", edgelens.ErrStorage, err)
	}
	err = p.change(func(s *state) {
		spent := map[string]int{noiseKey(s.Definition.Settings.Noise): 1}
		for key, count := range s.Spent {
			spent[key] += count
		}
		s.Pending, s.Spent = &pending{Ticket: task.Ticket, Round: task.Round, Message: message}, spent
	})
	if err != nil {
		return err
	}
	p.receipt("update", task.Round, u)
	return nil
}

func noiseKey(noise float64) string { return strconv.FormatFloat(noise, 'g', -1, 64) }

// localUpdate trains on examples and returns what changed, clipped and with noise.
func localUpdate(ctx context.Context, base softmax.Params, data softmax.Data, s federation.Settings) (difference softmax.Params, u federation.Update, err error) {
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails
	options := fedavg.Options{Epochs: s.Epochs, Batch: s.Batch, Rate: s.Rate, L2: s.L2, Proximal: s.Mu, Seed: binary.LittleEndian.Uint64(seed[:])}
	u.Examples = data.Len()
	u.LossBefore = softmax.Loss(base, data, s.L2, make([]float64, len(base.Values)))
	var trained softmax.Params
	background(func() { trained, u.LossAfter, err = fedavg.LocalTrain(ctx, base, data, options) })
	if err != nil {
		return difference, u, err
	}
	if difference, err = fedavg.Difference(trained, base); err != nil {
		return difference, u, err
	}
	u.Clipped = fedavg.Clip(difference, s.Clip) < 1
	u.Noise = s.Noise * s.Clip
	if err := privacy.AddNoise(difference.Values, u.Noise, rand.Reader); err != nil {
		return difference, u, err
	}
	u.Norm = fedavg.Norm(difference)
	return difference, u, nil
}

// encode returns the values that are sent: masked, where the round is secure.
func (p *Participant) encode(s state, task federation.Task, difference softmax.Params, u *federation.Update) ([]byte, error) {
	settings := s.Definition.Settings
	if !settings.Secure {
		return federation.EncodeUpdate(difference), nil
	}
	if s.MaskKey == nil || s.MaskKey.Ticket != task.Ticket {
		return nil, fmt.Errorf("%w: this node sent no key for masks in round %d", edgelens.ErrConflict, task.Round)
	}
	own, err := ecdh.P256().NewPrivateKey(s.MaskKey.Key)
	if err != nil {
		return nil, fmt.Errorf("read the key for masks: %w: %w", edgelens.ErrInvalid, err)
	}
	coordinator, err := p.parts.Keys.KeyID(s.Coordinator)
	if err != nil {
		return nil, err
	}
	share, err := masking.Encode(difference.Values, min(u.Examples, settings.MaxWeight))
	if err != nil {
		return nil, err
	}
	// The name of the round is another one for each coordinator.
	if err := masking.Mask(share, own, task.Members, coordinator+":"+strconv.Itoa(task.Round)); err != nil {
		return nil, err
	}
	u.Norm = 0 // only the sum is to be known
	return federation.EncodeShare(share), nil
}

// sendMaskKey makes the key for the masks of a round, and sends its public part.
func (p *Participant) sendMaskKey(ctx context.Context, to *client, task federation.Task) error {
	s := p.snapshot()
	if s.MaskKey == nil || s.MaskKey.Ticket != task.Ticket {
		own, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		if err := p.change(func(s *state) { s.MaskKey = &maskKey{Ticket: task.Ticket, Key: own.Bytes()} }); err != nil {
			return err
		}
		s = p.snapshot()
	}
	own, err := ecdh.P256().NewPrivateKey(s.MaskKey.Key)
	if err != nil {
		return fmt.Errorf("read the key for masks: %w: %w", edgelens.ErrInvalid, err)
	}
	message, err := federation.Seal(p.parts.Keys, federation.KindMaskKey, federation.MaskKey{Node: s.Node, Round: task.Round, Key: own.PublicKey().Bytes()})
	if err != nil {
		return err
	}
	_, err = to.send(ctx, "/tasks/"+task.Ticket+"/key", message)
	return err
}

// overBudget reports whether another round would have epsilon above the bound of this node.
func (p *Participant) overBudget(s state) bool {
	limit := p.parts.Config.MaxEpsilon
	if limit == 0 {
		return false
	}
	noise := s.Definition.Settings.Noise
	if noise == 0 {
		return true
	}
	epsilon, ok := epsilonOf(s, 1)
	return !ok || epsilon > limit
}

// epsilonOf returns the epsilon of all updates that were made, and so many more with the present noise; false where one had no
// noise, so that there is none.
func epsilonOf(s state, more int) (float64, bool) {
	var spent privacy.Accountant
	add := func(noise float64, rounds int) bool {
		return rounds == 0 || noise > 0 && spent.Add(noise, 1, rounds) == nil
	}
	for key, rounds := range s.Spent {
		noise, err := strconv.ParseFloat(key, 64)
		if err != nil || !add(noise, rounds) {
			return 0, false
		}
	}
	if !add(s.Definition.Settings.Noise, more) {
		return 0, false
	}
	delta := s.Definition.Settings.Delta
	if delta == 0 {
		delta = federation.DefaultSettings().Delta
	}
	epsilon, err := spent.Epsilon(delta)
	return epsilon, err == nil
}
