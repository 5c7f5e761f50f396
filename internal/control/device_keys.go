package control

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"edgelens"
)

// DeviceKeyStore adds, lists and removes the public keys of devices: the service's, or a Client.
type DeviceKeyStore interface {
	// AddDeviceKey adds a key, which is PEM or a JWK.
	AddDeviceKey(ctx context.Context, device, text string) (edgelens.DeviceKey, error)
	// DeviceKeys returns every key.
	DeviceKeys(ctx context.Context) ([]edgelens.DeviceKey, error)
	// RemoveDeviceKey ends a key, by its ID.
	RemoveDeviceKey(ctx context.Context, id string) error
}

// DeviceKey is the form of an edgelens.DeviceKey, which `edgelens device key list --json` prints, too.
type DeviceKey struct {
	ID     string    `json:"id"`
	Device string    `json:"device"`
	Public []byte    `json:"public"`
	Added  time.Time `json:"added"`
}

// newDeviceKey is a key that is to be added.
type newDeviceKey struct {
	Device string `json:"device"`
	Key    string `json:"key"`
}

// AddDeviceKeys adds the handlers for the keys of devices.
func AddDeviceKeys(mux *http.ServeMux, keys DeviceKeyStore) {
	mux.HandleFunc("GET /device-keys", handle(func(r *http.Request) (any, error) {
		list, err := keys.DeviceKeys(r.Context())
		forms := make([]DeviceKey, 0, len(list))
		for _, key := range list {
			forms = append(forms, DeviceKey(key))
		}
		return forms, err
	}))
	mux.HandleFunc("POST /device-keys", handle(func(r *http.Request) (any, error) {
		var wanted newDeviceKey
		if err := read(r, &wanted); err != nil {
			return nil, err
		}
		key, err := keys.AddDeviceKey(r.Context(), wanted.Device, wanted.Key)
		return DeviceKey(key), err
	}))
	mux.HandleFunc("DELETE /device-keys/{id}", handle(func(r *http.Request) (any, error) {
		return struct{}{}, keys.RemoveDeviceKey(r.Context(), r.PathValue("id"))
	}))
}

// AddDeviceKey implements DeviceKeyStore.
func (c *Client) AddDeviceKey(ctx context.Context, device, text string) (edgelens.DeviceKey, error) {
	var form DeviceKey
	err := c.call(ctx, http.MethodPost, "/device-keys", newDeviceKey{device, text}, &form)
	return edgelens.DeviceKey(form), err
}

// DeviceKeys implements DeviceKeyStore.
func (c *Client) DeviceKeys(ctx context.Context) ([]edgelens.DeviceKey, error) {
	var forms []DeviceKey
	if err := c.call(ctx, http.MethodGet, "/device-keys", nil, &forms); err != nil {
		return nil, err
	}
	keys := make([]edgelens.DeviceKey, 0, len(forms))
	for _, form := range forms {
		keys = append(keys, edgelens.DeviceKey(form))
	}
	return keys, nil
}

// RemoveDeviceKey implements DeviceKeyStore.
func (c *Client) RemoveDeviceKey(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/device-keys/"+url.PathEscape(id), nil, &struct{}{})
}
