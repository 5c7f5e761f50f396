package config_test

import (
	"errors"
	"strings"
	"testing"

	"edgelens/internal/config"
)

// Print shows no secret, wherever in a setting it is.
func TestPrintHidesSecrets(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, test := range map[string]struct{ key, value, want string }{
		"password":                     {"redis.url", "redis://:s3cr3t@redis.example/0", "redis://***@redis.example/0"},
		"user and password":            {"redis.url", "rediss://user:s3cr3t@redis.example:6379/0", "rediss://***@redis.example:6379/0"},
		"user alone, which is a token": {"webhook.url", "https://s3cr3t@hooks.example/in", "https://***@hooks.example/in"},
		"token in the query":           {"webhook.url", "http://hooks.example/in?token=s3cr3t", "http://hooks.example/in?token=***"},
		"any name in the query":        {"webhook.url", "http://hooks.example/in?a=s3cr3t&b=s3cr3t;c=s3cr3t", "http://hooks.example/in?a=***&b=***&c=***"},
		"query without a name":         {"webhook.url", "http://hooks.example/in?s3cr3t", "http://hooks.example/in?***"},
		"fragment":                     {"webhook.url", "http://hooks.example/in#s3cr3t", "http://hooks.example/in#***"},
		"path of a chat service":       {"webhook.url", "https://hooks.example/services/T0/B0/s3cr3ts3cr3ts3cr3ts3cr3t", "https://hooks.example/services/T0/B0/***"},
		"Sentinels":                    {"redis.url", "redis-sentinel://:s3cr3t@a:1,b:2?master=m", "redis-sentinel://***@a:1,b:2?master=***"},
		"Cluster":                      {"redis.url", "redis-cluster://u:s3cr3t@a:1,b:2", "redis-cluster://***@a:1,b:2"},
		"broker":                       {"mqtt.url", "mqtts://u:s3cr3t@broker.example", "mqtts://***@broker.example"},
		"socket":                       {"mqtt.url", "unix:///run/a/long/name/of/a/folder/mosquitto.sock", "unix:///run/a/long/name/of/a/folder/mosquitto.sock"},
		"mirror":                       {"model_mirror", "https://u:s3cr3t@mirror.example/models?sig=s3cr3t", "https://***@mirror.example/models?sig=***"},
		"mirror without a scheme":      {"model_mirror", "u:s3cr3t@mirror.example/models", "***"},
		"mirror in a folder":           {"model_mirror", "/mnt/models@home", "/mnt/models@home"},
		"public address":               {"http.public_url", "https://u:s3cr3t@edge.example", "https://***@edge.example"},
		"password with an escape":      {"redis.url", "redis://:s3cr3t%2F%40@redis.example/0", "redis://***@redis.example/0"},
		"password with an @":           {"redis.url", "redis://:s3@cr3t@redis.example/0", "redis://***@redis.example/0"},
		"signing secret":               {"webhook.secret", "whsec_MDEyMzQ1Njc4OTAxMjM0Ng==", "***"},
		"nothing":                      {"webhook.secret", "", ""},
		"nothing secret":               {"webhook.url", "http://hooks.example:8080/in/door", "http://hooks.example:8080/in/door"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := source{environ: []string{environOf(test.key) + "=" + test.value}}.load(t)
			if err != nil {
				t.Fatal(err)
			}
			text := print(t, c)
			if strings.Contains(text, "s3cr3t") || strings.Contains(text, "whsec_M") || strings.Contains(text, "cr3t") {
				t.Errorf("the secret is shown:\n%s", text)
			}
			if got := effectiveText(t, text)[test.key]; got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			_, err = source{file: text}.load(t)
			if masked := strings.Contains(test.want, "***"); masked != (err != nil) {
				t.Errorf("loaded back: %v, want an error: %v", err, masked)
			}
		})
	}
}

// A value copied from printed output is rejected, with advice, from every source;
// so is one printed by earlier versions.
func TestMaskedValuesAreRejected(t *testing.T) {
	t.Chdir(t.TempDir())
	for key, values := range map[string][]string{
		"redis.url":       {"redis://***@redis.example/0", "redis://:xxxxx@redis.example/0", "redis://user:xxxxx@redis.example/0", "redis-sentinel://a:1?master=***"},
		"mqtt.url":        {"mqtt://u:xxxxx@broker.example", "***"},
		"webhook.url":     {"http://hooks.example/in?token=***", "https://hooks.example/services/***"},
		"webhook.secret":  {"***"},
		"model_mirror":    {"https://***@mirror.example/"},
		"http.public_url": {"https://***@edge.example"},
	} {
		for _, value := range values {
			for from, s := range map[string]source{
				"flag": {args: []string{"--" + flagOf(key) + "=" + value}}, "environment": {environ: []string{environOf(key) + "=" + value}}, "file": {file: fileOf(key, value)},
			} {
				_, err := s.load(t)
				var errs *config.Errors
				if !errors.As(err, &errs) || !strings.Contains(err.Error(), "put the real value there") {
					t.Errorf("%s=%s by %s: %v", key, value, from, err)
				}
			}
		}
	}
	if _, err := (source{args: []string{"--redis-url=redis://xxxxxy:xxxxxx@h"}}).load(t); err != nil {
		t.Errorf("a password of six x: %v", err)
	}
}
