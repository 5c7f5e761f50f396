package control

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"edgelens"
)

// KeyStore makes, lists and revokes keys: the service's, or a Client.
type KeyStore interface {
	// CreateKey makes a key like the one given, which needs no ID, and returns it with its token.
	CreateKey(ctx context.Context, key edgelens.Key) (created edgelens.Key, token string, err error)
	// Keys returns every key, also revoked ones.
	Keys(ctx context.Context) ([]edgelens.Key, error)
	// RevokeKey ends a key, by its ID or name.
	RevokeKey(ctx context.Context, idOrName string) (edgelens.Key, error)
}

// Key is the form of an edgelens.Key, which `edgelens key --json` prints, too.
type Key struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Scopes   []edgelens.Scope `json:"scopes"`
	Devices  []string         `json:"devices,omitempty"`
	Models   []string         `json:"models,omitempty"`
	SeeAll   bool             `json:"see_all,omitempty"`
	Created  time.Time        `json:"created,omitzero"`
	Expires  time.Time        `json:"expires,omitzero"`
	LastUsed time.Time        `json:"last_used,omitzero"`
	Revoked  time.Time        `json:"revoked,omitzero"`
}

// NewKey returns the form of a key.
func NewKey(k edgelens.Key) Key { return Key(k) }

// Key returns the key.
func (k Key) Key() edgelens.Key { return edgelens.Key(k) }

// CreatedKey is the answer to a creation, which `edgelens key create --json` prints, too.
type CreatedKey struct {
	Key   Key    `json:"key"`
	Token string `json:"token"`
}

// AddKeys adds the handlers for keys.
func AddKeys(mux *http.ServeMux, keys KeyStore) {
	mux.HandleFunc("GET /keys", handle(func(r *http.Request) (any, error) {
		list, err := keys.Keys(r.Context())
		forms := make([]Key, 0, len(list))
		for _, key := range list {
			forms = append(forms, NewKey(key))
		}
		return forms, err
	}))
	mux.HandleFunc("POST /keys", handle(func(r *http.Request) (any, error) {
		var wanted Key
		if err := read(r, &wanted); err != nil {
			return nil, err
		}
		key, token, err := keys.CreateKey(r.Context(), wanted.Key())
		return CreatedKey{NewKey(key), token}, err
	}))
	mux.HandleFunc("DELETE /keys/{key}", handle(func(r *http.Request) (any, error) {
		key, err := keys.RevokeKey(r.Context(), r.PathValue("key"))
		return NewKey(key), err
	}))
}

// CreateKey implements KeyStore.
func (c *Client) CreateKey(ctx context.Context, key edgelens.Key) (edgelens.Key, string, error) {
	var created CreatedKey
	err := c.call(ctx, http.MethodPost, "/keys", NewKey(key), &created)
	return created.Key.Key(), created.Token, err
}

// Keys implements KeyStore.
func (c *Client) Keys(ctx context.Context) ([]edgelens.Key, error) {
	var forms []Key
	if err := c.call(ctx, http.MethodGet, "/keys", nil, &forms); err != nil {
		return nil, err
	}
	keys := make([]edgelens.Key, 0, len(forms))
	for _, form := range forms {
		keys = append(keys, form.Key())
	}
	return keys, nil
}

// RevokeKey implements KeyStore.
func (c *Client) RevokeKey(ctx context.Context, idOrName string) (edgelens.Key, error) {
	var key Key
	err := c.call(ctx, http.MethodDelete, "/keys/"+url.PathEscape(idOrName), nil, &key)
	return key.Key(), err
}
