package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"edgelens/internal/config"
)

func TestErrors(t *testing.T) {
	tests := map[string]struct {
		source source
		// want has words of each error, in order.
		want [][]string
	}{
		"unknown variable":                {source{environ: []string{"EDGELENS_LISTN=x"}}, [][]string{{"EDGELENS_LISTN", "is not a setting", "did you mean EDGELENS_LISTEN?"}}},
		"variable like none":              {source{environ: []string{"EDGELENS_QQQQQQQQQQQQQ=x"}}, [][]string{{"EDGELENS_QQQQQQQQQQQQQ", "is not a setting"}}},
		"variable in capitals and not":    {source{environ: []string{"EDGELENS_listen=x"}}, [][]string{{"EDGELENS_listen", "is not a setting"}}},
		"unknown key":                     {source{file: "\nlissten: x\n"}, [][]string{{"settings.yaml:2:", "lissten is not a setting", "did you mean listen?"}}},
		"unknown key of a section":        {source{file: "cache:\n  tl: 5s\n"}, [][]string{{"settings.yaml:2:", "cache.tl is not a setting", "did you mean cache.ttl?"}}},
		"key of another section":          {source{file: "http:\n  ttl: 5s\n"}, [][]string{{"settings.yaml:2:", "http.ttl is not a setting"}}},
		"flag that is no number":          {source{args: []string{"--inference-threads=many"}}, [][]string{{"--inference-threads", "whole number", `"many"`}}},
		"variable that is no number":      {source{environ: []string{"EDGELENS_INFERENCE_THREADS=1.5"}}, [][]string{{"EDGELENS_INFERENCE_THREADS", "whole number", `"1.5"`}}},
		"key that is no number":           {source{file: "inference: {threads: many}"}, [][]string{{"settings.yaml:1:", "inference.threads", "whole number", `"many"`}}},
		"number with no end":              {source{args: []string{"--preprocess-max-pixels=99999999999999999999"}}, [][]string{{"--preprocess-max-pixels", "whole number"}}},
		"flag that is no duration":        {source{args: []string{"--cache-ttl=5"}}, [][]string{{"--cache-ttl", "duration", `"5"`}}},
		"variable that is no duration":    {source{environ: []string{"EDGELENS_CACHE_TTL=soon"}}, [][]string{{"EDGELENS_CACHE_TTL", "duration", `"soon"`}}},
		"key that is no duration":         {source{file: "cache:\n  ttl: 5\n"}, [][]string{{"settings.yaml:2:", "cache.ttl", "duration", `"5"`}}},
		"empty variable":                  {source{environ: []string{"EDGELENS_CACHE_TTL="}}, [][]string{{"EDGELENS_CACHE_TTL", "duration"}}},
		"a list":                          {source{file: "listen:\n  - a\n  - b\n"}, [][]string{{"settings.yaml:1:", "listen must be one value"}}},
		"an empty list":                   {source{file: "listen: []\n"}, [][]string{{"settings.yaml:1:", "listen must be one value"}}},
		"a mapping":                       {source{file: "listen:\n  host: a\n"}, [][]string{{"settings.yaml:2:", "listen.host is not a setting"}}},
		"an empty mapping":                {source{file: "listen: {}\n"}, [][]string{{"settings.yaml:1:", "listen must be one value"}}},
		"an alias":                        {source{file: "model: &m x\ndata_dir: *m\n"}, [][]string{{"settings.yaml:2:", "data_dir must be one value"}}},
		"a section that is one value":     {source{file: "cache: 5s\n"}, [][]string{{"settings.yaml:1:", "cache is not a setting"}}},
		"an unknown section with nothing": {source{file: "cash:\n"}, [][]string{{"settings.yaml:1:", "cash is not a setting"}}},
		"an unknown empty section":        {source{file: "cash: {}\n"}, [][]string{{"settings.yaml:1:", "cash is not a setting"}}},
		"the machine's zone by name":      {source{file: "terminal:\n  zone: Local\n"}, [][]string{{"terminal.zone must", `"Local"`}}},
		"a terminal's zone by no place":   {source{file: "terminal:\n  zone: UTC,7=localtime\n"}, [][]string{{"terminal.zone must", "7=localtime"}}},
		"a setting without a value":       {source{file: "data_dir:\n"}, [][]string{{"data_dir must not be empty"}}},
		"a null is no folder":             {source{file: "data_dir: ~\n"}, [][]string{{"data_dir must not be empty"}}},
		"a key set twice":                 {source{file: "model: a\nlisten: :1\nmodel: b\n"}, [][]string{{"settings.yaml:3:", "model", "line 1"}}},
		"a key set in two ways":           {source{file: "cache:\n  ttl: 5s\ncache.ttl: 6s\n"}, [][]string{{"settings.yaml:3:", "cache.ttl", "line 2"}}},
		"a second document":               {source{file: "model: a\n---\nmodel: b\n"}, [][]string{{"settings.yaml", "one document"}}},
		"a broken second document":        {source{file: "model: a\n---\n{\n"}, [][]string{{"settings.yaml", "YAML"}}},
		"a list of texts":                 {source{file: "- listen\n"}, [][]string{{"settings.yaml", "setting: value"}}},
		"one word":                        {source{file: "listen"}, [][]string{{"settings.yaml", "setting: value"}}},
		"no YAML":                         {source{file: "listen: [\n"}, [][]string{{"settings.yaml is not valid YAML"}}},
		"a missing file":                  {source{args: []string{"--config=/nonesuch/x.yaml"}}, [][]string{{"configuration file cannot be read", "/nonesuch/x.yaml"}}},
		"a file that the environment names": {source{environ: []string{"EDGELENS_CONFIG=/nonesuch/x.yaml"}}, [][]string{
			{"configuration file cannot be read", "/nonesuch/x.yaml"}}},
		"a folder for a file": {source{args: []string{"--config=/"}}, [][]string{{"configuration file cannot be read"}}},
		"full keys": {source{args: []string{
			"--data-dir=", "--listen=here", "--http-max-image-bytes=1", "--http-read-timeout=1ms", "--recognize-timeout=1h",
			"--inference-threads=0", "--inference-delegate=gpu", "--preprocess-max-side=0", "--cache-ttl=1ms", "--log-level=loud", "--log-format=xml",
			"--sensor-keep-points=1s", "--sensor-max-series=0", "--learn-max-examples=0", "--learn-max-bytes=1", "--federation-max-epsilon=-1", "--federation-unreachable-after=1s",
		}}, [][]string{
			{"data_dir must"}, {"listen must", `"here"`}, {"http.max_image_bytes must"}, {"http.read_timeout must"},
			{"recognize.timeout must"},
			{"inference.threads must"}, {"inference.delegate must", `"gpu"`}, {"preprocess.max_side must"}, {"cache.ttl must"},
			{"sensor.keep_points must"}, {"learn.max_examples must"}, {"learn.max_bytes must"}, {"sensor.max_series must"},
			{"federation.max_epsilon must"}, {"federation.unreachable_after must"},
			{"log_level must", `"loud"`}, {"log_format must", `"xml"`},
		}},
		"of all sources": {source{
			args:    []string{"--cache-ttl=x", "--log-level=loud"},
			environ: []string{"EDGELENS_MODLE=x", "EDGELENS_CACHE_MAX_ENTRIES=x"},
			file:    "lissten: x\ncache:\n  ttl: y\n",
		}, [][]string{
			{"settings.yaml:1:", "lissten"}, {"settings.yaml:3:", "cache.ttl", `"y"`},
			{"EDGELENS_MODLE", "EDGELENS_MODEL"}, {"EDGELENS_CACHE_MAX_ENTRIES"},
			{"--cache-ttl", `"x"`}, {"log_level"},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			c, err := test.source.load(t)
			var errs *config.Errors
			if c != nil || !errors.As(err, &errs) {
				t.Fatalf("configuration %v, error %v, want *Errors alone", c, err)
			}
			if len(errs.List) != len(test.want) {
				t.Fatalf("%d errors, want %d:\n%v", len(errs.List), len(test.want), err)
			}
			for i, words := range test.want {
				for _, word := range words {
					if !strings.Contains(errs.List[i].Error(), word) {
						t.Errorf("error %q, want it to contain %q", errs.List[i], word)
					}
				}
				if !strings.Contains(err.Error(), errs.List[i].Error()) {
					t.Errorf("the message leaves out %q:\n%v", errs.List[i], err)
				}
			}
		})
	}
}

// TestInvalidValueNamesItsSource sets each setting that is not free text to an
// invalid value from each source.
func TestInvalidValueNamesItsSource(t *testing.T) {
	t.Chdir(t.TempDir())
	free := map[string]bool{"data_dir": true, "http.keys_file": true, "models_dir": true, "model": true, "model_mirror": true, "mqtt.ca_file": true, "mqtt.readers": true, "mqtt.sensors": true, "mqtt.home_assistant": true, "sensor.topics": true, "sensor.sealed_only": true, "http.tls.client_crl": true, "terminal.model": true, "recognize.embedding_model": true, "webhook.ca_file": true}
	// By Validate, which only knows the key.
	checked := map[string]bool{
		"listen": true, "log_level": true, "log_format": true, "inference.delegate": true, "inference.runtime": true, "inference.accelerators": true, "recognize.quality": true, "redis.url": true, "http.public_url": true, "http.allowed_hosts": true, "http.trusted_proxies": true, "http.allowed_origins": true, "http.allowed_command_origins": true,
		"http.tls.cert": true, "http.tls.key": true, "http.internal_listen": true, "mqtt.tls.cert": true, "mqtt.tls.key": true,
		"http.tls.client_ca": true, "http.tls.client_auth": true, "mqtt.tls.client_auth": true, "mqtt.tls.client_listen": true, "mqtt.tls.client_cert": true, "mqtt.tls.client_key": true,
		"mqtt.url": true, "mqtt.group": true, "mqtt.listen": true, "mqtt.password_file": true, "mqtt.acl_file": true,
		"preprocess.background": true, "preprocess.fit": true, "decode.isolation": true, "terminal.default": true, "terminal.unknown": true, "terminal.zone": true, "fungxi.ack": true, "fungxi.devices": true,
		"sensor.rules": true, "states.list": true, "homeassistant.commands": true, "webhook.url": true, "webhook.secret": true, "webhook.headers": true, "webhook.records": true, "webhook.image": true, "telemetry.traces.endpoint": true, "telemetry.traces.headers": true,
	}
	// Values that may contain a password, which an error must not repeat.
	secret := map[string]bool{"redis.url": true, "mqtt.url": true, "webhook.url": true, "webhook.secret": true, "webhook.headers": true, "http.public_url": true, "telemetry.traces.endpoint": true, "telemetry.traces.headers": true}
	for key := range valid {
		if free[key] {
			continue
		}
		flag, environ := "--"+flagOf(key), environOf(key)
		for source, want := range map[*source]string{
			{args: []string{flag + "=b@d"}}:       flag,
			{environ: []string{environ + "=b@d"}}: environ,
			{file: fileOf(key, "b@d")}:            "settings.yaml:",
		} {
			if checked[key] {
				want = key
			}
			_, err := source.load(t)
			if err == nil {
				t.Errorf("%+v: no error", *source)
				continue
			}
			if text := err.Error(); !strings.Contains(text, want) || strings.Contains(text, "b@d") == secret[key] || !strings.Contains(text, "has 1 error:") {
				t.Errorf("%+v: %v\nwant one error that names %s and the value", *source, err, want)
			}
		}
	}
}

func TestMisspelledNameGetsSuggestion(t *testing.T) {
	t.Chdir(t.TempDir())
	for key := range valid {
		misspelled := key[:len(key)-1] + "qq"
		for source, want := range map[*source]string{
			{environ: []string{environOf(misspelled) + "=x"}}: "did you mean " + environOf(key) + "?",
			{file: fileOf(misspelled, "x")}:                   "did you mean " + key + "?",
		} {
			if len(key) < 6 && source.file != "" {
				continue // too short to tell a typo from another word
			}
			if _, err := source.load(t); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v\nwant the suggestion %s", *source, err, want)
			}
		}
	}
}

func TestErrorsUnwrap(t *testing.T) {
	_, err := source{args: []string{"--config=/nonesuch/x.yaml"}}.load(t)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	many := &config.Errors{List: []error{errors.New("a"), errors.New("b")}}
	if got, want := many.Error(), "the configuration has 2 errors:\n  - a\n  - b"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	if got := fmt.Sprint(&config.Errors{List: []error{errors.New("a")}}); !strings.HasPrefix(got, "the configuration has 1 error:") {
		t.Errorf("message %q", got)
	}
}
