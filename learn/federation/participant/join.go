package participant

import (
	"context"
	"fmt"

	"edgelens"
	"edgelens/learn/federation"
	"edgelens/learn/head"
)

// JoinRequest is how a node joins a federation.
type JoinRequest struct {
	// URL is the address of the coordinator, Token what invites this node, and CA the certificates to trust, PEM; empty for the
	// system's.
	URL   string `json:"url"`
	Token string `json:"token"`
	CA    string `json:"ca,omitempty"`
	// Dataset has the examples, and Head is the name of the head on this node; empty for that of the federation.
	Dataset string `json:"dataset"`
	Head    string `json:"head,omitempty"`
}

// Join joins a federation, and Run takes part in it from then on. Errors: edgelens.ErrInvalid, ErrConflict where the node
// has joined one, ErrUnauthorized for a token that cannot be used, or another for a coordinator that cannot be reached.
func (p *Participant) Join(ctx context.Context, request JoinRequest) (Status, error) {
	if s := p.snapshot(); s.URL != "" {
		return Status{}, fmt.Errorf("join a federation: %w: this node takes part in that of %s; `edgelens federation leave` ends it", edgelens.ErrConflict, s.URL)
	}
	token, err := federation.ParseToken(request.Token)
	if err != nil {
		return Status{}, err
	}
	if err := head.CheckName(request.Dataset); err != nil {
		return Status{}, err
	}
	to, err := newClient(request.URL, request.CA)
	if err != nil {
		return Status{}, err
	}
	defer to.close()
	joined, err := p.introduce(ctx, to, token)
	if err != nil {
		return Status{}, fmt.Errorf("join a federation: %w", err)
	}
	if request.Head == "" {
		request.Head = joined.Definition.Head
	}
	if err := head.CheckName(request.Head); err != nil {
		return Status{}, err
	}
	err = p.change(func(s *state) {
		*s = state{
			URL: request.URL, CA: request.CA, Node: joined.Node, Coordinator: joined.Key, Dataset: request.Dataset, Head: request.Head, Definition: joined.Definition,
			Reserved: s.Reserved, Spent: s.Spent,
		}
	})
	if err != nil {
		return Status{}, err
	}
	p.parts.Log.Info("joined a federation", "event", "federation_joined", "coordinator", request.URL, "node", joined.Node, "head", request.Head, "dataset", request.Dataset)
	p.receipt("joined", 0, map[string]any{"coordinator": request.URL, "key": token.KeyID, "head": joined.Definition.Head})
	p.wakeUp()
	return p.Status(), nil
}

// introduce sends the public key of this node, and returns the answer of the coordinator whose key is named in the token.
func (p *Participant) introduce(ctx context.Context, to *client, token federation.Token) (joined federation.Joined, err error) {
	key, err := p.parts.Keys.PublicKey()
	if err != nil {
		return joined, err
	}
	id, err := p.parts.Keys.KeyID(key)
	if err != nil {
		return joined, err
	}
	message, err := federation.Seal(p.parts.Keys, federation.KindJoin, federation.Join{Invitation: token.ID(), Key: key, Proof: token.Proof(id)})
	if err != nil {
		return joined, err
	}
	answer, err := to.send(ctx, "/join", message)
	if err != nil {
		return joined, err
	}
	var peeked struct {
		Key jsonText `json:"key"`
	}
	if err := federation.Peek(answer, &peeked); err != nil {
		return joined, err
	}
	if id, err = p.parts.Keys.KeyID(peeked.Key); err != nil {
		return joined, err
	}
	if id != token.KeyID {
		return joined, fmt.Errorf("%w: this is another coordinator than the one that made the token: its key is %s, not %s", edgelens.ErrForbidden, id, token.KeyID)
	}
	if err := federation.Open(p.parts.Keys, peeked.Key, federation.KindJoined, answer, &joined); err != nil {
		return joined, err
	}
	if err := head.CheckName(joined.Node); err != nil {
		return joined, err
	}
	return joined, joined.Definition.Validate()
}

// Leave ends the part in the federation. The heads that were installed stay. The error wraps edgelens.ErrNotFound where the
// node has joined none.
func (p *Participant) Leave() error {
	s := p.snapshot()
	if s.URL == "" {
		return fmt.Errorf("%w: this node takes part in no federation", edgelens.ErrNotFound)
	}
	p.receipt("left", 0, map[string]any{"coordinator": s.URL})
	if err := p.change(func(s *state) { *s = state{Reserved: s.Reserved, Spent: s.Spent} }); err != nil {
		return err
	}
	p.removeUpdate()
	p.parts.Log.Info("left the federation", "event", "federation_left", "coordinator", s.URL)
	p.wakeUp()
	return nil
}
