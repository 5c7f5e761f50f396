package config_test

import (
	"strings"
	"testing"

	"edgelens"
	"edgelens/internal/config"
)

// secrets has, for each setting that is a secret, has one in it or names a file with one, a value with the word s3cr3t.
var secrets = map[string]string{
	"model_mirror":        "https://u:s3cr3t@mirror.example/models?sig=s3cr3t",
	"http.public_url":     "https://u:s3cr3t@edge.example",
	"http.tls.key":        "/etc/s3cr3t.pem",
	"http.keys_file":      "/etc/s3cr3t.yaml",
	"redis.url":           "redis://:s3cr3t@redis.example/0",
	"mqtt.url":            "mqtts://u:s3cr3t@broker.example",
	"mqtt.tls.key":        "/etc/s3cr3t.pem",
	"mqtt.tls.client_key": "/etc/s3cr3t.pem",
	"mqtt.password_file":  "/etc/s3cr3t",
	"webhook.url":         "https://u:s3cr3t@hooks.example/in?token=s3cr3t",
	"webhook.secret":      "whsec_s3cr3ts3cr3ts3cr3ts3cr3t",
	"webhook.headers":     "Authorization: Bearer s3cr3t",

	"telemetry.traces.endpoint": "https://u:s3cr3t@collector.example/in?token=s3cr3t",
	"telemetry.traces.headers":  "Authorization: Bearer s3cr3t",
}

// Whatever could be a secret by its name or its description is in the table, so that no new one is forgotten.
func TestSecretsAreKnown(t *testing.T) {
	for _, s := range new(config.Config).InForce() {
		suspicious := false
		for _, word := range []string{"secret", "password", "private key", "keys_file", "url", "mirror", "token", "credential"} {
			suspicious = suspicious || strings.Contains(strings.ToLower(s.Key+" "+s.Help), word)
		}
		_, known := secrets[s.Key]
		if suspicious && !known && !withoutSecret[s.Key] {
			t.Errorf("%s may be a secret (%s): put it in the table, or say that it is none", s.Key, s.Help)
		}
	}
}

// withoutSecret are settings whose description has such a word.
var withoutSecret = map[string]bool{
	"http.allowed_hosts": true, "http.tls.cert": true, "http.open": true, "http.rate_limit": true, "http.rate_burst": true,
	"cache.shared": true, "mqtt.listen": true, "mqtt.client_id_by_user": true, "mqtt.tls.cert": true, "mqtt.ca_file": true, "mqtt.readers": true,
	"mqtt.tls.client_auth": true, "mqtt.tls.client_cert": true,
	"terminal.default": true, "webhook.ca_file": true, "http.internal_listen": true, "mqtt.acl_file": true, "mqtt.max_connections": true, "homeassistant.commands": true,
}

func TestSettingsInForceHideSecrets(t *testing.T) {
	t.Chdir(t.TempDir())
	for key, text := range secrets {
		t.Run(key, func(t *testing.T) {
			c := config.Default()
			if err := config.SetForTest(&c, key, text); err != nil {
				t.Fatal(err)
			}
			found := settingOf(t, &c, key)
			if strings.Contains(found.Value, "s3cr3t") || !strings.Contains(found.Value, "***") || !found.Masked {
				t.Errorf("%s is shown as %q, masked: %v", key, found.Value, found.Masked)
			}
			none := config.Default()
			if empty := settingOf(t, &none, key); empty.Value != empty.Default || empty.Masked {
				t.Errorf("%s, not set, is shown as %q, masked: %v", key, empty.Value, empty.Masked)
			}
		})
	}
}

func settingOf(t *testing.T, c *config.Config, key string) edgelens.Setting {
	t.Helper()
	for _, s := range c.InForce() {
		if s.Key == key {
			return s
		}
	}
	t.Fatalf("there is no setting %s", key)
	return edgelens.Setting{}
}

// Each setting has the source that wins, and its value and default.
func TestSettingsInForceHaveTheirSource(t *testing.T) {
	t.Chdir(t.TempDir())
	const key = "ledger.max_events"
	for name, test := range map[string]struct {
		source source
		value  string
		want   edgelens.SettingSource
	}{
		"default":              {source{}, "100000", edgelens.SettingDefault},
		"file":                 {source{file: fileOf(key, "7")}, "7", edgelens.SettingFile},
		"environment":          {source{file: fileOf(key, "7"), environ: []string{environOf(key) + "=8"}}, "8", edgelens.SettingEnviron},
		"flag":                 {source{environ: []string{environOf(key) + "=8"}, args: []string{"--" + flagOf(key) + "=9"}}, "9", edgelens.SettingFlag},
		"set to the default":   {source{args: []string{"--" + flagOf(key) + "=100000"}}, "100000", edgelens.SettingFlag},
		"another one that set": {source{args: []string{"--listen=127.0.0.1:1"}}, "100000", edgelens.SettingDefault},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := test.source.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := settingOf(t, c, key); got.Source != test.want || got.Value != test.value || got.Default != "100000" || got.Type != "int" || got.Help == "" {
				t.Errorf("got %+v, want %s by %s", got, test.value, test.want)
			}
		})
	}
	c, err := source{}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := settingOf(t, c, "models_dir"); got.Source != edgelens.SettingDerived || got.Value == "" {
		t.Errorf("got %+v, want a derived one", got)
	}
}
