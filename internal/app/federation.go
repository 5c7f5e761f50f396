package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"edgelens"
	"edgelens/identity/signing"
	"edgelens/internal/board"
	"edgelens/internal/config"
	"edgelens/internal/control"
	"edgelens/learn/federation"
	"edgelens/learn/federation/participant"
	"edgelens/learn/head"
	"edgelens/learn/heads"
)

// federationFolder is the folder of the data folder with a node's part in a federation.
const federationFolder = "federation"

// federationPart is the part of this node in a federation, for commands.
type federationPart struct {
	*participant.Participant
	party signing.Party
}

// newFederationPart opens the part of this node in a federation. Close must be called.
func newFederationPart(c *config.Config, core *Core, jobs *jobs, log *slog.Logger, metrics prometheus.Registerer) (*federationPart, error) {
	party := signing.Party{Node: jobs.signer}
	watch := &throttleWatch{prober: board.Prober{Root: "/"}}
	opened, err := participant.Open(participant.Parts{
		Folder: filepath.Join(c.DataDir, federationFolder), Config: c.Federation, Keys: party, Datasets: jobs.ledger.Examples,
		Heads: federatedHeads{core.Heads}, Throttled: watch.reason, Log: log, Registerer: metrics,
	})
	if err != nil {
		return nil, fmt.Errorf("open the part in a federation: %w", err)
	}
	return &federationPart{opened, party}, nil
}

// Part implements api.Federation.
func (f *federationPart) Part() edgelens.FederationPart {
	s := f.Status()
	p := edgelens.FederationPart{
		Joined: s.Joined, Coordinator: s.URL, Node: s.Node, Dataset: s.Dataset, Head: s.Head, HeldOut: s.HeldOut, Contact: s.Contact, Problem: s.Problem,
		Unready: s.Unready, Doing: s.Doing, Round: max(0, s.Live.Version-1), Version: s.Version, RolledBack: s.RolledBack, Updates: s.Updates, Epsilon: s.Epsilon, Delta: s.Delta,
	}
	for _, label := range slices.Sorted(maps.Keys(s.Examples)) {
		p.Examples = append(p.Examples, edgelens.LabelCount{Label: label, Count: s.Examples[label]})
	}
	return p
}

// conditions returns what is wrong with the part in a federation.
func (f *federationPart) conditions() []edgelens.Condition {
	if condition, bad := f.Condition(); bad {
		return []edgelens.Condition{condition}
	}
	return nil
}

// RunFederation implements control.Federation.
func (f *federationPart) RunFederation(ctx context.Context, command string, request json.RawMessage) (json.RawMessage, error) {
	switch command {
	case federation.CommandJoin:
		var join participant.JoinRequest
		if err := readCommand(request, &join); err != nil {
			return nil, err
		}
		return answerCommand(f.Join(ctx, join))
	case federation.CommandLeave:
		return answerCommand(struct{}{}, f.Leave())
	case federation.CommandStatus:
		return statusAnswer(federation.RoleNode, f.Status())
	case federation.CommandReceipts:
		return receiptsAnswer(f.party, f.Receipts)
	}
	return nil, fmt.Errorf("%w: the data folder is that of a node; `edgelens federation %.40s` needs that of a coordinator in --data-dir", edgelens.ErrInvalid, command)
}

// readCommand reads the request of a command.
func readCommand(request json.RawMessage, into any) error {
	if err := json.Unmarshal(request, into); err != nil {
		return fmt.Errorf("%w: the service cannot read the command, perhaps because it has another version: %w", edgelens.ErrInvalid, err)
	}
	return nil
}

// answerCommand returns the form of an answer.
func answerCommand(answer any, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

func statusAnswer(role string, status any) (json.RawMessage, error) {
	text, err := json.Marshal(status)
	return answerCommand(federation.StatusAnswer{Role: role, Status: text}, err)
}

func receiptsAnswer(party signing.Party, read func() ([]byte, error)) (json.RawMessage, error) {
	text, err := read()
	if err != nil {
		return nil, err
	}
	public, err := party.JWKs()
	return answerCommand(federation.ReceiptsAnswer{Receipts: string(text), Keys: public}, err)
}

// UseFederation calls do with the node or coordinator that uses the data folder. The error wraps edgelens.ErrStopping where
// none runs.
func UseFederation(ctx context.Context, c *config.Config, do func(control.Federation) error) error {
	client, err := control.Connect(ctx, c.DataDir)
	if errors.Is(err, control.ErrNoService) {
		return fmt.Errorf("%w: nothing runs in the data folder %s: start `edgelens serve` for a node, or `edgelens federation serve` for a coordinator, or give its folder by --data-dir", edgelens.ErrStopping, c.DataDir)
	}
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

// federatedHeads are the heads of this node, for a federation.
type federatedHeads struct{ store *heads.Store }

// Install implements participant.Heads.
func (f federatedHeads) Install(_ context.Context, h *head.Head) (int, error) {
	stored, err := f.store.Put(h, nil, true)
	if err != nil {
		return 0, err
	}
	return stored.Version, nil
}

// Rollback implements participant.Heads.
func (f federatedHeads) Rollback(_ context.Context, name string) error {
	_, err := f.store.Rollback(name, 0)
	return err
}

// throttleWatch reports whether the processor is throttled, or was since it was asked before. It is safe for use by many
// goroutines.
type throttleWatch struct {
	prober board.Prober
	mu     sync.Mutex
	before board.State
}

// reason returns why no more work than necessary should be done; empty where it can be.
func (w *throttleWatch) reason(ctx context.Context) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.prober.State(ctx)
	throttled := now.ThrottledSince(w.before)
	w.before = now
	if throttled == nil || !*throttled {
		return ""
	}
	return "the processor is throttled, by heat or a weak power supply"
}
