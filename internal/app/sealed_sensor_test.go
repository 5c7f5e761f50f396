//go:build cgo

package app

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"edgelens/identity/envelope"
	"edgelens/identity/keys"
	"edgelens/internal/control"
	"edgelens/internal/testutil"
)

// A sensor with a key seals its values; a replay, and a plain value in its name, change nothing.
func TestSealedSensor(t *testing.T) {
	c := settings(t)
	withColors(t, c)
	withTerminals(t, c)
	c.Sensor.SealedOnly = []string{"boiler"}
	s, _, _ := serving(t, c)
	key, err := keys.New()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := UseDeviceKeys(t.Context(), c, &bytes.Buffer{}, func(store control.DeviceKeyStore) error {
		_, err := store.AddDeviceKey(context.Background(), "boiler", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []keys.JWK }
	if err := json.Unmarshal(s.get("/.well-known/jwks.json").body, &set); err != nil {
		t.Fatal(err)
	}
	sealer := envelope.Sealer{Key: key, Now: time.Now}
	for _, one := range set.Keys {
		if one.Use == "enc" {
			if sealer.Node, err = one.Key(); err != nil {
				t.Fatal(err)
			}
		}
	}
	sealed, err := sealer.Seal([]byte(`{"pressure":1.5,"pressure_unit":"bar"}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	meter := connect(t, c, "meter")
	refused := func(reason string) bool {
		return strings.Contains(string(s.get("/metrics").body), `edgelens_sensor_messages_refused_total{reason="`+reason+`"} 1`)
	}
	meter.publish(reading("sensors/boiler", string(sealed)))
	testutil.Eventually(t, "the value is there", func() bool {
		return strings.Contains(string(s.get("/api/sensors").body), `"value":1.5`)
	})
	meter.publish(reading("sensors/boiler", string(sealed)))
	testutil.Eventually(t, "the replay is refused", func() bool { return refused("replay") })
	meter.publish(reading("sensors/boiler/pressure", "9"))
	testutil.Eventually(t, "the plain value is refused", func() bool { return refused("unsealed") })
	if list := string(s.get("/api/sensors").body); !strings.Contains(list, `"count":1`) || strings.Contains(list, `"value":9`) {
		t.Error(list)
	}
}
