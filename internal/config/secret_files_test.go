package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"edgelens"
	"edgelens/internal/config"
)

// A secret is read from the file that KEY_file names, in every source, without the end of its line.
func TestSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, url := file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), file("url", "https://user:pass@hooks.example.com/x\r\n")
	load := func(environ []string, args ...string) (*config.Config, error) {
		flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
		config.AddFlags(flags)
		if err := flags.Parse(args); err != nil {
			t.Fatal(err)
		}
		return config.Load(flags, append(environ, "EDGELENS_DATA_DIR="+dir))
	}
	for name, test := range map[string]struct {
		environ, args []string
		source        edgelens.SettingSource
	}{
		"environment":                            {[]string{"EDGELENS_WEBHOOK_SECRET_FILE=" + secret, "EDGELENS_WEBHOOK_URL_FILE=" + url}, nil, edgelens.SettingEnviron},
		"flags":                                  {nil, []string{"--webhook-secret-file", secret, "--webhook-url-file", url}, edgelens.SettingFlag},
		"file":                                   {nil, []string{"--config", file("edgelens.yaml", "webhook:\n  secret_file: "+secret+"\n  url_file: "+url+"\n")}, edgelens.SettingFile},
		"a file over a value of a weaker source": {[]string{"EDGELENS_WEBHOOK_SECRET=whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "EDGELENS_WEBHOOK_URL=http://other/"}, []string{"--webhook-secret-file", secret, "--webhook-url-file", url}, edgelens.SettingFlag},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(test.environ, test.args...)
			if err != nil {
				t.Fatal(err)
			}
			if c.Webhook.Secret != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" || c.Webhook.URL != "https://user:pass@hooks.example.com/x" {
				t.Errorf("%q %q", c.Webhook.Secret, c.Webhook.URL)
			}
			for _, s := range c.InForce() {
				if s.Key == "webhook.secret" && (s.Source != test.source || !s.Masked) {
					t.Errorf("%+v", s)
				}
			}
		})
	}
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"missing":  {[]string{"EDGELENS_WEBHOOK_SECRET_FILE=" + filepath.Join(dir, "none")}, "no such file"},
		"empty":    {[]string{"EDGELENS_WEBHOOK_SECRET_FILE=" + file("empty", "\n")}, "is empty"},
		"large":    {[]string{"EDGELENS_WEBHOOK_SECRET_FILE=" + file("large", strings.Repeat("x", 70_000))}, "65536 bytes"},
		"a folder": {[]string{"EDGELENS_WEBHOOK_SECRET_FILE=" + dir}, "65536 bytes"},
		"both":     {[]string{"EDGELENS_WEBHOOK_SECRET_FILE=" + secret, "EDGELENS_WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "webhook.secret and webhook.secret_file are both set"},
	} {
		if _, err := load(test.environ); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
