package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"edgelens"
	"edgelens/learn/federation"
	"edgelens/learn/head"
)

// Invite makes a token by which a node joins under that name, once, within that time. It replaces an earlier one for the
// same name. Errors: edgelens.ErrInvalid, ErrConflict for a name that a member has.
func (c *Coordinator) Invite(name string, within time.Duration) (token federation.Token, expires time.Time, err error) {
	if err := head.CheckName(name); err != nil {
		return token, expires, err
	}
	if within < federation.MinTokenTime || within > federation.MaxTokenTime {
		return token, expires, fmt.Errorf("invite a node: %w: a token can be used for %v to %v", edgelens.ErrInvalid, federation.MinTokenTime, federation.MaxTokenTime)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Members[name] != nil {
		return token, expires, fmt.Errorf("invite a node: %w: %s has joined; `edgelens federation remove %[2]s` ends that", edgelens.ErrConflict, name)
	}
	c.forgetInvitations()
	if len(c.state.Members)+c.unused() >= federation.MaxNodes {
		return token, expires, fmt.Errorf("invite a node: %w: a federation has at most %d nodes", edgelens.ErrConflict, federation.MaxNodes)
	}
	if err := c.followKey(); err != nil {
		return token, expires, err
	}
	token, expires = federation.NewToken(c.keyID), c.parts.Now().Add(within).UTC().Truncate(time.Second)
	c.state.Invitations[name] = invitation{Hash: token.Hash(), Expires: expires}
	if err := c.save(); err != nil {
		return token, expires, err
	}
	c.parts.Log.Info("node invited", "event", "federation_invited", "node", name, "expires", expires)
	c.receipt("invited", 0, name, map[string]any{"expires": expires})
	return token, expires, nil
}

// unused returns how many invitations may still bring a member.
func (c *Coordinator) unused() (count int) {
	for name := range c.state.Invitations {
		if c.state.Members[name] == nil {
			count++
		}
	}
	return count
}

// forgetInvitations removes those that expired.
func (c *Coordinator) forgetInvitations() {
	for name, i := range c.state.Invitations {
		if !c.parts.Now().Before(i.Expires) {
			delete(c.state.Invitations, name)
		}
	}
}

// errInvitation is the error of every token that cannot be used, so that it reveals nothing about others.
var errInvitation = &federation.Refusal{Reason: federation.Invitation, Detail: "the token is unknown, was used, or has expired; `edgelens federation invite NAME` makes another"}

// join pins the key of a node to the name that its token is for, and returns the signed answer.
func (c *Coordinator) join(message []byte) ([]byte, error) {
	var peeked federation.Join
	if err := federation.Peek(message, &peeked); err != nil {
		return nil, err
	}
	var request federation.Join
	if err := federation.Open(c.parts.Keys, peeked.Key, federation.KindJoin, message, &request); err != nil {
		return nil, err
	}
	keyID, err := c.parts.Keys.KeyID(request.Key)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name, invited := c.invited(request, keyID)
	if name == "" {
		return nil, errInvitation
	}
	if m := c.state.Members[name]; m == nil {
		if slices.ContainsFunc(c.names(), func(other string) bool { return c.state.Members[other].KeyID == keyID }) {
			return nil, &federation.Refusal{Reason: federation.Invitation, Detail: "the key of this node has joined under another name"}
		}
		invited.UsedBy = keyID
		c.state.Invitations[name] = invited
		c.state.Members[name] = &member{Key: request.Key, KeyID: keyID, Joined: c.parts.Now().UTC().Truncate(time.Second), Place: c.nextPlace()}
		if err := c.save(); err != nil {
			return nil, err
		}
		c.parts.Log.Info("node joined", "event", "federation_joined", "node", name, "key", keyID)
		c.receipt("joined", 0, name, map[string]any{"key": keyID})
	}
	public, err := c.parts.Keys.PublicKey()
	if err != nil {
		return nil, err
	}
	return federation.Seal(c.parts.Keys, federation.KindJoined, federation.Joined{Node: name, Definition: c.announced(), Key: public})
}

// invited returns the name of the node whose token a request proves to have; "" for none. The token may have been used by
// the same key.
func (c *Coordinator) invited(request federation.Join, keyID string) (string, invitation) {
	for name, i := range c.state.Invitations {
		if federation.TokenID(i.Hash) != request.Invitation {
			continue
		}
		if !federation.CheckProof(i.Hash, request.Proof, keyID) || !c.parts.Now().Before(i.Expires) || i.UsedBy != "" && i.UsedBy != keyID {
			return "", invitation{}
		}
		if m := c.state.Members[name]; m != nil && m.KeyID != keyID {
			return "", invitation{}
		}
		return name, i
	}
	return "", invitation{}
}

func (c *Coordinator) nextPlace() int {
	place := 0
	for _, m := range c.state.Members {
		place = max(place, m.Place)
	}
	return place + 1
}

// Remove ends the membership of a node, or its invitation. A round goes on without it. Errors: edgelens.ErrNotFound.
func (c *Coordinator) Remove(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, invited := c.state.Invitations[name]
	if c.state.Members[name] == nil && !invited {
		return fmt.Errorf("%w: the federation has no node %.120q", edgelens.ErrNotFound, name)
	}
	delete(c.state.Members, name)
	delete(c.state.Invitations, name)
	delete(c.seen, name)
	if r := c.state.Round; r != nil {
		r.drop(name, "removed")
	}
	if err := c.save(); err != nil {
		return err
	}
	c.parts.Log.Info("node removed", "event", "federation_removed", "node", name)
	c.receipt("removed", 0, name, nil)
	return nil
}

// names returns the names of the members in the order in which they joined.
func (c *Coordinator) names() []string {
	names := make([]string, 0, len(c.state.Members))
	for name := range c.state.Members {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return c.state.Members[a].Place - c.state.Members[b].Place })
	return names
}

// open verifies a message of a member, and returns its name.
func (c *Coordinator) open(kind string, message []byte, into any) (string, error) {
	var sender struct {
		Node string `json:"node"`
	}
	if err := federation.Peek(message, &sender); err != nil {
		return "", err
	}
	c.mu.Lock()
	m := c.state.Members[sender.Node]
	c.mu.Unlock()
	if m == nil {
		return "", &federation.Refusal{Reason: federation.UnknownNode, Detail: "no node of that name has joined, or it was removed"}
	}
	return sender.Node, federation.Open(c.parts.Keys, m.Key, kind, message, into)
}

// isRefusal reports whether an error is one of the sender's, not of the coordinator.
func isRefusal(err error) bool {
	_, refused := errors.AsType[*federation.Refusal](err)
	return refused || federation.IsSignatureError(err) || errors.Is(err, edgelens.ErrInvalid)
}
