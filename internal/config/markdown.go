package config

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes a table of every setting: docs/configuration.md.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Configuration

Flags override environment variables, which override the file (` + "`edgelens.yaml`, or `--config FILE`" + `), which overrides the defaults.
An unknown name or a bad value stops the start with one message about all of them. ` + "`edgelens config`" + ` prints the effective
configuration as a file, with derived values as comments and secrets masked.

The key ` + "`http.read_timeout`" + ` is the flag ` + "`--http-read-timeout`" + `, the variable ` + "`EDGELENS_HTTP_READ_TIMEOUT`" + `, and ` + "`read_timeout`" + `
below ` + "`http:`" + ` in the file. Sizes in bytes may have a unit: ` + "`20MB`, `20MiB`" + `. ` + "`edgelens config --sources`" + ` shows where each value was set,
` + "`--show-secrets`" + ` those that are masked.

**Secrets in files**: each setting that may hold a secret (` + "`webhook.secret`, `webhook.headers`" + `, and URLs such as ` + "`redis.url`, `mqtt.url`, `webhook.url`" + `) can be set by a file with
its value: ` + "`webhook.secret_file`, `--webhook-secret-file`, `EDGELENS_WEBHOOK_SECRET_FILE`" + `. With systemd:
` + "`LoadCredential=webhook:/etc/edgelens/webhook.secret` and `Environment=EDGELENS_WEBHOOK_SECRET_FILE=%d/webhook`" + `. This page is generated from internal/config/settings.go (` + "`go test ./internal/config -update`" + `).
`)
	defaults := Default()
	section := "-"
	for _, s := range defaults.settings() {
		head, _, nested := strings.Cut(s.key, ".")
		if !nested {
			head = ""
		}
		if head != section {
			section = head
			title := "General"
			if head != "" {
				title = "`" + head + "`"
			}
			fmt.Fprintf(&b, "\n## %s\n\n| key | type | default | |\n|---|---|---|---|\n", title)
		}
		text := s.String()
		if text != "" {
			text = "`" + text + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.key, s.Type(), text, strings.ReplaceAll(s.help, "|", `\|`))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
