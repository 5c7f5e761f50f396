package config_test

import (
	"os"
	"regexp"
	"testing"
)

// The settings file of the package is valid, also with the comments removed from its examples.
func TestSettingsOfPackage(t *testing.T) {
	text, err := os.ReadFile("../../deploy/deb/edgelens.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	c, err := source{file: string(text)}.load(t)
	if err != nil || c.DataDir != "/var/lib/edgelens" || c.HTTP.Listen != "127.0.0.1:8080" {
		t.Errorf("%v, %+v", err, c)
	}
	passwords := writeFile(t, t.TempDir(), "passwords", "")
	examples := regexp.MustCompile(`(?m)^#(\S| {2}\S)`).ReplaceAllString(string(text), "$1")
	examples = regexp.MustCompile(`/etc/edgelens/passwords`).ReplaceAllString(examples, passwords)
	c, err = source{file: examples}.load(t)
	if err != nil {
		t.Fatalf("%v in\n%s", err, examples)
	}
	if c.HTTP.Listen != "0.0.0.0:8080" || c.Mosquitto.PasswordFile != passwords || c.Webhook.URL == "" || c.ModelMirror == "" || c.Log.LogLevel != "debug" {
		t.Errorf("examples are not in force: %+v", c)
	}
}
