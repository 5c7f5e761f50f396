package coordinator

import (
	"fmt"

	"edgelens/learn/federation"
)

// presentKey returns the id of the key that signs now.
func (c *Coordinator) presentKey() (string, error) {
	public, err := c.parts.Keys.PublicKey()
	if err != nil {
		return "", err
	}
	return c.parts.Keys.KeyID(public)
}

// followKey signs the heads anew where the key was rotated. Nodes that joined before know the former key, and have to join again:
// who can rotate the key of a coordinator could otherwise replace it for all of them. The lock must be held, but in Open.
func (c *Coordinator) followKey() error {
	present, err := c.presentKey()
	if err != nil || present == c.state.KeyID {
		c.keyID = present
		return err
	}
	before := c.state.KeyID
	c.keyID, c.state.KeyID = present, present
	if before == "" { // saved by an earlier version
		return c.save()
	}
	refs := []federation.Ref{c.state.Head, c.state.Previous}
	if r := c.state.Round; r != nil {
		refs = append(refs, r.Base, r.Candidate)
	}
	for _, ref := range refs {
		if ref.Version == 0 {
			continue
		}
		h, err := c.readHead(ref)
		if err == nil {
			_, err = c.storeHead(h, ref.Version-1)
		}
		if err != nil {
			return fmt.Errorf("sign the heads by the new key: %w", err)
		}
	}
	c.parts.Log.Error("the key of the coordinator was rotated: no node takes part before it was removed and has joined anew by a new invitation", "event", "federation_key_changed", "from", before, "to", present)
	c.receipt("key_changed", 0, "", map[string]any{"from": before, "to": present})
	return c.save()
}
